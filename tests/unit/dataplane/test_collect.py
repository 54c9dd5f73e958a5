import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dataplane import layout
from dataplane.collect import CollectReport, collect_chunks
from dataplane.commit import read_manifest
from dataplane.errors import ManifestInvalid, Stopped, StoreUnreachable
from dataplane.stores.base import ObjectInfo, ObjectStore
from dataplane.stores.faulty import FaultyStore, flip_bit
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.builders import CLUSTER, all_keys, chunk_keys, make_chunk, never, store_backup

GRACE = timedelta(days=2)
LATER = datetime.now(UTC) + timedelta(days=3)
LEFTOVERS = [layout.chunk_key(CLUSTER, f"{number:064x}") for number in range(5)]
MANIFEST_TWO = layout.manifest_key(CLUSTER, "two")


def collect(
    store: ObjectStore,
    *,
    now: datetime = LATER,
    should_stop: Callable[[], bool] = never,
    known_backups: tuple[str, ...] = (),
) -> CollectReport:
    return collect_chunks(
        cluster_id=CLUSTER, store=store, grace=GRACE, now=now, should_stop=should_stop, known_backups=known_backups
    )


def littered(store: ObjectStore) -> None:
    """Two backups that share a chunk, and five chunks of ten bytes that nobody needs."""
    store_backup(store, [b"shared", b"only one"], backup_id="one")
    store_backup(store, [b"shared", b"only two"], backup_id="two")
    for key in LEFTOVERS:
        store.write(key, b"0123456789")


@pytest.fixture
def store() -> MemoryStore:
    memory = MemoryStore()
    littered(memory)
    return memory


def test_what_no_manifest_needs_is_removed_and_everything_else_stays(store: MemoryStore) -> None:
    before = all_keys(store)
    assert collect(store) == CollectReport(5, 50, held_bytes=22, waiting_count=0, waiting_bytes=0)
    assert all_keys(store) == [key for key in before if key not in LEFTOVERS]
    assert collect(store).removed_count == 0


def test_the_chunks_of_the_last_backup_that_lost_its_manifest_on_purpose_go_too(store: MemoryStore) -> None:
    for backup_id in ("one", "two"):
        store.delete(layout.manifest_key(CLUSTER, backup_id))
    collect(store)
    assert list(store.list(layout.chunks_prefix(CLUSTER))) == []


def test_what_is_younger_than_the_grace_period_waits(store: MemoryStore) -> None:
    before = all_keys(store)
    assert collect(store, now=datetime.now(UTC)) == CollectReport(0, 0, 72, waiting_count=5, waiting_bytes=50)
    assert all_keys(store) == before


def test_a_clock_that_runs_behind_the_store_removes_nothing(store: MemoryStore) -> None:
    assert collect(store, now=datetime.now(UTC) - timedelta(days=300)).removed_count == 0


def test_a_folder_tells_the_age_of_each_chunk(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    littered(store)
    long_ago = (LATER - timedelta(days=30)).timestamp()
    for key in LEFTOVERS[:2]:
        os.utime(tmp_path / key, (long_ago, long_ago))
    assert collect(store, now=datetime.now(UTC)) == CollectReport(2, 20, 52, waiting_count=3, waiting_bytes=30)
    assert set(LEFTOVERS) & set(all_keys(store)) == set(LEFTOVERS[2:])


def test_a_chunk_whose_age_the_store_does_not_tell_is_never_removed(store: MemoryStore) -> None:
    class AgelessStore(FaultyStore):
        def list(self, prefix: str) -> Iterator[ObjectInfo]:
            return iter([ObjectInfo(info.key, info.size_bytes) for info in super().list(prefix)])

    assert collect(AgelessStore(store)) == CollectReport(0, 0, 72, waiting_count=5, waiting_bytes=50)


def test_what_is_no_chunk_by_its_name_stays_and_so_do_other_clusters(store: MemoryStore) -> None:
    strays = [
        f"{layout.chunks_prefix(CLUSTER)}notes.txt",
        f"{layout.chunks_prefix(CLUSTER)}ab/{'cd' * 32}.parquet",
        layout.chunk_key("in02-other", "ab" * 32),
    ]
    for key in strays:
        store.write(key, b"x")
    collect(store)
    assert set(strays) <= set(all_keys(store))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_listing_that_fails_removes_nothing(store: MemoryStore, number: int) -> None:
    before = all_keys(store)
    with pytest.raises(StoreUnreachable):
        collect(FaultyStore(store, lambda verb, key, called: verb == "list" and called == number))
    assert all_keys(store) == before


def test_a_manifest_that_cannot_be_read_removes_nothing(store: MemoryStore) -> None:
    before = all_keys(store)
    with pytest.raises(StoreUnreachable):
        collect(FaultyStore(store, lambda verb, key, called: key == MANIFEST_TWO))
    assert all_keys(store) == before


def test_a_damaged_manifest_keeps_everything_and_is_named(store: MemoryStore) -> None:
    flip_bit(store, MANIFEST_TWO, 1000)
    before = all_keys(store)
    with pytest.raises(ManifestInvalid, match=re.escape(MANIFEST_TWO)):
        collect(store)
    assert all_keys(store) == before


def test_a_known_backup_whose_manifest_is_lost_keeps_everything_and_is_named(store: MemoryStore) -> None:
    store.delete(MANIFEST_TWO)
    before = all_keys(store)
    with pytest.raises(ManifestInvalid, match=re.escape(MANIFEST_TWO)):
        collect(store, known_backups=("one", "two"))
    assert all_keys(store) == before


def test_a_chunk_that_a_backup_committed_meanwhile_needs_stays(store: MemoryStore) -> None:
    """It lay there unneeded when the chunks were listed; the look right before removing finds the new manifest."""
    store.write(layout.chunk_key(CLUSTER, make_chunk(b"found here").sha256), b"found here")

    def commit_third(verb: str, key: str, number: int) -> bool:
        if (verb, number) == ("list", 3):
            store_backup(store, [b"found here"], backup_id="three")
        return False

    assert collect(FaultyStore(store, commit_third)).removed_count == 5
    assert set(chunk_keys(read_manifest(store, CLUSTER, "three"))) <= set(all_keys(store))


def test_a_manifest_written_anew_under_its_name_is_read_anew(store: MemoryStore) -> None:
    store.write(layout.chunk_key(CLUSTER, make_chunk(b"found here").sha256), b"found here")

    def retake_two(verb: str, key: str, number: int) -> bool:
        if (verb, number) == ("list", 3):
            store_backup(store, [b"found here"], backup_id="two", fence=2)
        return False

    collect(FaultyStore(store, retake_two))
    assert set(chunk_keys(read_manifest(store, CLUSTER, "two"))) <= set(all_keys(store))


def test_collecting_stops_when_asked_and_the_next_call_ends_it(store: MemoryStore) -> None:
    asked = 0

    def stop_after_two() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    with pytest.raises(Stopped):
        collect(store, should_stop=stop_after_two)
    assert len(set(LEFTOVERS) & set(all_keys(store))) == 3
    assert collect(store).removed_count == 3
