"""Every field type a server has, through a backup and back, bit by bit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dataplane.milvus import ClusterEndpoint
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up, restore

ELEMENTS: dict[str, list[Any]] = {
    "BOOL": [True, False], "INT8": [-128, 127], "INT16": [-(2**15)], "INT32": [2**31 - 1], "INT64": [-(2**63), 2**62],
    "FLOAT": [0.5, -2.0], "DOUBLE": [0.1, 1e300], "VARCHAR": ["", "日本", '"'],
}  # fmt: skip
FULL_ARRAYS = {f"{name.lower()}s": value for name, value in ELEMENTS.items()}
SCALARS: dict[str, Any] = {
    "BOOL": True, "INT8": -128, "INT16": 5, "INT32": -5, "INT64": 2**62, "FLOAT": 0.5, "DOUBLE": 0.1,
    "JSON": {"b": [1, None, 2**60], "a": {}},
}  # fmt: skip


def rows(client: Any, name: str) -> list[dict[str, Any]]:
    answer = client.query(name, filter="", limit=1000, output_fields=["*"], consistency_level="Strong")
    return sorted((dict(row) for row in answer), key=lambda row: str(row["key"]))


def make(
    client: Any, name: str, add_fields: Any, data: list[dict[str, Any]], vector: str, index: str, metric: str
) -> None:
    """A collection with VARCHAR keys, its rows, an index on `vector`, loaded."""
    from pymilvus import DataType

    schema = client.create_schema(enable_dynamic_field=True)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=10)
    add_fields(schema, DataType)
    client.create_collection(name, schema=schema)
    client.insert(name, data)
    params = client.prepare_index_params()
    params.add_index(vector, index_type=index, metric_type=metric)
    client.create_index(name, params)
    client.load_collection(name)


def come_back(endpoint: ClusterEndpoint, client: Any, *names: str) -> None:
    before = [rows(client, name) for name in names]
    assert all(before)
    store = MemoryStore()
    back_up(endpoint, store, *names)
    restore(endpoint, store, *((name, f"{name}_again") for name in names))
    assert [rows(client, f"{name}_again") for name in names] == before
    for name in names:
        old, new = (client.describe_collection(found) for found in (name, f"{name}_again"))
        assert [shown(field) for field in new["fields"]] == [shown(field) for field in old["fields"]]
        assert [function | {"id": 0} for function in new["functions"]] == old["functions"]


def shown(field: dict[str, Any]) -> dict[str, Any]:
    """A default is a message that is never equal to another."""
    return {**field, "default_value": str(field.get("default_value"))}


def vector_of(type_name: str, dim: int) -> Callable[[Any, Any], None]:
    return lambda schema, types: schema.add_field("vector", types[type_name], dim=dim)


def add_arrays(schema: Any, types: Any, **options: Any) -> None:
    for name in ELEMENTS:
        length = {"max_length": 20} if name == "VARCHAR" else {}
        schema.add_field(f"{name.lower()}s", types.ARRAY, element_type=types[name], max_capacity=4, **length, **options)


def test_every_type_of_the_server_comes_back(server_client: Any, server: ClusterEndpoint) -> None:
    def add_scalars(schema: Any, types: Any) -> None:
        for name in SCALARS:
            schema.add_field(name.lower(), types[name])
        add_arrays(schema, types)
        schema.add_field("vector", types.FLOAT_VECTOR, dim=2)

    full = {name.lower(): value for name, value in SCALARS.items()} | FULL_ARRAYS
    bare = {**full, **dict.fromkeys(FULL_ARRAYS, []), "json": {}, "key": "bare", "vector": [1.0, 2.0]}
    full |= {"key": "full", "vector": [0.1, 1.0], "own": {"deep": [True]}}
    halves: list[dict[str, Any]] = [
        {"key": "a", "vector": np.array([0.1, -2, 3, 65504], np.float16)},
        {"key": "b", "vector": bytes(8)},
    ]
    bits: list[dict[str, Any]] = [{"key": "a", "vector": b"\x01\xff"}, {"key": "b", "vector": b"\x00\x00", "own": 1}]
    with ThreadPoolExecutor() as pool:  # the server spends most of a load waiting
        for made in [
            pool.submit(make, server_client, "scalars", add_scalars, [full, bare], "vector", "FLAT", "L2"),
            pool.submit(make, server_client, "halves", vector_of("FLOAT16_VECTOR", 4), halves, "vector", "FLAT", "L2"),
            pool.submit(
                make, server_client, "bits", vector_of("BINARY_VECTOR", 16), bits, "vector", "BIN_FLAT", "HAMMING"
            ),
        ]:
            made.result()
    come_back(server, server_client, "bits", "halves", "scalars")


def test_several_vectors_and_arrays_of_every_element_come_back_from_milvus_lite(
    client: Any, endpoint: ClusterEndpoint
) -> None:
    def add_fields(schema: Any, types: Any) -> None:
        add_arrays(schema, types, nullable=True)
        schema.add_field("vector", types.FLOAT_VECTOR, dim=2)
        schema.add_field("other", types.FLOAT_VECTOR, dim=3)
        schema.add_field("sparse", types.SPARSE_FLOAT_VECTOR)

    vectors = {"vector": [0.0, 1.0], "other": [1.0, 2.0, 3.0], "sparse": {7: 0.5, 70_000: 0.25}}
    make(
        client, "arrays", add_fields,
        [{**FULL_ARRAYS, **vectors, "key": "full"}, {**vectors, "key": "bare"}], "vector", "FLAT", "L2",
    )  # fmt: skip
    come_back(endpoint, client, "arrays")


def test_texts_of_a_bm25_function_are_found_again_after_a_restore(client: Any, endpoint: ClusterEndpoint) -> None:
    from pymilvus import Function, FunctionType

    def add_fields(schema: Any, types: Any) -> None:
        schema.add_field("text", types.VARCHAR, max_length=100, enable_analyzer=True, enable_match=True)
        schema.add_field("words", types.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function("bm25", FunctionType.BM25, input_field_names=["text"], output_field_names=["words"])
        )

    texts = [{"key": "a", "text": "hello world"}, {"key": "b", "text": "nothing here"}]
    make(client, "texts", add_fields, texts, "words", "SPARSE_INVERTED_INDEX", "BM25")
    come_back(endpoint, client, "texts")
    (found,) = client.search("texts_again", data=["hello"], anns_field="words", limit=5)
    assert [hit["key"] for hit in found] == ["a"]


def test_times_and_shapes_come_back_with_every_digit(client: Any, endpoint: ClusterEndpoint) -> None:
    def add_times(schema: Any, types: Any) -> None:
        schema.add_field("when", types.TIMESTAMPTZ, nullable=True)
        schema.add_field("made", types.TIMESTAMPTZ, default_value="2025-01-01T00:00:00+08:00")
        schema.add_field("vector", types.FLOAT_VECTOR, dim=2)

    def add_shapes(schema: Any, types: Any) -> None:
        schema.add_field("place", types.GEOMETRY, nullable=True)
        schema.add_field("home", types.GEOMETRY, default_value="POINT (1 2)")
        schema.add_field("vector", types.FLOAT_VECTOR, dim=2)

    times = [None, "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.000001-01:30", "9999-12-31T23:59:59.999999Z"]
    shapes = [None, "point( -0  1.7976931348623157e308 )", "POLYGON((0 0, 1 0, 1 1, 0 0))"]
    for name, add_fields, field, values in (
        ("times", add_times, "when", times), ("shapes", add_shapes, "place", shapes),
    ):  # fmt: skip
        data = [{"key": str(number), "vector": [0.0, 1.0], field: value} for number, value in enumerate(values)]
        make(client, name, add_fields, data, "vector", "FLAT", "L2")
    come_back(endpoint, client, "times", "shapes")
    assert [row["when"] for row in rows(client, "times_again")] == [
        None, "0001-01-01T00:00:00Z", "1970-01-01T01:29:59.000001Z", "9999-12-31T23:59:59.999999Z",
    ]  # fmt: skip
    assert {row["made"] for row in rows(client, "times_again")} == {"2024-12-31T16:00:00Z"}
    assert [row["place"] for row in rows(client, "shapes_again")] == shapes
