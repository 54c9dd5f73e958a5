import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time

import pytest

from dataplane import layout
from dataplane.commit import MOST_BY_NAME, commit, read_manifest
from dataplane.copy import CopyPlan, CopyReport, _handfuls, copy_backup
from dataplane.errors import (
    BackupDamaged,
    BackupMissing,
    ObjectsVanished,
    StaleFence,
    Stopped,
    StoreFull,
    StoreUnreachable,
)
from dataplane.manifest import ChunkRef, LineageStep, to_json
from dataplane.progress import Progress
from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.builders import (
    CLUSTER,
    all_keys,
    always_allowed,
    chunk_keys,
    ignore,
    make_chunk,
    make_entry,
    make_manifest,
    never,
    store_backup,
)

CONTENTS = [bytes([number]) * (number + 1) for number in range(12)]
TOTAL_BYTES = sum(map(len, CONTENTS))
PLAN = CopyPlan(CLUSTER, "backup-1", "gcp-us-west1", "gcp-europe-west3", fence=1)
MANIFEST = layout.manifest_key(CLUSTER, "backup-1")


def copy(source: ObjectStore, target: ObjectStore, plan: CopyPlan = PLAN) -> CopyReport:
    return copy_backup(
        plan, source=source, target=target, on_progress=ignore, should_stop=never, may_commit=always_allowed
    )


def source_with_backup() -> MemoryStore:
    source = MemoryStore()
    store_backup(source, CONTENTS)
    return source


def test_a_copy_holds_the_same_objects_and_knows_where_it_came_from() -> None:
    source, target = source_with_backup(), MemoryStore()
    report = copy(source, target)
    assert report == CopyReport(TOTAL_BYTES, TOTAL_BYTES, 0, object_count=14)
    assert all_keys(target) == all_keys(source)
    original, copied = (read_manifest(store, CLUSTER, "backup-1") for store in (source, target))
    assert copied == replace(original, lineage=(LineageStep("gcp-us-west1", "gcp-europe-west3"),))


def test_a_copy_of_a_copy_keeps_the_whole_way() -> None:
    first, second = MemoryStore(), MemoryStore()
    copy(source_with_backup(), first)
    copy(first, second, replace(PLAN, source_region="gcp-europe-west3", target_region="gcp-europe-west4"))
    assert read_manifest(second, CLUSTER, "backup-1").lineage == (
        LineageStep("gcp-us-west1", "gcp-europe-west3"),
        LineageStep("gcp-europe-west3", "gcp-europe-west4"),
    )


def test_a_new_copy_ends_the_deletion_of_a_former_one_that_was_cut_short() -> None:
    source, target = source_with_backup(), MemoryStore()
    target.write(layout.tombstone_key(CLUSTER, "backup-1"), source.read_bytes(MANIFEST))
    copy(source, target)
    assert all_keys(target) == all_keys(source)


def test_copying_again_sends_nothing() -> None:
    source, target = source_with_backup(), MemoryStore()
    copy(source, target)
    before = target.read_bytes(MANIFEST)
    assert copy(source, target) == CopyReport(TOTAL_BYTES, 0, TOTAL_BYTES, object_count=14)
    assert target.read_bytes(MANIFEST) == before


def test_chunks_an_earlier_backup_brought_are_not_sent_again() -> None:
    source, target = source_with_backup(), MemoryStore()
    copy(source, target)
    store_backup(source, [*CONTENTS, b"new rows"], backup_id="backup-2")
    report = copy(source, target, replace(PLAN, backup_id="backup-2"))
    assert (report.sent_bytes, report.skipped_bytes) == (8, TOTAL_BYTES)


@pytest.mark.parametrize("writes", [1, 5, 12, 13, 14])
def test_a_copy_cut_short_shows_no_manifest_and_resumes_with_what_is_missing(writes: int) -> None:
    source, target = source_with_backup(), MemoryStore()
    with pytest.raises(StoreUnreachable):
        copy(source, FaultyStore(target, lambda verb, key, number: verb == "write" and number >= writes))
    assert MANIFEST not in all_keys(target)
    arrived = sum(info.size_bytes for info in target.list(layout.chunks_prefix(CLUSTER)))
    report = copy(source, target)
    assert (report.sent_bytes, report.skipped_bytes) == (TOTAL_BYTES - arrived, arrived)
    assert all_keys(target) == all_keys(source)


def test_the_manifest_is_written_last_and_only_once_everything_before_it_is_durable() -> None:
    target = FaultyStore(MemoryStore(), lambda *_: False)
    copy(source_with_backup(), target)
    written = target.calls.index(("write", MANIFEST))
    assert ("sync", "") in target.calls[written - 4 : written]
    assert [call for call in target.calls[written + 1 :] if call[0] != "sync"] == []
    assert target.calls[-1] == ("sync", "")
    last_sync = max(place for place, call in enumerate(target.calls[:written]) if call == ("sync", ""))
    assert not [call for call in target.calls[last_sync:written] if call[0] == "write"]


def test_a_chunk_of_the_wrong_size_in_the_target_is_sent_again() -> None:
    source, target = source_with_backup(), MemoryStore()
    copy(source, target)
    key = chunk_keys(read_manifest(source, CLUSTER, "backup-1"))[5]
    target.write(key, b"short")
    assert copy(source, target).sent_bytes == len(source.read_bytes(key))
    assert target.read_bytes(key) == source.read_bytes(key)


def test_every_flipped_and_missing_chunk_of_the_source_is_named_and_no_copy_appears() -> None:
    source, target = source_with_backup(), MemoryStore()
    keys = chunk_keys(read_manifest(source, CLUSTER, "backup-1"))
    flipped, missing = keys[3], keys[7]
    content = bytearray(source.read_bytes(flipped))
    content[0] ^= 1
    source.write(flipped, bytes(content))
    source.delete(missing)
    with pytest.raises(BackupDamaged) as damaged:
        copy(source, target)
    assert damaged.value.objects == tuple(sorted([flipped, missing]))
    assert not {flipped, missing, MANIFEST}.intersection(all_keys(target))


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data[1:], lambda data: b""]
)
def test_a_file_that_is_not_what_its_name_says_leaves_nothing_in_another_folder(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    source, target = folder(tmp_path / "west"), folder(tmp_path / "frankfurt")
    manifest = store_backup(source, [bytes([number]) * 1_000_000 for number in range(3)])
    harmed = chunk_keys(manifest)[1]
    source.write(harmed, harm(source.read_bytes(harmed)))
    with pytest.raises(BackupDamaged) as damaged:
        copy(source, target)
    assert damaged.value.objects == (harmed,)
    assert all_keys(target) == sorted({*chunk_keys(manifest)} - {harmed})
    assert list(target.root.rglob(".unfinished-*")) == []


def test_a_copy_between_folders_never_holds_a_whole_object_in_memory(tmp_path: Path) -> None:
    source, target = folder(tmp_path / "west"), folder(tmp_path / "frankfurt")
    store_backup(source, [bytes(48_000_000)])
    tracemalloc.start()
    try:
        copy(source, target)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert all_keys(target) == all_keys(source)


def test_the_work_grows_with_the_number_of_chunks_and_not_with_its_square() -> None:
    def seconds_for(count: int) -> float:
        source = MemoryStore()
        store_backup(source, [number.to_bytes(4) for number in range(count)])
        begin = process_time()
        copy(source, MemoryStore())
        return process_time() - begin

    few = min(seconds_for(250) for _ in range(3))
    assert seconds_for(4000) < 16 * few * 4


def folder(path: Path) -> LocalStore:
    path.mkdir()
    return LocalStore(path)


@pytest.mark.parametrize("broken", ["source", "target"])
def test_a_store_that_fails_is_a_store_error_and_not_damage(broken: str) -> None:
    stores: dict[str, ObjectStore] = {"source": source_with_backup(), "target": MemoryStore()}
    verb = "read" if broken == "source" else "find"
    stores[broken] = FaultyStore(stores[broken], lambda called, key, number: called == verb and "chunks" in key)
    with pytest.raises(StoreUnreachable):
        copy(stores["source"], stores["target"])


@pytest.mark.parametrize(("chunk_count", "asked"), [(MOST_BY_NAME, "find"), (MOST_BY_NAME + 1, "list")])
def test_few_chunks_are_asked_for_by_name_and_many_are_listed(chunk_count: int, asked: str) -> None:
    source, inner = MemoryStore(), MemoryStore()
    contents = [number.to_bytes(2) for number in range(chunk_count)]
    store_backup(source, contents)
    store_backup(inner, [*contents[:5], b"of another backup"], backup_id="backup-0")
    target = FaultyStore(inner)
    report = copy(source, target)
    assert (report.sent_bytes, report.skipped_bytes) == (2 * (chunk_count - 5), 10)
    assert {verb for verb, key in target.calls if "chunks" in key} == {asked, "write"}


def test_a_chunk_of_another_size_is_not_the_one_that_is_needed() -> None:
    source, target = source_with_backup(), MemoryStore()
    copy(source, target)
    target.delete(MANIFEST)
    key = chunk_keys(read_manifest(source, CLUSTER, "backup-1"))[0]
    target.write(key, b"torn")
    assert copy(source, target).sent_bytes == len(source.read_bytes(key))
    assert target.read_bytes(key) == source.read_bytes(key)


class NearbyStore(MemoryStore):
    """Copies from another of its kind by itself, as a provider does between two buckets."""

    def __init__(self) -> None:
        super().__init__()
        self.copied: list[str] = []
        self.refuses = False

    def copier(self, source: ObjectStore) -> Callable[[str], None] | None:
        def copy_inside(key: str) -> None:
            if self.refuses:
                raise StoreUnreachable("not today")
            super(NearbyStore, self).write(key, source.read_bytes(key))
            self.copied.append(key)

        return copy_inside


def test_a_provider_that_can_copy_by_itself_is_left_to_do_it() -> None:
    source, target = source_with_backup(), NearbyStore()
    assert copy(source, target) == CopyReport(TOTAL_BYTES, TOTAL_BYTES, 0, object_count=14)
    assert sorted(target.copied) == sorted(chunk_keys(read_manifest(source, CLUSTER, "backup-1")))
    assert all_keys(target) == all_keys(source)


def test_a_provider_that_refuses_is_asked_once_and_the_bytes_go_through_us() -> None:
    source, target = source_with_backup(), NearbyStore()
    target.refuses = True
    assert copy(source, target).sent_bytes == TOTAL_BYTES
    assert (target.copied, all_keys(target)) == ([], all_keys(source))


@pytest.mark.parametrize("harm", [lambda store, key: store.write(key, b"!"), MemoryStore.delete])
def test_a_provider_is_never_asked_to_copy_what_the_source_does_not_hold(
    harm: Callable[[MemoryStore, str], object],
) -> None:
    source, target = source_with_backup(), NearbyStore()
    victim = chunk_keys(read_manifest(source, CLUSTER, "backup-1"))[3]
    harm(source, victim)
    with pytest.raises(BackupDamaged) as damaged:
        copy(source, target)
    assert damaged.value.objects == (victim,)
    assert victim not in target.copied
    assert victim not in all_keys(target)


def test_a_full_target_says_so() -> None:
    target = FaultyStore(MemoryStore(), lambda verb, key, number: verb == "write", lambda: StoreFull("full"))
    with pytest.raises(StoreFull):
        copy(source_with_backup(), target)


def test_a_backup_that_is_not_there_is_missing() -> None:
    with pytest.raises(BackupMissing, match="backup-1"):
        copy(MemoryStore(), MemoryStore())


def test_a_newer_attempt_with_other_content_is_not_written_over() -> None:
    source, target = source_with_backup(), MemoryStore()
    store_backup(target, [b"other rows"], fence=2)
    before = target.read_bytes(MANIFEST)
    with pytest.raises(StaleFence):
        copy(source, target)
    assert target.read_bytes(MANIFEST) == before


def test_an_older_attempt_with_other_content_is_written_over() -> None:
    source, target = source_with_backup(), MemoryStore()
    store_backup(target, [b"other rows"], fence=1)
    copy(source, target, replace(PLAN, fence=2))
    assert (
        read_manifest(target, CLUSTER, "backup-1").collections == read_manifest(source, CLUSTER, "backup-1").collections
    )


def test_the_same_content_from_a_newer_attempt_is_fine() -> None:
    source, target = source_with_backup(), MemoryStore()
    copy(source, target, replace(PLAN, fence=5))
    assert copy(source, target).sent_bytes == 0


def test_a_newer_attempt_that_commits_meanwhile_wins() -> None:
    source, target = source_with_backup(), MemoryStore()
    newer = to_json(make_manifest(make_entry([make_chunk(b"newer")]), fence=2))

    def overtake(verb: str, key: str, number: int) -> bool:
        if verb == "write" and key.endswith("README.txt"):
            target.write(MANIFEST, newer)
        return False

    with pytest.raises(StaleFence):
        copy(source, FaultyStore(target, overtake))
    assert target.read_bytes(MANIFEST) == newer


def test_a_lost_lease_stops_the_commit() -> None:
    class LeaseLost(Exception):
        pass

    def refuse() -> None:
        raise LeaseLost

    target = MemoryStore()
    with pytest.raises(LeaseLost):
        copy_backup(
            PLAN, source=source_with_backup(), target=target, on_progress=ignore, should_stop=never, may_commit=refuse
        )
    assert MANIFEST not in all_keys(target)


def test_chunks_deleted_under_a_running_copy_keep_it_from_being_committed() -> None:
    source, target = source_with_backup(), MemoryStore()
    copy(source, target)
    target.delete(MANIFEST)
    victim = chunk_keys(read_manifest(source, CLUSTER, "backup-1"))[0]

    def delete_one(verb: str, key: str, number: int) -> bool:
        if verb == "sync":
            target.delete(victim)
        return False

    with pytest.raises(ObjectsVanished, match="lost 1 objects") as vanished:
        copy(source, FaultyStore(target, delete_one))
    assert vanished.value.retryable
    assert MANIFEST not in all_keys(target)


def test_a_copy_stops_when_asked_within_a_few_chunks() -> None:
    source, target = source_with_backup(), MemoryStore()
    asked = 0

    def stop_after_three() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(Stopped):
        copy_backup(
            PLAN,
            source=source,
            target=target,
            on_progress=ignore,
            should_stop=stop_after_three,
            may_commit=always_allowed,
        )
    assert len(all_keys(target)) <= 3


def test_progress_grows_with_every_chunk_up_to_the_total() -> None:
    seen: list[Progress] = []
    copy_backup(
        PLAN,
        source=source_with_backup(),
        target=MemoryStore(),
        on_progress=seen.append,
        should_stop=never,
        may_commit=always_allowed,
    )
    done = [progress.bytes_done for progress in seen]
    assert done == sorted(set(done))
    assert (done[0], seen[-1]) == (0, Progress(TOTAL_BYTES, TOTAL_BYTES))
    assert len(done) == len(CONTENTS) + 1


def test_nothing_can_be_committed_without_its_chunks() -> None:
    store = MemoryStore()
    with pytest.raises(ObjectsVanished):
        commit(store, make_manifest(make_entry([make_chunk(b"never written")])), may_commit=always_allowed)
    assert all_keys(store) == []


@pytest.mark.parametrize(
    ("size_bytes", "count", "longest"),
    [(100, 1000, 62), (300_000, 1000, 4), (9_000_000, 40, 1), (100, 15, 1)],
)
def test_small_chunks_are_taken_together_but_never_so_many_that_a_thread_has_nothing_to_do(
    size_bytes: int, count: int, longest: int
) -> None:
    chunks = [ChunkRef(f"{number:064x}", size_bytes, 1, "", number, number) for number in range(count)]
    handfuls = list(_handfuls(chunks, threads=2))
    assert [chunk for handful in handfuls for chunk in handful] == chunks
    assert max(map(len, handfuls)) == longest
