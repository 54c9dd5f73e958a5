from collections.abc import Callable
from dataclasses import replace

import pytest

from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.copy import CopyPlan, copy_backup
from dataplane.errors import BackupMissing, Stopped, StoreFull, StoreUnreachable
from dataplane.manifest import LineageStep, Manifest
from dataplane.progress import Progress
from dataplane.repair import RepairedObject, RepairReport, lineage_in, repair_backup
from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import FaultyStore, flip_bit, truncate
from dataplane.stores.memory import MemoryStore
from dataplane.verify import AffectedRows, verify_backup
from tests.unit.dataplane.builders import (
    CLUSTER,
    all_keys,
    always_allowed,
    chunk_keys,
    ignore,
    make_manifest,
    never,
    store_backup,
)

CONTENTS = [bytes([number]) * 100 for number in range(10)]
MANIFEST = layout.manifest_key(CLUSTER, "backup-1")
README = layout.readme_key(CLUSTER, "backup-1")
ORIGIN, NEAR, FAR = "gcp-us-west1", "gcp-europe-west3", "gcp-europe-west4"


def origin(*, fence: int = 1) -> MemoryStore:
    store = MemoryStore(name=ORIGIN)
    store_backup(store, CONTENTS, fence=fence)
    return store


def copy_of(source: ObjectStore, source_region: str, target_region: str, *, fence: int = 1) -> MemoryStore:
    target = MemoryStore(name=target_region)
    copy_backup(
        CopyPlan(CLUSTER, "backup-1", source_region, target_region, fence),
        source=source,
        target=target,
        on_progress=ignore,
        should_stop=never,
        may_commit=always_allowed,
    )
    return target


def repair(
    target: ObjectStore,
    *sources: ObjectStore,
    region: str = NEAR,
    on_progress: Callable[[Progress], None] = ignore,
    may_commit: Callable[[], None] = always_allowed,
) -> RepairReport:
    return repair_backup(
        cluster_id=CLUSTER,
        backup_id="backup-1",
        target=target,
        target_region=region,
        sources=sources,
        on_progress=on_progress,
        should_stop=never,
        may_commit=may_commit,
    )


def keys_of(store: ObjectStore) -> list[str]:
    return chunk_keys(read_manifest(store, CLUSTER, "backup-1"))


def is_sound(store: ObjectStore) -> bool:
    return verify_backup(
        cluster_id=CLUSTER, backup_id="backup-1", store=store, on_progress=ignore, should_stop=never
    ).is_sound


def test_a_sound_backup_is_left_as_it_is() -> None:
    source = origin()
    target = FaultyStore(copy_of(source, ORIGIN, NEAR))
    assert repair(target, source) == RepairReport(
        11, repaired=(), unrepaired=(), sent_bytes=0, sent_by_source={}, added_bytes=0, affected=()
    )
    assert not [call for call in target.calls if call[0] in ("write", "delete")]


def test_only_harmed_chunks_are_fetched_and_each_from_the_first_source_that_holds_it_intact() -> None:
    source = origin()
    target, other = copy_of(source, ORIGIN, NEAR), copy_of(source, ORIGIN, FAR)
    flipped, gone = keys_of(target)[2:4]
    flip_bit(target, flipped, 5)
    target.delete(gone)
    truncate(other, flipped, 50)
    watched = FaultyStore(source)
    report = repair(target, other, watched)
    assert report.is_sound
    assert {mended.key: mended.source for mended in report.repaired} == {flipped: watched.name, gone: FAR}
    assert (report.sent_bytes, watched.calls) == (200, [("read", flipped)])
    assert is_sound(target)


def test_what_no_source_can_give_is_named_with_the_rows_it_costs_and_the_rest_is_repaired() -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    lost, mended = keys_of(target)[2:4]
    target.delete(lost)
    target.delete(mended)
    flip_bit(source, lost, -1)
    report = repair(target, source)
    assert report.unrepaired == (lost,)
    assert report.repaired == (RepairedObject(mended, ORIGIN),)
    assert report.affected == (AffectedRows("default", "docs", 1, 10),)
    assert lost not in all_keys(target)


def test_a_source_that_is_down_is_asked_last_from_then_on() -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    for key in keys_of(target):
        target.delete(key)
    down = FaultyStore(copy_of(source, ORIGIN, FAR), lambda *_: True)
    assert repair(target, down, source).is_sound
    # Those that were under way at once may each have met it; nobody after them.
    assert 1 <= len(down.calls) <= 8


def test_a_target_that_fails_is_an_error_and_not_damage() -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    target.delete(keys_of(target)[0])
    with pytest.raises(StoreUnreachable):
        repair(FaultyStore(target, lambda verb, key, number: verb == "read"), source)
    with pytest.raises(StoreFull):
        repair(FaultyStore(target, lambda verb, key, number: verb == "write", lambda: StoreFull("full")), source)


def test_a_target_that_gives_back_other_bytes_than_it_was_sent_is_not_called_sound() -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    key = keys_of(target)[0]
    target.delete(key)
    broken = FaultyStore(target, writes=lambda called, data: data[::-1] + b"?" if called == key else data)
    assert repair(broken, source).unrepaired == (key,)


@pytest.mark.parametrize("harm", ["missing", "flipped"])
def test_a_harmed_manifest_is_written_again_exactly_as_it_was(harm: str) -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    before = target.read_bytes(MANIFEST)
    if harm == "missing":
        target.delete(MANIFEST)
    else:
        flip_bit(target, MANIFEST, 2000)
    assert repair(target, source).repaired == (RepairedObject(MANIFEST, ORIGIN),)
    assert target.read_bytes(MANIFEST) == before


def test_the_manifest_of_the_original_is_repaired_from_a_copy_and_has_no_lineage() -> None:
    source = origin()
    before = source.read_bytes(MANIFEST)
    target = copy_of(source, ORIGIN, NEAR)
    source.delete(MANIFEST)
    assert repair(source, target, region=ORIGIN).is_sound
    assert source.read_bytes(MANIFEST) == before


def test_a_manifest_comes_back_only_once_every_chunk_is_sound() -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    key = keys_of(target)[0]
    target.delete(MANIFEST)
    target.delete(key)
    flip_bit(source, key, 0)
    assert repair(target, source).unrepaired == tuple(sorted([key, MANIFEST]))
    assert MANIFEST not in all_keys(target)


def test_a_manifest_is_not_written_by_somebody_who_lost_the_lease() -> None:
    class LeaseLost(Exception):
        pass

    def refuse() -> None:
        raise LeaseLost

    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    target.delete(MANIFEST)
    with pytest.raises(LeaseLost):
        repair(target, source, may_commit=refuse)
    assert MANIFEST not in all_keys(target)


def test_a_deletion_that_was_cut_short_is_not_undone() -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    target.write(layout.tombstone_key(CLUSTER, "backup-1"), target.read_bytes(MANIFEST))
    target.delete(MANIFEST)
    with pytest.raises(BackupMissing, match="being deleted"):
        repair(target, source)
    assert MANIFEST not in all_keys(target)


@pytest.mark.parametrize("harm", [lambda store: store.delete(README), lambda store: flip_bit(store, README, 9)])
def test_the_readme_is_written_again_without_being_called_damage(harm: Callable[[ObjectStore], None]) -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    before = target.read_bytes(README)
    harm(target)
    assert repair(target, source).repaired == ()
    assert target.read_bytes(README) == before


def test_progress_counts_what_is_checked_and_then_what_is_mended() -> None:
    source = origin()
    target = copy_of(source, ORIGIN, NEAR)
    for key in keys_of(target)[:3]:
        target.delete(key)
    seen: list[Progress] = []
    repair(target, source, on_progress=seen.append)
    assert [progress.bytes_done for progress in seen] == list(range(100, 1400, 100))
    assert (seen[9], seen[-1]) == (Progress(1000, 1000), Progress(1300, 1300))


def test_a_repair_stops_when_asked() -> None:
    source = origin()
    with pytest.raises(Stopped):
        repair_backup(
            cluster_id=CLUSTER,
            backup_id="backup-1",
            target=copy_of(source, ORIGIN, NEAR),
            target_region=NEAR,
            sources=[source],
            on_progress=ignore,
            should_stop=lambda: True,
            may_commit=always_allowed,
        )


def _via(*regions: str) -> Manifest:
    steps = tuple(LineageStep(source, target) for source, target in zip(regions, regions[1:], strict=False))
    return replace(make_manifest(), region=regions[0], lineage=steps)


@pytest.mark.parametrize(
    ("region", "giver", "expected"),
    [
        (ORIGIN, _via(ORIGIN, NEAR), (ORIGIN,)),
        (NEAR, _via(ORIGIN), (ORIGIN, NEAR)),
        (NEAR, _via(ORIGIN, NEAR, FAR), (ORIGIN, NEAR)),
        (FAR, _via(ORIGIN, NEAR), (ORIGIN, NEAR, FAR)),
    ],
)
def test_lineage_tells_how_the_rows_came_to_the_repaired_region(
    region: str, giver: Manifest, expected: tuple[str, ...]
) -> None:
    assert lineage_in(region, giver) == _via(*expected).lineage
