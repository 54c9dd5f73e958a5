"""The fast way to read gives what the plain one gives, for every type, or is not taken."""

from typing import Any

import numpy as np
import pytest

from dataplane.errors import ClusterError
from dataplane.loading import readable
from dataplane.manifest import Schema
from dataplane.milvus import Cluster, ClusterEndpoint
from dataplane.pages import PageReader, tables
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up, make_numbers, make_texts, ref
from tests.integration.dataplane.test_any_schema import write
from tests.unit.dataplane.builders import make_field

ELEMENTS: dict[str, list[Any]] = {
    "BOOL": [True, False], "INT8": [-128, 127], "INT16": [-(2**15)], "INT32": [2**31 - 1], "INT64": [-(2**63), 2**62],
    "FLOAT": [0.5, -2.0], "DOUBLE": [0.1, 1e300], "VARCHAR": ["", "日本", '"'],
}  # fmt: skip
ONLY_LITE = {"TIMESTAMPTZ": "2025-01-01T00:00:00.000001Z", "GEOMETRY": "POINT (1 2)"}


def every_type(vector: str, *, is_nullable: bool) -> Schema:
    length = {"max_length": 20}
    fields = [
        make_field(name.lower(), name, is_nullable=is_nullable, params=length if name == "VARCHAR" else {})
        for name in ELEMENTS
    ]
    fields += [
        make_field(
            f"{name.lower()}s", "ARRAY", element_type=name, is_nullable=is_nullable,
            params={"max_capacity": 4, **(length if name == "VARCHAR" else {})},
        )
        for name in ELEMENTS
    ]  # fmt: skip
    if is_nullable:
        fields += [make_field(name.lower(), name, is_nullable=True) for name in ONLY_LITE]
    fields.append(make_field("json", "JSON", is_nullable=is_nullable))
    fields.append(make_field("vector", vector, params={} if vector.startswith("SPARSE") else {"dim": 16}))
    return Schema("", True, (make_field("id"), *fields))


def rows(vectors: list[Any], *, with_nulls: bool) -> list[dict[str, Any]]:
    full: dict[str, Any] = {name.lower(): values[0] for name, values in ELEMENTS.items()}
    full |= {f"{name.lower()}s": values for name, values in ELEMENTS.items()} | {"json": {"b": [1, 2.5], "a": {}}}
    if with_nulls:
        full |= {name.lower(): value for name, value in ONLY_LITE.items()}
    bare = dict.fromkeys(full) if with_nulls else {**full, **{f"{name.lower()}s": [] for name in ELEMENTS}}
    data = [{**full, "own": {"z": 1, "a": "日"}}, bare, {**full, "other": None}, bare, full]
    return [{**row, "id": 10 - number, "vector": vectors[number % 2]} for number, row in enumerate(data)]


VECTORS: dict[str, list[Any]] = {
    "FLOAT_VECTOR": [[0.1] * 16, [-1.0, *[0.0] * 15]],
    "FLOAT16_VECTOR": [np.arange(16, dtype=np.float16).tobytes(), bytes(32)],
    "BINARY_VECTOR": [b"\x01\xff", b"\x00\x00"],
    "SPARSE_FLOAT_VECTOR": [{7: 0.5, 70_000: 0.25}, {1: 1.0}],
}


@pytest.mark.parametrize("vector", ["FLOAT_VECTOR", "SPARSE_FLOAT_VECTOR"])
def test_columns_and_rows_of_milvus_lite_are_the_same(client: Any, endpoint: ClusterEndpoint, vector: str) -> None:
    check(endpoint, every_type(vector, is_nullable=True), rows(VECTORS[vector], with_nulls=True))


@pytest.mark.parametrize("vector", ["FLOAT_VECTOR", "FLOAT16_VECTOR", "BINARY_VECTOR"])
def test_columns_and_rows_of_a_server_are_the_same(server_client: Any, server: ClusterEndpoint, vector: str) -> None:
    check(server, every_type(vector, is_nullable=False), rows(VECTORS[vector], with_nulls=False))


def check(endpoint: ClusterEndpoint, schema: Schema, data: list[dict[str, Any]]) -> None:
    with Cluster(endpoint) as cluster:
        write(cluster, "everything", (schema, data))
        with readable(cluster, ref("everything"), cluster.describe(ref("everything")), stays_loaded=True):
            reader = PageReader(cluster, ref("everything"), schema)
            plain = reader.rows(None, "", 100)
            assert plain.num_rows == len(data)
            assert reader.columns(None, "", 100).equals(plain)
            after = plain.slice(2)
            assert reader.columns(plain.column("id")[1].as_py(), "", 2).equals(after.slice(0, 2))
            assert reader.columns(plain.column("id")[-1].as_py(), "", 2).num_rows == 0


def test_an_answer_in_another_form_is_read_row_by_row(
    client: Any, endpoint: ClusterEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_texts(client)
    expected = back_up(endpoint, MemoryStore()).manifest.chunks

    def lying(self: Cluster, *arguments: Any, **options: Any) -> Any:
        return list(columns(self, *arguments, **options))[:-1]

    columns = Cluster.columns
    monkeypatch.setattr(Cluster, "columns", lying)
    assert back_up(endpoint, MemoryStore()).manifest.chunks == expected


def test_pages_out_of_key_order_are_refused(
    client: Any, endpoint: ClusterEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_numbers(client, rows=9000)
    with Cluster(endpoint) as cluster:
        cluster.load(ref("numbers"))
        reader = PageReader(cluster, ref("numbers"), cluster.describe(ref("numbers")).schema)
        assert sum(page.num_rows for page in tables(reader, "_default", before_each=lambda: None)) == 9000
        straight = reader.columns
        monkeypatch.setattr(reader, "columns", lambda *asked: straight(*asked).take([1, 0, 2]))
        with pytest.raises(ClusterError, match="out of key order"):
            reader.read(None, "_default")
