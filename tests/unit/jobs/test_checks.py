"""Checks and repairs carried out over real folders: what they find, mend and write down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accounts.privileges import ProjectRole
from backups.models import Backup, Copy
from backups.services import record_damage
from backups.states import CopyState
from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.repair import repair_backup
from dataplane.verify import verify_backup
from jobs.check_services import request_repair, request_verification
from jobs.models import Job
from jobs.services import request_deletion, retry_copy
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_backup, make_copy, make_user
from tests.builders import region as region_of
from tests.unit.dataplane.builders import CLUSTER, all_keys, store_backup
from tests.unit.jobs.world import (
    CONTENTS,
    folder,
    make_due,
    make_stored_backup,
    make_stored_backup_beside,
    run_next,
)

pytestmark = pytest.mark.django_db

SIZE = sum(map(len, CONTENTS))


def chunk_keys(root: Path, backup: Backup, region: str = OREGON) -> list[str]:
    manifest = read_manifest(folder(root, region), CLUSTER, backup.code)
    return [layout.chunk_key(CLUSTER, chunk.sha256) for chunk in manifest.chunks]


def spoil(root: Path, region: str, key: str) -> None:
    """Other bytes of the same size: a look at sizes alone would not see it."""
    store = folder(root, region)
    store.write(key, bytes(len(store.read_bytes(key))))


def original_of(backup: Backup) -> Copy:
    return backup.copies.get(is_original=True)


def check(copy: Copy, depth: Any = "full") -> Job:
    request_verification(user=None, copy=copy, depth=depth)
    return run_next()


def repair(copy: Copy) -> Job:
    request_repair(user=None, copy=copy)
    return run_next()


def state_of(copy: Copy) -> str:
    return Copy.objects.get(pk=copy.pk).state


@pytest.fixture
def copied(stores_root) -> Backup:
    """A backup in Oregon with a proven copy in Virginia."""
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    assert run_next().state == JobState.SUCCESSFUL
    return backup


# Checks


def test_a_full_check_of_a_sound_copy_renews_the_proof_and_says_what_was_read(copied):
    copy = copied.copies.get(region=VIRGINIA)
    job = check(copy)
    assert (job.state, job.bytes_done, job.copy.state) == (JobState.SUCCESSFUL, SIZE, CopyState.AVAILABLE)
    assert job.copy.verified_at > copy.verified_at
    assert job.notes == ["6 objects, 2.00 kB, read back and found sound."]
    assert job.events.latest("pk").note == job.notes[0]


def test_a_check_that_finds_damage_is_never_green_and_names_the_objects(copied, stores_root):
    copy = copied.copies.get(region=VIRGINIA)
    first, second, *_ = chunk_keys(stores_root, copied)
    spoil(stores_root, VIRGINIA, first)
    folder(stores_root, VIRGINIA).delete(second)
    job = check(copy)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.reason.startswith("Damage found: 2 of 6 objects in Virginia")
    assert "This concerns 2 of 5 rows of docs." in job.reason
    assert "Repair this copy" in job.reason
    named, other = sorted([first, second])
    assert named in job.reason
    assert job.notes == [f"Damaged or missing too: {other}"]
    assert (job.copy.state, job.copy.verified_at) == (CopyState.DAMAGED, copy.verified_at)
    assert f"2 damaged or missing objects: {min(first, second)} and 1 more" in job.copy.reason
    assert job.copy.damaged_at is not None
    assert state_of(original_of(copied)) == CopyState.AVAILABLE


def test_damage_with_no_other_region_to_repair_it_from_says_so(stores_root):
    backup = make_stored_backup(stores_root)
    spoil(stores_root, OREGON, chunk_keys(stores_root, backup)[0])
    assert "No other region holds anything to repair it from: create a new backup." in check(original_of(backup)).reason


def test_a_lost_manifest_is_damage_of_that_copy_alone(copied, stores_root):
    beside = make_stored_backup_beside(copied, stores_root)
    folder(stores_root, OREGON).delete(layout.manifest_key(CLUSTER, copied.code))
    job = check(original_of(copied))
    assert (job.state, job.copy.state) == (JobState.FAILED, CopyState.DAMAGED)
    assert state_of(original_of(beside)) == CopyState.AVAILABLE


def test_a_quick_check_finds_what_is_missing_but_proves_nothing(copied, stores_root):
    copy = copied.copies.get(region=VIRGINIA)
    key = chunk_keys(stores_root, copied)[0]
    spoil(stores_root, VIRGINIA, key)
    job = check(copy, "quick")
    assert (job.state, job.bytes_done, state_of(copy)) == (JobState.SUCCESSFUL, 0, CopyState.AVAILABLE)
    assert "none was read back" in job.notes[0]
    assert job.copy.verified_at == copy.verified_at
    folder(stores_root, VIRGINIA).delete(key)
    assert check(copy, "quick").state == JobState.FAILED
    assert state_of(copy) == CopyState.DAMAGED


def test_a_damaged_copy_is_available_again_only_after_a_full_check(copied):
    copy = copied.copies.get(region=VIRGINIA)
    record_damage(copy, reason="A restore found it damaged.")
    job = check(copy, "quick")
    assert (job.state, state_of(copy)) == (JobState.SUCCESSFUL, CopyState.DAMAGED)
    assert "stays damaged until a full check" in job.notes[0]
    assert check(copy).state == JobState.SUCCESSFUL
    copy.refresh_from_db()
    assert (copy.state, copy.reason, copy.damaged_at) == (CopyState.AVAILABLE, "", None)


@pytest.mark.parametrize("was_damaged", [False, True])
def test_damage_that_somebody_meets_during_a_check_is_not_overruled_by_it(copied, monkeypatch, was_damaged):
    copy = copied.copies.get(region=VIRGINIA)
    if was_damaged:
        record_damage(copy, reason="A restore found it damaged.")

    def verify_while_another_meets_damage(**arguments: Any) -> Any:
        report = verify_backup(**arguments)
        record_damage(Copy.objects.get(pk=copy.pk), reason="A restore found it damaged just now.")
        return report

    monkeypatch.setattr("jobs.checks.verify_backup", verify_while_another_meets_damage)
    job = check(copy)
    assert (job.state, state_of(copy)) == (JobState.PENDING, CopyState.DAMAGED)
    assert "met damage in this copy while it was checked" in job.reason
    monkeypatch.undo()
    make_due()
    assert run_next().state == JobState.SUCCESSFUL
    assert state_of(copy) == CopyState.AVAILABLE


def test_one_wrong_reading_is_no_damage_but_is_told(copied, stores_root, monkeypatch):
    copy, key = copied.copies.get(region=VIRGINIA), chunk_keys(stores_root, copied)[0]

    def verify_then_mend(**arguments: Any) -> Any:
        data = folder(stores_root, OREGON).read_bytes(key)
        spoil(stores_root, VIRGINIA, key)
        report = verify_backup(**arguments)
        folder(stores_root, VIRGINIA).write(key, data)
        return report

    monkeypatch.setattr("jobs.checks.verify_backup", verify_then_mend)
    job = check(copy)
    assert (job.state, state_of(copy)) == (JobState.SUCCESSFUL, CopyState.AVAILABLE)
    assert f"Only the second reading was right of {key}" in job.notes[0]


def test_a_store_that_is_not_there_proves_nothing_against_the_copy(copied, stores_root):
    copy = copied.copies.get(region=VIRGINIA)
    (stores_root / VIRGINIA).rename(stores_root / "unmounted")
    job = check(copy)
    assert (job.state, state_of(copy)) == (JobState.PENDING, CopyState.AVAILABLE)
    assert "is not there" in job.reason


def test_every_copy_that_shares_a_damaged_object_is_marked_and_no_other(stores_root, copied):
    sharing = make_stored_backup_beside(copied, stores_root)
    apart = make_backup(copied.cluster)
    store_backup(folder(stores_root, OREGON), CONTENTS[3:], backup_id=apart.code)
    elsewhere = copied.copies.get(region=VIRGINIA)
    key = chunk_keys(stores_root, copied)[0]
    spoil(stores_root, OREGON, key)
    assert check(original_of(copied)).state == JobState.FAILED
    marked = original_of(sharing)
    assert (marked.state, state_of(original_of(apart)), state_of(elsewhere)) == (
        CopyState.DAMAGED,
        CopyState.AVAILABLE,
        CopyState.AVAILABLE,
    )
    assert marked.reason.startswith(f"Found with {copied}, with which this copy shares bytes in Oregon")
    assert key in marked.reason


def test_one_object_is_spoken_of_as_one(copied, stores_root):
    copy = copied.copies.get(region=VIRGINIA)
    spoil(stores_root, VIRGINIA, chunk_keys(stores_root, copied)[0])
    job = check(copy)
    assert "1 of 6 objects in Virginia, USA (gcp-us-east4) is damaged" in job.reason
    assert "A check found 1 damaged or missing object:" in job.copy.reason
    assert repair(copy).notes[0].startswith("1 object replaced (1 from")


def test_a_job_that_meets_damage_in_its_source_marks_who_shares_it(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    sharing = make_stored_backup_beside(backup, stores_root)
    spoil(stores_root, OREGON, chunk_keys(stores_root, backup)[0])
    assert run_next().state == JobState.PENDING
    assert {state_of(original_of(backup)), state_of(original_of(sharing))} == {CopyState.DAMAGED}


def test_damage_found_on_arrival_marks_who_shares_what_lay_there(stores_root, copied):
    """The chunk's right size made the copy skip it, so it was damaged for the others already."""
    again = make_copy(make_stored_backup_beside(copied, stores_root), VIRGINIA, state=CopyState.FAILED)
    spoil(stores_root, VIRGINIA, chunk_keys(stores_root, copied)[0])
    retry_copy(user=make_user_of(copied), copy=again)
    assert run_next().state == JobState.PENDING
    assert state_of(copied.copies.get(region=VIRGINIA)) == CopyState.DAMAGED


def make_user_of(backup: Backup) -> Any:
    return make_user(project=backup.project, role=ProjectRole.ADMIN)


# Repairs


@pytest.mark.parametrize(("region", "giver"), [(VIRGINIA, OREGON), (OREGON, VIRGINIA)])
def test_a_damaged_copy_is_mended_from_another_region_the_original_too(copied, stores_root, region, giver):
    copy = copied.copies.get(region=region)
    keys = chunk_keys(stores_root, copied)
    spoil(stores_root, region, keys[0])
    folder(stores_root, region).delete(keys[1])
    assert check(copy).state == JobState.FAILED
    sent_before = copied.copies.get(region=region).sent_bytes

    job = repair(copy)
    assert (job.state, job.copy.state, job.copy.reason) == (JobState.SUCCESSFUL, CopyState.AVAILABLE, "")
    sent_bytes = len(CONTENTS[0]) + len(CONTENTS[1])
    assert job.notes == [
        f"2 objects replaced (2 from {region_of(giver)}; {sent_bytes} B sent). "
        "6 objects, 2.00 kB, read back and found sound."
    ]
    assert job.copy.verified_at > copy.verified_at
    assert (job.copy.sent_bytes - sent_before, job.copy.damaged_at) == (sent_bytes, None)
    assert [event.to_state for event in job.events.all()][-2:] == [JobState.VERIFYING, JobState.SUCCESSFUL]
    for key, content in zip(keys, CONTENTS, strict=True):
        assert folder(stores_root, region).read_bytes(key) == content
    assert check(copy).state == JobState.SUCCESSFUL


def test_a_mended_original_tells_from_where_its_bytes_travelled(copied, stores_root):
    original = original_of(copied)
    folder(stores_root, OREGON).delete(chunk_keys(stores_root, copied)[0])
    assert check(original).state == JobState.FAILED
    assert repair(original).copy.source_region_id == VIRGINIA


def test_a_lost_manifest_is_brought_back(copied, stores_root):
    key = layout.manifest_key(CLUSTER, copied.code)
    folder(stores_root, VIRGINIA).delete(key)
    copy = copied.copies.get(region=VIRGINIA)
    assert check(copy).state == JobState.FAILED
    assert repair(copy).state == JobState.SUCCESSFUL
    assert key in all_keys(folder(stores_root, VIRGINIA))


def test_what_no_region_holds_intact_leaves_the_copy_damaged_with_the_reason(copied, stores_root):
    copy, key = copied.copies.get(region=VIRGINIA), chunk_keys(stores_root, copied)[0]
    for region in (OREGON, VIRGINIA):
        spoil(stores_root, region, key)
    assert check(copy).state == JobState.FAILED
    job = repair(copy)
    assert (job.state, job.copy.state) == (JobState.FAILED, CopyState.DAMAGED)
    assert job.reason.startswith("1 of 6 objects could not be had intact from any other region")
    assert job.copy.reason == f"Could not be repaired. {job.reason}"


def test_a_backup_without_a_copy_is_mended_from_what_other_backups_left_elsewhere(copied, stores_root):
    """Chunks are shared: another backup's copy in Virginia holds the very bytes."""
    alone = make_stored_backup_beside(copied, stores_root)
    key = chunk_keys(stores_root, alone)[0]
    folder(stores_root, OREGON).delete(key)
    assert check(original_of(alone)).state == JobState.FAILED
    assert repair(original_of(alone)).state == JobState.SUCCESSFUL


def test_a_source_that_is_not_there_does_not_keep_another_from_giving(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT])
    run_next(), run_next()
    copy = backup.copies.get(region=FRANKFURT)
    folder(stores_root, FRANKFURT).delete(chunk_keys(stores_root, backup)[0])
    assert check(copy).state == JobState.FAILED
    (stores_root / OREGON).rename(stores_root / "unmounted")
    job = repair(copy)
    assert job.state == JobState.SUCCESSFUL
    assert f"from {region_of(VIRGINIA)}" in job.notes[0]


def test_after_a_repair_the_damaged_copies_that_share_what_was_mended_are_checked(copied, stores_root):
    sharing = make_stored_backup_beside(copied, stores_root)
    spoil(stores_root, OREGON, chunk_keys(stores_root, copied)[0])
    assert check(original_of(copied)).state == JobState.FAILED
    assert state_of(original_of(sharing)) == CopyState.DAMAGED
    job = repair(original_of(copied))
    following = run_next()
    assert (following.type, following.parent, following.state) == (JobType.VERIFY, job, JobState.SUCCESSFUL)
    assert following.copy == original_of(sharing)
    assert state_of(original_of(sharing)) == CopyState.AVAILABLE


def test_damage_that_somebody_meets_during_a_repair_is_not_overruled_by_it(copied, stores_root, monkeypatch):
    copy = copied.copies.get(region=VIRGINIA)
    record_damage(copy, reason="A restore found it damaged.")

    def mend_while_another_meets_damage(**arguments: Any) -> Any:
        report = repair_backup(**arguments)
        record_damage(Copy.objects.get(pk=copy.pk), reason="A restore found it damaged just now.")
        return report

    monkeypatch.setattr("jobs.checks.repair_backup", mend_while_another_meets_damage)
    job = repair(copy)
    assert (job.state, state_of(copy)) == (JobState.PENDING, CopyState.DAMAGED)
    assert "while it was repaired" in job.reason


def test_damage_that_comes_back_at_once_fails_the_repair(copied, stores_root, monkeypatch):
    copy, key = copied.copies.get(region=VIRGINIA), chunk_keys(stores_root, copied)[0]
    folder(stores_root, VIRGINIA).delete(key)
    assert check(copy).state == JobState.FAILED

    def mend_and_rot(**arguments: Any) -> Any:
        report = repair_backup(**arguments)
        spoil(stores_root, VIRGINIA, key)
        return report

    monkeypatch.setattr("jobs.checks.repair_backup", mend_and_rot)
    job = repair(copy)
    assert (job.state, state_of(copy)) == (JobState.FAILED, CopyState.DAMAGED)
    assert "gave back 1 objects damaged after they were mended" in job.reason


def test_a_backup_that_is_being_checked_is_not_deleted(copied):
    request_verification(user=None, copy=original_of(copied))
    with pytest.raises(Exception, match="is in use by Check copy"):
        request_deletion(user=make_user_of(copied), backup=copied)


def test_each_other_region_is_asked_once_the_likeliest_first(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT])
    run_next(), run_next()
    make_stored_backup_beside(backup, stores_root)
    record_damage(original_of(backup), reason="A check found it damaged.")
    copy = backup.copies.get(region=VIRGINIA)
    record_damage(copy, reason="A restore found it damaged.")
    asked: list[str] = []

    def mend(*, sources: Any, **arguments: Any) -> Any:
        asked.extend(store.name.partition(" ")[0] for store in sources)
        return repair_backup(sources=sources, **arguments)

    monkeypatch.setattr("jobs.checks.repair_backup", mend)
    assert repair(copy).state == JobState.SUCCESSFUL
    assert asked == [FRANKFURT, OREGON]
