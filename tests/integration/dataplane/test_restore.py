"""How a restore ends when something is in its way."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.errors import BackupDamaged, BackupMissing, CollectionExists, CollectionMissing
from dataplane.manifest import to_json
from dataplane.milvus import ClusterEndpoint, drop_collection, list_collections
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up, make_numbers, make_texts, ref, restore, rows_of
from tests.unit.dataplane.builders import CLUSTER, chunk_keys

KILLED_HALF_WAY = """
import os, signal, sys
from pathlib import Path
from dataplane.milvus import ClusterEndpoint
from dataplane.restore import RestorePlan, restore_backup
from dataplane.stores.local import LocalStore

calls = 0
def die(progress):
    global calls
    calls += 1
    if calls == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

restore_backup(RestorePlan(sys.argv[4], "backup-1", None, 1, True, "job-1"), store=LocalStore(Path(sys.argv[1])),
               endpoint=ClusterEndpoint(sys.argv[2]), on_progress=die, should_stop=lambda: False)
"""


def names(endpoint: ClusterEndpoint) -> list[str]:
    return [info.ref.name for info in list_collections(endpoint)]


def test_a_collection_that_is_there_is_never_touched(client: Any, endpoint: ClusterEndpoint) -> None:
    make_texts(client)
    make_numbers(client, rows=10)
    store = MemoryStore()
    back_up(endpoint, store)
    drop_collection(endpoint, ref("numbers"))
    client.delete("texts", filter='key == "a"')
    with pytest.raises(CollectionExists, match="texts"):
        restore(endpoint, store)
    with pytest.raises(CollectionExists, match="texts_alias"):
        restore(endpoint, store, ("texts", "texts_alias"))
    assert names(endpoint) == ["texts"]
    assert len(rows_of(client, "texts")) == 299


def test_a_collection_can_be_restored_beside_the_one_that_is_there(client: Any, endpoint: ClusterEndpoint) -> None:
    make_texts(client)
    store = MemoryStore()
    back_up(endpoint, store)
    report = restore(endpoint, store, ("texts", "texts_of_monday"))
    assert rows_of(client, "texts_of_monday") == rows_of(client, "texts")
    assert report.collections[0].notes == ("texts_of_monday: the alias texts_alias is taken and was not moved",)
    assert client.list_aliases("texts")["aliases"] == ["texts_alias"]


def test_what_the_backup_does_not_hold_is_refused(client: Any, endpoint: ClusterEndpoint) -> None:
    make_numbers(client, rows=10)
    store = MemoryStore()
    back_up(endpoint, store)
    with pytest.raises(CollectionMissing, match="no collection letters"):
        restore(endpoint, store, ("letters", "letters"))
    with pytest.raises(CollectionExists, match="Two collections"):
        restore(endpoint, store, ("numbers", "one"), ("numbers", "one"))
    with pytest.raises(BackupMissing):
        restore(endpoint, MemoryStore())


@pytest.mark.parametrize("harm", ["flipped", "missing"])
def test_a_damaged_chunk_is_named_and_no_collection_appears(client: Any, endpoint: ClusterEndpoint, harm: str) -> None:
    make_texts(client)
    store = MemoryStore()
    key = chunk_keys(back_up(endpoint, store).manifest)[-1]
    content = bytearray(store.read_bytes(key))
    content[len(content) // 2] ^= 1
    store.write(key, bytes(content)) if harm == "flipped" else store.delete(key)
    with pytest.raises(BackupDamaged) as damaged:
        restore(endpoint, store, ("texts", "again"))
    assert damaged.value.objects == (key,)
    assert "again" not in names(endpoint)


@pytest.mark.parametrize("at_call", [1, 2, 3])
def test_a_restore_killed_anywhere_is_finished_by_a_retry(
    client: Any, endpoint: ClusterEndpoint, tmp_path: Path, at_call: int
) -> None:
    make_texts(client)
    make_numbers(client, rows=10)
    before = rows_of(client, "texts"), rows_of(client, "numbers")
    store = LocalStore(tmp_path)
    back_up(endpoint, store)
    for name in ("texts", "numbers"):
        drop_collection(endpoint, ref(name))
    command = [sys.executable, "-c", KILLED_HALF_WAY, str(tmp_path), endpoint.uri, str(at_call), CLUSTER]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert "texts" not in names(endpoint)
    restore(endpoint, store)
    assert names(endpoint) == ["numbers", "texts"]
    assert (rows_of(client, "texts"), rows_of(client, "numbers")) == before
    assert client.list_aliases("numbers")["aliases"] == []


def test_collections_a_restore_has_not_finished_are_not_backed_up(client: Any, endpoint: ClusterEndpoint) -> None:
    make_numbers(client, "numbers__restoring_job1", rows=10)
    make_numbers(client, "numbers", rows=10)
    manifest = back_up(endpoint, MemoryStore()).manifest
    assert [entry.name for entry in manifest.collections] == ["numbers"]
    assert manifest.exclusions[-1].what == "numbers__restoring_job1"


def test_shards_are_lowered_to_the_limit_with_a_note(client: Any, endpoint: ClusterEndpoint) -> None:
    make_numbers(client, rows=10)
    store = MemoryStore()
    back_up(endpoint, store)
    manifest = read_manifest(store, CLUSTER, "backup-1")
    # Milvus Lite knows no shards, so the manifest of a cluster with eight is made from one with one.
    many = replace(manifest, collections=(replace(manifest.collections[0], shards=8),))
    store.write(layout.manifest_key(CLUSTER, "backup-1"), to_json(many))
    drop_collection(endpoint, ref("numbers"))
    (restored,) = restore(endpoint, store, cu_size=1).collections
    assert restored.notes == (
        "numbers: 8 shards lowered to 2, the limit for 1 CU",
        "numbers: the cluster did not keep the shard count: 2 became 1",
    )


def test_the_load_state_comes_back_unless_refused(client: Any, endpoint: ClusterEndpoint) -> None:
    make_texts(client)
    client.load_collection("texts")
    store = MemoryStore()
    back_up(endpoint, store)
    restore(endpoint, store, ("texts", "loaded"), load=True)
    restore(endpoint, store, ("texts", "released"), load=False)
    states = {info.ref.name: info.is_loaded for info in list_collections(endpoint)}
    assert states == {"texts": True, "loaded": True, "released": False}


def test_keys_the_server_gave_stay_and_a_gap_among_them_is_pointed_out(client: Any, endpoint: ClusterEndpoint) -> None:
    from pymilvus import DataType

    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True, auto_id=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection("numbers", schema=schema)
    keys = client.insert("numbers", [{"vector": [number, 1.0]} for number in range(10)])["ids"]
    client.delete("numbers", ids=[keys[0]])
    store = MemoryStore()
    back_up(endpoint, store)
    drop_collection(endpoint, ref("numbers"))
    (restored,) = restore(endpoint, store).collections
    assert [row["id"] for row in rows_of(client, "numbers")] == sorted(keys)[1:]
    assert "new rows may replace restored ones" in restored.notes[0]
