"""What a backup holds of a collection that changes while it is read."""

from typing import Any

import pytest

from dataplane import chunks, layout
from dataplane.backup import BackupReport
from dataplane.errors import RowsLost
from dataplane.milvus import ClusterEndpoint
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up
from tests.unit.dataplane.builders import CLUSTER

ROWS = 20_000
STEP = 10
"""Room between two keys, for rows to be inserted."""


@pytest.fixture(params=["Milvus Lite", "server"])
def target(request: pytest.FixtureRequest) -> tuple[Any, ClusterEndpoint]:
    names = ("client", "endpoint") if request.param == "Milvus Lite" else ("server_client", "server")
    client, endpoint = (request.getfixturevalue(name) for name in names)
    return client, endpoint


def make(client: Any, *, rows: int = ROWS) -> None:
    from pymilvus import DataType

    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection("busy", schema=schema)
    params = client.prepare_index_params()
    params.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_index("busy", params)
    client.load_collection("busy")
    client.insert("busy", vectors(*range(0, rows * STEP, STEP)))


def vectors(*keys: int) -> list[dict[str, Any]]:
    return [{"id": key, "vector": [1.0, 2.0]} for key in keys]


def wait_until_seen(client: Any) -> None:
    """A server shows a page as of the scan's beginning or later, as it likes; after this, with all that was written."""
    client.query("busy", output_fields=["count(*)"], consistency_level="Strong")


def stored_keys(report: BackupReport, store: MemoryStore) -> list[int]:
    (entry,) = report.manifest.collections
    return [
        row["id"]
        for chunk in entry.chunks
        for row in chunks.to_rows(
            chunks.from_parquet(
                store.read_bytes(layout.chunk_key(CLUSTER, chunk.sha256)), entry.schema, source="chunk"
            ),
            entry.schema,
        )
    ]


class AtPage:
    """Does something between two pages of a scan, then nothing any more."""

    def __init__(self, page: int, act: Any) -> None:
        self.left, self.act = page, act

    def __call__(self) -> bool:
        self.left -= 1
        if self.left == 0:
            self.act()
        return False


def test_rows_written_a_moment_ago_are_all_there(target: tuple[Any, ClusterEndpoint]) -> None:
    client, endpoint = target
    make(client)  # and not flushed: an iterator of pymilvus would find none of them on a server
    store = MemoryStore()
    report = back_up(endpoint, store)
    assert stored_keys(report, store) == list(range(0, ROWS * STEP, STEP))
    assert report.manifest.collections[0].notes == ()


def test_rows_that_change_during_the_scan_are_noted_and_those_that_do_not_are_there_once(
    target: tuple[Any, ClusterEndpoint],
) -> None:
    client, endpoint = target
    make(client)
    last = (ROWS - 1) * STEP
    gone_before, gone_ahead = {0, STEP}, {last, last - STEP, last - 2 * STEP}
    new_before, new_ahead = {1, 2, 3, 4}, {last - 1, last - 2, last - 3, last - 4, last - 5}

    def change() -> None:
        client.insert("busy", vectors(*new_before, *new_ahead))
        client.delete("busy", ids=[*gone_before, *gone_ahead])
        wait_until_seen(client)

    store = MemoryStore()
    report = back_up(endpoint, store, should_stop=AtPage(2, change))
    keys = stored_keys(report, store)
    assert keys == sorted(set(range(0, ROWS * STEP, STEP)) - gone_ahead | new_ahead)
    assert report.manifest.collections[0].notes == (
        f"busy: rows changed during the backup ({ROWS} before, {ROWS + 4} after, {ROWS + 2} stored)",
    )
    assert "no two collections are of the same moment" in report.manifest.point_in_time


def test_a_scan_that_no_change_of_the_count_explains_is_an_error_and_leaves_no_manifest(
    target: tuple[Any, ClusterEndpoint],
) -> None:
    client, endpoint = target
    make(client)
    last = (ROWS - 1) * STEP

    def change() -> None:
        """One row moves from where the scan has not been to where it has, so it is missed and the count stays."""
        client.delete("busy", ids=[last])
        client.insert("busy", vectors(1))
        wait_until_seen(client)

    store = MemoryStore()
    with pytest.raises(RowsLost, match=f"returned {ROWS - 1} rows where the cluster counted {ROWS} before and {ROWS}"):
        back_up(endpoint, store, should_stop=AtPage(2, change))
    assert not [info.key for info in store.list("") if info.key.endswith("manifest.json")]
