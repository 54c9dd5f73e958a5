"""Whatever schema and rows somebody makes up, a restore gives them back."""

import json
import math
import string
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataplane.fields import vector_bytes
from dataplane.loading import readable
from dataplane.manifest import FieldEntry, IndexEntry, Schema
from dataplane.milvus import Cluster, ClusterEndpoint
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up, ref, restore_all
from tests.unit.dataplane.builders import make_field

Made = tuple[Schema, list[dict[str, Any]]]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
halves = st.floats(width=32, allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BOOL": st.booleans(),
    **{f"INT{bits}": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    "FLOAT": halves,
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "VARCHAR": texts,
    "JSON": st.dictionaries(texts, json_values, max_size=3),
    "SPARSE_FLOAT_VECTOR": st.dictionaries(
        st.integers(0, 2**31), halves.filter(lambda value: value > 0), min_size=1, max_size=3
    ),
}
shapes = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2).map(
    lambda place: f"POINT ({place[0]!r} {place[1]!r})"
)
ONLY_LITE: dict[str, st.SearchStrategy[Any]] = {
    "TIMESTAMPTZ": st.datetimes().map(lambda time: f"{time.isoformat()}Z"),
    "GEOMETRY": shapes,
}
VALUES |= ONLY_LITE
SCALARS = ["BOOL", "INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE", "VARCHAR"]
VECTOR_INDEX = {"BINARY_VECTOR": ("BIN_FLAT", "HAMMING"), "SPARSE_FLOAT_VECTOR": ("SPARSE_INVERTED_INDEX", "IP")}


def values_of(field: FieldEntry) -> st.SearchStrategy[Any]:
    if field.type == "ARRAY":
        values: st.SearchStrategy[Any] = st.lists(VALUES[field.element_type], max_size=3)
    elif field.type == "FLOAT_VECTOR":
        values = st.lists(halves, min_size=field.params["dim"], max_size=field.params["dim"])  # type: ignore[arg-type]
    elif field.type == "FLOAT16_VECTOR":
        dim = field.params["dim"]
        values = st.lists(st.floats(width=16, allow_nan=False), min_size=dim, max_size=dim).map(  # type: ignore[arg-type]
            lambda numbers: np.array(numbers, np.float16).tobytes()
        )
    elif field.type == "BINARY_VECTOR":
        values = st.binary(min_size=vector_bytes(field), max_size=vector_bytes(field))
    else:
        values = VALUES[field.type]
    return values | st.none() if field.is_nullable else values


@st.composite
def made_up(draw: st.DrawFn, *, vectors: list[str], is_lite: bool) -> Made:
    """A schema and rows of it. A server of the old version here has one vector field, and no NULLs."""
    key = make_field("id", draw(st.sampled_from(["INT64", "VARCHAR"])), is_primary=True)
    fields = [replace(key, params={"max_length": 50} if key.type == "VARCHAR" else {})]
    kinds = [*SCALARS, "JSON", "ARRAY", *(ONLY_LITE if is_lite else ())]
    for number, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=5))):
        element = draw(st.sampled_from(SCALARS)) if kind == "ARRAY" else ""
        params: dict[str, str | int | bool] = {"max_capacity": 3} if kind == "ARRAY" else {}
        if "VARCHAR" in (kind, element):
            params["max_length"] = 50
        fields.append(
            make_field(
                f"{draw(st.sampled_from(string.ascii_letters))}{number}", kind,
                element_type=element, params=params, is_nullable=is_lite and draw(st.booleans()),
            )
        )  # fmt: skip
    of_vectors = draw(st.lists(st.sampled_from(vectors), min_size=1, max_size=3 if is_lite else 1))
    for number, kind in enumerate(of_vectors):
        dim = draw(st.integers(1, 3)) * (8 if kind == "BINARY_VECTOR" else 2)
        fields.append(make_field(f"vector{number}", kind, params={} if kind == "SPARSE_FLOAT_VECTOR" else {"dim": dim}))
    schema = Schema("", draw(st.booleans()), tuple(fields))
    row: dict[str, st.SearchStrategy[Any]] = {field.name: values_of(field) for field in fields if not field.is_primary}
    if schema.has_dynamic_field:
        row["own"] = json_values.filter(lambda value: value is not None)
    keys = draw(st.lists(VALUES[key.type], unique=True, min_size=1, max_size=6))
    rows = [{"id": one, **draw(st.fixed_dictionaries(row))} for one in keys]
    return schema, rows


def write(cluster: Cluster, name: str, made: Made) -> None:
    schema, rows = made
    cluster.create(ref(name), schema, shards=1, consistency_level="", properties={})
    cluster.insert(ref(name), rows, partition="_default")
    for field in schema.fields:
        if field.type.endswith("VECTOR"):
            kind, metric = VECTOR_INDEX.get(field.type, ("FLAT", "L2"))
            cluster.create_index(ref(name), IndexEntry(field.name, field.name, kind, metric, {}))


def read(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    with readable(cluster, ref(name), cluster.describe(ref(name)), stays_loaded=True):
        return cluster.page(ref(name), key_field="id", after=None, partition="", limit=100)


def same(one: Any, other: Any) -> bool:
    """Equal by bits where floats are concerned: Milvus keeps -0.0."""
    return json.dumps(plain(one), sort_keys=True) == json.dumps(plain(other), sort_keys=True)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str | int | None):
        return value
    if isinstance(value, float | np.floating):
        return float(value).hex() if math.isfinite(value) else str(value)
    return [plain(item) for item in value]


def comes_back(endpoint: ClusterEndpoint, *collections: Made) -> None:
    names = [f"made_{number}" for number in range(len(collections))]
    with Cluster(endpoint) as cluster:
        for found in cluster.collections():
            cluster.drop(found)
        for name, made in zip(names, collections, strict=True):
            write(cluster, name, made)
        before = {name: read(cluster, name) for name in names}
        for name, (_, rows) in zip(names, collections, strict=True):
            assert same(sorted(before[name], key=by_key), sorted(rows, key=by_key)), "the server itself changed a row"
        schemas = {name: cluster.describe(ref(name)).schema for name in names}
        store = MemoryStore()
        assert back_up(endpoint, store).row_count == sum(len(rows) for _, rows in collections)
        restore_all(endpoint, store)
        for name in names:
            assert same(read(cluster, name), before[name])
            assert cluster.describe(ref(name)).schema == schemas[name]


def by_key(row: dict[str, Any]) -> str:
    return str(row["id"])


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=made_up(vectors=["FLOAT_VECTOR", "SPARSE_FLOAT_VECTOR"], is_lite=True))
def test_through_milvus_lite(endpoint: ClusterEndpoint, made: Made) -> None:
    comes_back(endpoint, made)


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    made=st.lists(
        made_up(vectors=["FLOAT_VECTOR", "FLOAT16_VECTOR", "BINARY_VECTOR"], is_lite=False), min_size=2, max_size=2
    )
)
def test_through_a_server(server: ClusterEndpoint, made: list[Made]) -> None:
    comes_back(server, *made)
