"""Jobs carried out to their end over real folders: what they leave in the stores, the catalogue and their history."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from accounts.models import User
from accounts.privileges import ProjectRole
from backups.models import Backup, Copy
from backups.services import record_damage
from backups.states import BackupState, CopyState
from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.errors import BackupDamaged, ClusterDenied, ClusterUnreachable, StoreFull
from dataplane.restore import RestoredCollection, RestorePlan, RestoreReport
from dataplane.stores.base import ObjectInfo
from dataplane.stores.local import LocalStore
from jobs.models import Job
from jobs.moves import claim_job
from jobs.services import cancel_job, request_backup, request_deletion, retry_copy
from jobs.states import JobState, JobType
from jobs.worker import run_job
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_backup, make_job, make_user, region
from tests.unit.dataplane.builders import CLUSTER, all_keys, store_backup
from tests.unit.jobs.world import (
    CONTENTS,
    folder,
    make_due,
    make_stored_backup,
    make_stored_cluster,
    run_next,
    store_made_up_rows,
)

pytestmark = pytest.mark.django_db

SIZE = sum(map(len, CONTENTS))


def admin_of(backup: Backup) -> User:
    return make_user(project=backup.project, role=ProjectRole.ADMIN)


def last_note(job: Job) -> str:
    return job.events.values_list("note", flat=True).order_by("pk").last() or ""


def history(job: Job) -> list[str]:
    return list(job.events.values_list("to_state", flat=True))


# Copies


def test_a_copy_arrives_is_read_back_and_becomes_available(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    job = run_next()
    copy = job.copy
    assert job.state == JobState.SUCCESSFUL
    assert history(job) == [JobState.IN_PROGRESS, JobState.VERIFYING, JobState.SUCCESSFUL]
    assert "6 objects read back and found sound" in last_note(job)
    assert (copy.state, copy.size_bytes, copy.sent_bytes, copy.skipped_bytes) == (CopyState.AVAILABLE, SIZE, SIZE, 0)
    assert copy.stored_at is not None
    assert copy.verified_at is not None
    assert copy.stored_at <= copy.verified_at
    source, target = folder(stores_root, OREGON), folder(stores_root, VIRGINIA)
    assert all_keys(target) == all_keys(source)
    manifest = read_manifest(target, CLUSTER, backup.code)
    assert [(step.source_region, step.target_region) for step in manifest.lineage] == [(OREGON, VIRGINIA)]
    assert manifest.fence == job.fence


def test_what_the_region_already_holds_is_not_sent_again(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    chunk = read_manifest(folder(stores_root, OREGON), CLUSTER, backup.code).chunks[0]
    folder(stores_root, VIRGINIA).write(layout.chunk_key(CLUSTER, chunk.sha256), CONTENTS[0])
    copy = run_next().copy
    assert (copy.sent_bytes, copy.skipped_bytes) == (SIZE - chunk.size_bytes, chunk.size_bytes)


def test_a_chunk_damaged_at_the_target_is_found_removed_and_sent_again(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    target = folder(stores_root, VIRGINIA)
    chunk = read_manifest(folder(stores_root, OREGON), CLUSTER, backup.code).chunks[2]
    key = layout.chunk_key(CLUSTER, chunk.sha256)
    target.write(key, bytes(chunk.size_bytes))  # the right size: a copy by size alone would trust it

    job = run_next()
    assert job.state == JobState.PENDING
    assert key in job.reason
    assert key not in all_keys(target)
    assert job.copy.state == CopyState.VERIFYING

    make_due()
    job = run_next()
    assert (job.state, job.attempt, job.reason) == (JobState.SUCCESSFUL, 2, "")
    assert job.copy.state == CopyState.AVAILABLE
    assert target.read_bytes(key) == CONTENTS[2]
    assert job.copy.sent_bytes == SIZE


def test_a_source_that_lost_a_chunk_is_marked_damaged_and_fails_the_copy_when_there_is_no_other(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    source = folder(stores_root, OREGON)
    key = layout.chunk_key(CLUSTER, read_manifest(source, CLUSTER, backup.code).chunks[0].sha256)
    source.delete(key)
    job = run_next()
    original = backup.copies.get(is_original=True)
    assert (original.state, job.state) == (CopyState.DAMAGED, JobState.PENDING)
    assert key in original.reason
    make_due()
    job = run_next()
    assert (job.state, job.attempt) == (JobState.FAILED, 2)
    assert "nothing to copy from" in job.reason
    assert job.copy.state == CopyState.FAILED
    assert layout.manifest_key(CLUSTER, backup.code) not in all_keys(folder(stores_root, VIRGINIA))


def test_a_full_store_fails_at_once_with_its_sentence_and_leaves_no_manifest(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    write = LocalStore.write

    def write_until_full(store: LocalStore, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        if store.root.name == VIRGINIA and len(all_keys(store)) >= 2:
            raise StoreFull("Virginia is full. Free space, then try again.")
        return write(store, key, data)

    monkeypatch.setattr(LocalStore, "write", write_until_full)
    job = run_next()
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.reason == job.copy.reason == "Virginia is full. Free space, then try again."
    assert job.copy.state == CopyState.FAILED
    assert layout.manifest_key(CLUSTER, backup.code) not in all_keys(folder(stores_root, VIRGINIA))
    assert backup.copies.available().get().region_id == OREGON


@pytest.mark.parametrize("gone", [OREGON, VIRGINIA])
def test_a_store_that_is_not_there_is_tried_again_and_the_sentence_stays_visible(stores_root, gone):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    (stores_root / gone).rename(stores_root / "unmounted")
    job = run_next()
    assert (job.state, job.attempt, job.finished_at) == (JobState.PENDING, 1, None)
    assert gone in job.reason
    assert "is not there" in job.reason
    assert job.not_before is not None
    assert last_note(job).endswith("Trying again in 2 s.")
    assert claim_job("worker-1") is None

    (stores_root / "unmounted").rename(stores_root / gone)
    make_due()
    job = run_next()
    assert (job.state, job.attempt, job.reason) == (JobState.SUCCESSFUL, 2, "")
    assert job.copy.state == CopyState.AVAILABLE


def test_the_last_attempt_of_a_retryable_failure_fails_the_copy(stores_root):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    (stores_root / VIRGINIA).rmdir()
    Job.objects.update(max_attempts=3)
    states = []
    for _ in range(3):
        states.append(run_next().state)
        make_due()
    assert states == [JobState.PENDING, JobState.PENDING, JobState.FAILED]
    copy = Copy.objects.get(region=VIRGINIA)
    assert copy.state == CopyState.FAILED
    assert "is not there" in copy.reason


def test_one_failed_copy_can_be_tried_again_and_the_others_are_left_alone(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT])
    (stores_root / VIRGINIA).rmdir()
    Job.objects.update(max_attempts=1)
    run_next(), run_next()
    failed = Job.objects.get(type=JobType.COPY, state=JobState.FAILED)
    untouched = Job.objects.exclude(pk=failed.pk).order_by("pk")
    before = list(untouched.values())
    frankfurt = backup.copies.filter(region=FRANKFURT)
    copy_before = frankfurt.values().get()

    (stores_root / VIRGINIA).mkdir()
    again = retry_copy(user=admin_of(backup), copy=failed.copy)
    assert again.parent == failed.parent
    assert list(untouched.exclude(pk=again.pk).values()) == before
    assert run_next() == again
    assert backup.copies.available().count() == 3
    assert frankfurt.values().get() == copy_before
    assert list(untouched.exclude(pk=again.pk).values()) == before


def test_our_own_bug_crashes_the_job_without_telling_its_insides(stores_root, monkeypatch):
    make_stored_backup(stores_root, copies=[VIRGINIA])

    def burst(plan: object, **_: object) -> None:
        raise KeyError("secret-token")

    monkeypatch.setattr("jobs.work.copy_backup", burst)
    job = run_next()
    assert (job.state, job.copy.state) == (JobState.CRASHED, CopyState.FAILED)
    assert job.code in job.reason
    assert "secret-token" not in job.reason


def test_work_that_was_taken_over_leaves_the_job_to_the_other(stores_root, monkeypatch):
    make_stored_backup(stores_root, copies=[VIRGINIA])

    def lose_the_lease(plan: object, *, may_commit: Any, **_: object) -> None:
        Job.objects.filter(type=JobType.COPY).update(lease="c" * 32, worker="worker-2")
        may_commit()

    monkeypatch.setattr("jobs.work.copy_backup", lose_the_lease)
    job = run_next()
    assert (job.state, job.worker, job.lease) == (JobState.IN_PROGRESS, "worker-2", "c" * 32)
    assert job.copy.state == CopyState.TRANSFERRING
    assert history(job) == [JobState.IN_PROGRESS]


def test_a_shutdown_hands_the_job_back_without_counting_the_attempt(stores_root):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    stopping = threading.Event()
    stopping.set()
    job = run_next(stopping)
    assert (job.state, job.attempt, job.lease) == (JobState.PENDING, 0, "")
    assert last_note(job) == "worker-1 shut down; another worker goes on"
    job = run_next()
    assert (job.state, job.attempt) == (JobState.SUCCESSFUL, 1)


def test_a_cancellation_while_the_copy_runs_ends_it_as_canceled(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    admin = admin_of(backup)
    write = LocalStore.write

    def write_and_cancel(store: LocalStore, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        if key.endswith("README.txt"):
            cancel_job(user=admin, job=Job.objects.get(type=JobType.COPY))
        return write(store, key, data)

    monkeypatch.setattr(LocalStore, "write", write_and_cancel)
    job = run_next()
    assert (job.state, job.reason) == (JobState.CANCELED, f"Canceled by {admin}.")
    assert job.copy.state == CopyState.CANCELED
    assert layout.manifest_key(CLUSTER, backup.code) not in all_keys(folder(stores_root, VIRGINIA))


# Backups


def test_a_backup_is_recorded_proven_and_followed_by_its_copies(stores_root, monkeypatch):
    monkeypatch.setattr("jobs.work.take_backup", store_made_up_rows)
    cluster = make_stored_cluster(stores_root, regions=[VIRGINIA])
    admin = make_user(project=cluster.project, role=ProjectRole.ADMIN)
    original = request_backup(user=admin, cluster=cluster, regions=[region(VIRGINIA)])
    job = run_next()
    assert (job, job.state) == (original, JobState.SUCCESSFUL)
    backup = job.backup
    assert (backup.state, backup.size_bytes, backup.row_count) == (BackupState.AVAILABLE, SIZE, len(CONTENTS))
    assert [(row.name, row.row_count, row.size_bytes) for row in backup.collections.all()] == [("docs", 5, SIZE)]
    child = run_next()
    assert (child.parent, child.state, child.created_by) == (original, JobState.SUCCESSFUL, admin)
    assert backup.copies.available().count() == 2
    assert claim_job("worker-1") is None


def test_a_cluster_that_does_not_answer_is_tried_again(stores_root, monkeypatch):
    make_job(type=JobType.BACKUP, cluster=make_stored_cluster(stores_root))

    def fail(plan: object, **_: object) -> None:
        raise ClusterUnreachable("docs does not answer.")

    monkeypatch.setattr("jobs.work.take_backup", fail)
    job = run_next()
    assert (job.state, job.reason) == (JobState.PENDING, "docs does not answer.")
    assert job.backup.state == BackupState.CREATING

    make_due()
    monkeypatch.setattr("jobs.work.take_backup", store_made_up_rows)
    job = run_next()
    assert (job.state, job.reason, job.backup.state) == (JobState.SUCCESSFUL, "", BackupState.AVAILABLE)


def test_a_wrong_token_is_not_tried_again(stores_root, monkeypatch):
    make_job(type=JobType.BACKUP, cluster=make_stored_cluster(stores_root))

    def refuse(plan: object, **_: object) -> None:
        raise ClusterDenied("docs refused the token. Enter another one.")

    monkeypatch.setattr("jobs.work.take_backup", refuse)
    job = run_next()
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.reason == job.backup.reason == job.copy.reason == "docs refused the token. Enter another one."
    assert job.backup.state == BackupState.FAILED


def test_an_embedded_cluster_that_has_not_started_is_waited_for(stores_root, monkeypatch):
    monkeypatch.setattr("jobs.work.take_backup", store_made_up_rows)
    cluster = make_stored_cluster(stores_root, is_embedded=True, endpoint="")
    make_job(type=JobType.BACKUP, cluster=cluster)
    job = run_next()
    assert job.state == JobState.PENDING
    assert "has not started yet" in job.reason


# Restores


def restore_of(backup: Backup, *, makes_cluster: bool = False) -> Job:
    wanted = {"database": "default", "name": "docs", "new_name": "docs_again"}
    parameters = {"collections": [wanted], "cu_size": 2, "load": True, "makes_cluster": makes_cluster}
    return make_job(backup.copies.get(is_original=True), type=JobType.RESTORE, parameters=parameters)


@pytest.mark.parametrize("makes_cluster", [False, True])
def test_a_restore_passes_on_what_was_asked_and_keeps_what_was_said(stores_root, monkeypatch, makes_cluster):
    backup = make_stored_backup(stores_root)
    restore_of(backup, makes_cluster=makes_cluster)
    plans: list[RestorePlan] = []

    def restore(plan: RestorePlan, **_: object) -> RestoreReport:
        plans.append(plan)
        assert plan.collections is not None
        [mapping] = plan.collections
        lowered = RestoredCollection(mapping.target, row_count=5, notes=("8 shards lowered to 2",))
        return RestoreReport(collections=(lowered,), notes=("TTL settings were left out.",))

    monkeypatch.setattr("jobs.work.restore_backup", restore)
    job = run_next()
    assert job.state == JobState.SUCCESSFUL
    assert "8 shards lowered to 2" in job.notes
    # What a cluster lacks is news only where the cluster is new.
    assert ("TTL settings were left out." in job.notes) == makes_cluster
    assert last_note(job) == "5 rows restored into docs_again"
    [plan] = plans
    assert (plan.backup_id, plan.cu_size, plan.load) == (backup.code, 2, True)


def test_a_failed_restore_leaves_the_catalogue_as_it_was(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root)
    restore_of(backup)

    def refuse(plan: object, **_: object) -> None:
        raise ClusterDenied("The token may not create collections.")

    monkeypatch.setattr("jobs.work.restore_backup", refuse)
    before = list(Copy.objects.values())
    assert run_next().state == JobState.FAILED
    assert list(Copy.objects.values()) == before


def test_a_restore_that_meets_damage_marks_the_copy_so_that_nobody_relies_on_it(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root)
    restore_of(backup)

    def find_damage(plan: object, **_: object) -> None:
        raise BackupDamaged("Chunk ab12 does not match its SHA-256. Restore from another copy.", ("ab12",))

    monkeypatch.setattr("jobs.work.restore_backup", find_damage)
    job = run_next()
    assert job.state == JobState.FAILED
    assert (job.copy.state, job.copy.reason) == (CopyState.DAMAGED, job.reason)
    assert not backup.copies.available().exists()


def test_a_damaged_copy_is_made_again_from_the_original(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    copy = run_next().copy
    target = folder(stores_root, VIRGINIA)
    chunk = read_manifest(target, CLUSTER, backup.code).chunks[1]
    key = layout.chunk_key(CLUSTER, chunk.sha256)
    target.write(key, bytes(chunk.size_bytes))
    record_damage(copy, reason="A restore found it damaged.")

    retry_copy(user=admin_of(backup), copy=copy)
    assert run_next().state == JobState.PENDING  # the right size hid the damage until all was read back
    make_due()
    job = run_next()
    assert (job.state, job.copy.state, job.copy.reason) == (JobState.SUCCESSFUL, CopyState.AVAILABLE, "")
    assert target.read_bytes(key) == CONTENTS[1]


def test_when_the_original_is_damaged_the_next_copy_is_made_from_a_sound_one(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT])
    first = run_next()
    assert first.state == JobState.SUCCESSFUL
    record_damage(backup.copies.get(is_original=True), reason="A check found it damaged.")
    second = run_next()
    assert second.state == JobState.SUCCESSFUL
    manifest = read_manifest(folder(stores_root, second.target_region_id), CLUSTER, backup.code)
    assert [step.source_region for step in manifest.lineage] == [OREGON, first.target_region_id]


def test_a_restore_that_is_given_up_removes_what_it_was_writing_and_says_so(stores_root, monkeypatch):
    restore_of(make_stored_backup(stores_root))

    def refuse(plan: object, **_: object) -> None:
        raise ClusterDenied("The token may not insert.")

    monkeypatch.setattr("jobs.work.restore_backup", refuse)
    monkeypatch.setattr("jobs.work.endpoint_of", lambda cluster, **_: None)
    monkeypatch.setattr("jobs.work.discard_unfinished", lambda plan, *, endpoint: (plan.collections[0].target,))
    job = run_next()
    assert (job.state, job.reason) == (JobState.FAILED, "The token may not insert.")
    assert last_note(job) == "The token may not insert. Removed the half-written docs_again."


# Deletions


def test_a_deletion_empties_the_stores_and_closes_the_backup(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    run_next()
    request_deletion(user=admin_of(backup), backup=backup)
    assert {run_next().state, run_next().state} == {JobState.SUCCESSFUL}
    backup.refresh_from_db()
    assert backup.state == BackupState.DELETED
    assert set(backup.copies.values_list("state", flat=True)) == {CopyState.DELETED}
    assert all_keys(folder(stores_root, OREGON)) == all_keys(folder(stores_root, VIRGINIA)) == []


def test_a_deletion_leaves_what_another_backup_of_the_cluster_needs(stores_root):
    backup = make_stored_backup(stores_root)
    other = make_backup(backup.cluster)
    store_backup(folder(stores_root, OREGON), CONTENTS[:2], backup_id=other.code)
    request_deletion(user=admin_of(backup), backup=backup)
    job = run_next()
    assert job.state == JobState.SUCCESSFUL
    kept = read_manifest(folder(stores_root, OREGON), CLUSTER, other.code)
    chunks = [key for key in all_keys(folder(stores_root, OREGON)) if key.endswith(".parquet")]
    assert chunks == sorted(layout.chunk_key(CLUSTER, chunk.sha256) for chunk in kept.chunks)


def test_a_removal_that_lost_its_lease_deletes_nothing(stores_root):
    backup = make_stored_backup(stores_root)
    request_deletion(user=admin_of(backup), backup=backup)
    job = claim_job("worker-1")
    assert job is not None
    Job.objects.filter(pk=job.pk).update(lease="c" * 32)
    before = all_keys(folder(stores_root, OREGON))
    run_job(job, threading.Event())
    assert all_keys(folder(stores_root, OREGON)) == before
    assert backup.copies.get().state == CopyState.DELETING
