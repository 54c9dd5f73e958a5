"""The fast way to write sends what pymilvus would send, or is not taken."""

from typing import Any

import pytest

from dataplane import chunks
from dataplane.manifest import Schema
from dataplane.milvus import Cluster, ClusterEndpoint
from dataplane.pages import PageReader
from dataplane.restore import CollectionMapping, RestorePlan, restore_backup
from dataplane.stores.memory import MemoryStore
from dataplane.writer import BatchWriter
from tests.integration.dataplane.conftest import CLUSTER, back_up, make_numbers, ref
from tests.unit.dataplane.builders import make_field

TWO_VECTORS = Schema(
    "",
    True,
    (
        make_field("id", is_primary=True),
        make_field("title", "VARCHAR", is_nullable=True, params={"max_length": 20}),
        make_field("near", "FLOAT_VECTOR", params={"dim": 3}),
        make_field("far", "FLOAT_VECTOR", is_nullable=True, params={"dim": 200}),
    ),
)
ROWS: list[dict[str, Any]] = [
    {"id": 1, "title": "one", "near": [0.1, -0.0, 3e38], "far": [0.5] * 200, "more": [1, {"a": None}]},
    {"id": 2, "title": None, "near": [1.0, 2.0, 3.0], "far": None},
    {"id": 3, "title": "", "near": [-1.0, 0.0, 1e-40], "far": [float(number) for number in range(200)]},
]


def make(cluster: Cluster, name: str, schema: Schema) -> None:
    cluster.create(ref(name), schema, shards=1, consistency_level="", properties={})


@pytest.mark.parametrize("length", [1, 2, 3])
def test_vectors_as_they_lie_in_memory_make_the_message_that_pymilvus_makes(
    client: Any, endpoint: ClusterEndpoint, length: int
) -> None:
    table = chunks.to_table(ROWS, TWO_VECTORS).slice(3 - length)
    with Cluster(endpoint) as cluster:
        make(cluster, "two", TWO_VECTORS)
        writer = BatchWriter(cluster, ref("two"), TWO_VECTORS)
        fast = writer.pack(table, "_default")
        rows = chunks.to_rows(table, TWO_VECTORS)
        plain = cluster.packed(ref("two"), rows, {}, partition="_default")
        assert fast.SerializeToString(deterministic=True) == plain.SerializeToString(deterministic=True)
        assert writer.send(fast) == length
    client.load_collection("two")
    assert len(client.query("two", filter="id > 0", output_fields=["*"])) == length


def test_where_the_messages_differ_rows_are_sent(
    client: Any, endpoint: ClusterEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = Cluster.packed

    def forgetful(self: Cluster, at: Any, rows: Any, vectors: Any, **options: Any) -> Any:
        return packed(self, at, rows, {name: (dim, numbers[4:]) for name, (dim, numbers) in vectors.items()}, **options)

    monkeypatch.setattr(Cluster, "packed", forgetful)
    table = chunks.to_table(ROWS, TWO_VECTORS)
    with Cluster(endpoint) as cluster:
        make(cluster, "two", TWO_VECTORS)
        writer = BatchWriter(cluster, ref("two"), TWO_VECTORS)
        assert writer.send(writer.pack(table, "_default")) == 3
        cluster.load(ref("two"))
        found = PageReader(cluster, ref("two"), TWO_VECTORS).rows(None, "", 10)
    assert found.column("near").to_pylist() == table.column("near").to_pylist()


def test_a_server_tells_its_time_and_a_page_shows_all_that_was_written_before_it(
    server_client: Any, server: ClusterEndpoint
) -> None:
    server_client.create_collection("soon", dimension=4)
    with Cluster(server) as cluster:
        schema = cluster.describe(ref("soon")).schema
        for key in range(5):
            server_client.insert("soon", [{"id": key, "vector": [1.0] * 4}])
            reader = PageReader(cluster, ref("soon"), schema)
            assert reader.columns(None, "_default", 100).num_rows == key + 1
        moment = cluster.moment()
    assert moment is not None
    assert moment > 0


def test_what_a_server_shall_not_load_is_counted_in_its_files(
    server_client: Any, server: ClusterEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_numbers(server_client, rows=50)
    store = MemoryStore()
    back_up(server, store)

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("nothing is to be loaded")

    monkeypatch.setattr(Cluster, "load", refuse)
    mapping = CollectionMapping(ref("numbers"), ref("again"))
    restore_backup(
        RestorePlan(CLUSTER, "backup-1", (mapping,), cu_size=1, load=False, attempt_id="job-1"),
        store=store, endpoint=server, on_progress=lambda progress: None, should_stop=lambda: False,
    )  # fmt: skip
    with Cluster(server) as cluster:
        assert not cluster.is_loaded(ref("again"))
        assert cluster.flushed_count(ref("again")) == 50


def test_a_flush_that_cannot_be_asked_for_quickly_is_asked_for_plainly(
    client: Any, endpoint: ClusterEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymilvus.client.prepare import Prepare

    make_numbers(client, rows=10)
    monkeypatch.delattr(Prepare, "flush_param")
    asked: list[str] = []
    with Cluster(endpoint) as cluster:
        monkeypatch.setattr(type(client), "flush", lambda self, name, **options: asked.append(name))
        cluster.flush(ref("numbers"))
    assert asked == ["numbers"]
