"""Damage that lies in a store: found by every full check, undone by repair, never spread and never made worse."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dataplane import layout
from dataplane.collect import collect_chunks
from dataplane.commit import read_manifest
from dataplane.delete import delete_backup
from dataplane.errors import BackupDamaged, BackupMissing, DataPlaneError, ManifestInvalid
from dataplane.repair import RepairReport, repair_backup
from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from dataplane.verify import CheckDepth, VerifyReport, verify_backup
from tests.unit.dataplane.builders import CLUSTER, all_keys, always_allowed, ignore, never
from tests.unit.dataplane.damage_catalogue import CHUNKS, MANIFEST, Damage, damages
from tests.unit.dataplane.damage_world import (
    BACKUPS,
    FAR,
    NEAR,
    chunk_keys_of,
    copy,
    filled,
    is_restorable,
    plan,
    snapshot,
    world,
)

KINDS = sorted({damage.kind for damage in damages()})
on_a_disk = pytest.mark.parametrize("damage", damages()[::12], ids=lambda damage: f"{damage.kind}: {damage.name}")


def for_every_damage(check: Callable[[Damage], None]) -> Callable[[str], None]:
    """One test per kind of damage instead of one per damage, which would take far longer than the work itself."""

    def test(kind: str) -> None:
        for damage in damages():
            if damage.kind == kind:
                try:
                    check(damage)
                except BaseException as failure:
                    failure.add_note(f"The damage was {damage.kind}: {damage.name}")
                    raise

    test.__doc__ = check.__doc__
    return pytest.mark.parametrize("kind", KINDS)(test)


def damaged(damage: Damage, store: ObjectStore | None = None) -> ObjectStore:
    """The near region with this damage."""
    near = filled(world().near, store)
    damage.inflict(near)
    return near


def verify(store: ObjectStore, backup_id: str = "one", depth: CheckDepth = CheckDepth.FULL) -> VerifyReport:
    return verify_backup(
        cluster_id=CLUSTER, backup_id=backup_id, store=store, on_progress=ignore, should_stop=never, depth=depth
    )


def repair(target: ObjectStore, *sources: ObjectStore, backup_id: str = "one") -> RepairReport:
    return repair_backup(
        cluster_id=CLUSTER,
        backup_id=backup_id,
        target=target,
        target_region=NEAR,
        sources=sources,
        on_progress=ignore,
        should_stop=never,
        may_commit=always_allowed,
    )


def check_found(damage: Damage, store: ObjectStore) -> None:
    """A full check names what is harmed and nothing else, and calls sound exactly what a restore gets back in full."""
    report = verify(store)
    assert tuple(sorted(report.damaged + report.missing)) == tuple(sorted(damage.harmed))
    assert report.is_sound == is_restorable(store, "one")
    assert verify(store, "two").is_sound == is_restorable(store, "two")


def check_repaired(damage: Damage, store: ObjectStore) -> None:
    """Repair ends with exactly what lay there before, and touches nothing when nothing is harmed."""
    before = snapshot(store)
    report = repair(store, filled(world().origin))
    assert report.is_sound
    assert set(damage.harmed) <= {mended.key for mended in report.repaired}
    assert is_restorable(store, "one")
    after, good = snapshot(store), world().near
    assert {key: after[key] for key in (*CHUNKS, MANIFEST)} == {key: good[key] for key in (*CHUNKS, MANIFEST)}
    if not damage.harmed:
        assert report.repaired == ()
    untouched = before.keys() - {*CHUNKS, MANIFEST, layout.readme_key(CLUSTER, "one")}
    assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}


@for_every_damage
def test_it_is_found_and_nothing_else_is(damage: Damage) -> None:
    check_found(damage, damaged(damage))


@on_a_disk
def test_it_is_found_on_a_disk(damage: Damage, tmp_path: Path) -> None:
    check_found(damage, damaged(damage, LocalStore(tmp_path)))


@for_every_damage
def test_a_quick_check_never_cries_wolf_and_sees_what_a_listing_shows(damage: Damage) -> None:
    store = damaged(damage)
    report = verify(store, depth=CheckDepth.QUICK)
    assert report.is_sound == (not damage.harmed)  # a store in memory lists digests
    assert report.checked_bytes == 0


@for_every_damage
def test_it_is_repaired_from_another_region(damage: Damage) -> None:
    check_repaired(damage, damaged(damage))


@on_a_disk
def test_it_is_repaired_on_a_disk(damage: Damage, tmp_path: Path) -> None:
    check_repaired(damage, damaged(damage, LocalStore(tmp_path)))


@for_every_damage
def test_it_is_repaired_even_when_the_first_source_has_the_same_damage_and_the_second_is_down(damage: Damage) -> None:
    store = damaged(damage)
    down = FaultyStore(filled(world().far), lambda *_: True)
    assert repair(store, damaged(damage), down, filled(world().far)).is_sound
    assert is_restorable(store, "one")


@for_every_damage
def test_without_a_good_source_it_is_named_and_nothing_gets_worse(damage: Damage) -> None:
    store = damaged(damage)
    before = snapshot(store)
    report = repair(store, damaged(damage), FaultyStore(MemoryStore(), lambda *_: True))
    assert report.unrepaired == tuple(sorted(damage.harmed))
    after = snapshot(store)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed <= {layout.readme_key(CLUSTER, "one")}


@for_every_damage
def test_it_does_not_spread_to_another_region(damage: Damage) -> None:
    """A copy taken from the damaged region is either refused and leaves no manifest, or restores in full."""
    target = MemoryStore()
    if damage.harmed:
        with pytest.raises((BackupDamaged, BackupMissing, ManifestInvalid)):
            copy(damaged(damage), target, plan(FAR))
        assert MANIFEST not in all_keys(target)
    else:
        copy(damaged(damage), target, plan(FAR))
        assert is_restorable(target, "one")


@for_every_damage
def test_collecting_beside_it_removes_no_chunk_that_a_backup_needs(damage: Damage) -> None:
    store = damaged(damage)
    before = snapshot(store)

    def collect() -> None:
        collect_chunks(
            cluster_id=CLUSTER,
            store=store,
            grace=timedelta(0),
            now=datetime.now(UTC) + timedelta(days=1),
            should_stop=never,
            known_backups=BACKUPS,
        )

    if MANIFEST in damage.harmed:
        with pytest.raises(ManifestInvalid, match=re.escape(MANIFEST)):
            collect()
        assert snapshot(store) == before
    else:
        collect()
        needed = {*chunk_keys_of("one"), *chunk_keys_of("two")} & before.keys()
        assert needed <= set(all_keys(store))


@for_every_damage
def test_deleting_another_backup_beside_it_takes_nothing_of_this_one(damage: Damage) -> None:
    store = damaged(damage)
    before = snapshot(store)
    try:
        delete_backup(cluster_id=CLUSTER, backup_id="two", store=store, known_backups=BACKUPS)
    except DataPlaneError:
        assert MANIFEST in damage.harmed
        assert snapshot(store) == before
    else:
        after = snapshot(store)
        own = {*CHUNKS, MANIFEST} & before.keys()
        assert {key: after[key] for key in own} == {key: before[key] for key in own}


@for_every_damage
def test_the_damaged_backup_itself_can_be_deleted_and_the_other_restores_as_before(damage: Damage) -> None:
    store = damaged(damage)
    two_before = is_restorable(store, "two")
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=store, known_backups=BACKUPS)
    assert MANIFEST not in all_keys(store)
    assert is_restorable(store, "two") == two_before


def test_one_flipped_bit_in_any_byte_of_a_manifest_is_found() -> None:
    good = world().near[MANIFEST]
    store = MemoryStore()
    unnoticed = []
    for place in range(len(good)):
        data = bytearray(good)
        data[place] ^= 1 << place % 8
        store.write(MANIFEST, bytes(data))
        try:
            read_manifest(store, CLUSTER, "one")
        except ManifestInvalid:
            continue
        unnoticed.append(place)
    assert unnoticed == []
