"""Collecting what was left behind: what goes, what stays, whom it waits for, and when it is asked for."""

from __future__ import annotations

import hashlib
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.privileges import ProjectRole
from backups.models import Backup, Copy
from backups.states import CopyState
from clusters.models import Cluster
from dataplane import layout
from dataplane.stores.local import LocalStore
from jobs.collecting import request_collection, request_collections
from jobs.models import Job
from jobs.moves import claim_job, move_job
from jobs.services import cancel_job, request_deletion
from jobs.states import JobState, JobType
from jobs.worker import run_job
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_user,
    text_of,
)
from tests.unit.dataplane.builders import CLUSTER, all_keys
from tests.unit.jobs.world import folder, make_stored_backup, make_stored_backup_beside, run_next

pytestmark = pytest.mark.django_db

NOW = timezone.now()
DAY = timedelta(days=1)


def leave(root: Path, content: bytes = b"left behind", *, region: str = OREGON, is_old: bool = True) -> str:
    """A chunk that no manifest names; its key."""
    key = layout.chunk_key(CLUSTER, hashlib.sha256(content).hexdigest())
    folder(root, region).write(key, content)
    if is_old:
        make_old(root, region)
    return key


def make_old(root: Path, region: str = OREGON) -> None:
    """Let everything in the store have been written two days ago."""
    then = (timezone.now() - 2 * DAY).timestamp()
    for path in (root / region).rglob("*.parquet"):
        os.utime(path, (then, then))


def ask(copy: Copy) -> Job:
    job = request_collection(copy, created_by=None)
    assert job is not None
    return job


def collect(backup: Backup) -> Job:
    ask(backup.copies.get())
    return run_next()


def collections() -> list[Job]:
    return list(Job.objects.filter(type=JobType.COLLECT).order_by("pk"))


# What goes and what stays


def test_what_no_backup_needs_goes_and_everything_else_stays(stores_root):
    backup = make_stored_backup(stores_root)
    before = all_keys(folder(stores_root, OREGON))
    leave(stores_root, b"left behind")
    job = collect(backup)
    assert (job.state, job.bytes_done, job.bytes_total) == (JobState.SUCCESSFUL, 11, 11)
    assert all_keys(folder(stores_root, OREGON)) == before
    assert job.notes == ["1 object that no backup needs removed, 11 B freed."]


def test_what_was_written_lately_stays_and_is_told(stores_root):
    backup = make_stored_backup(stores_root)
    young = leave(stores_root, is_old=False)
    job = collect(backup)
    assert (job.bytes_done, job.bytes_total) == (0, 11)
    assert folder(stores_root, OREGON).read_bytes(young) == b"left behind"
    assert job.notes[0].startswith("Nothing was left behind long enough ago. 1 object, 11 B, stayed for now")


def test_what_is_left_of_a_damaged_copy_stays_and_the_collection_says_why(stores_root):
    backup = make_stored_backup(stores_root)
    harmed = make_stored_backup_beside(backup, stores_root)
    folder(stores_root, OREGON).delete(layout.manifest_key(CLUSTER, harmed.code))
    Copy.objects.filter(backup=harmed).update(state=CopyState.DAMAGED)
    make_old(stores_root)
    before = all_keys(folder(stores_root, OREGON))
    job = collect(backup)
    assert job.state == JobState.FAILED
    assert "nobody knows which chunks these backups need and none is removed" in job.reason
    assert all_keys(folder(stores_root, OREGON)) == before


def test_a_collection_that_lost_its_lease_removes_nothing(stores_root):
    backup = make_stored_backup(stores_root)
    key = leave(stores_root)
    ask(backup.copies.get())
    job = claim_job("worker-1")
    assert job is not None
    Job.objects.filter(pk=job.pk).update(lease="c" * 32)
    run_job(job, threading.Event())
    assert folder(stores_root, OREGON).read_bytes(key) == b"left behind"


def test_a_collection_that_was_cut_short_goes_on_with_what_is_left(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root)
    before = all_keys(folder(stores_root, OREGON))
    for number in range(3):
        leave(stores_root, b"left behind %d" % number)
    shutdown, delete = threading.Event(), LocalStore.delete

    def delete_and_shut_down(self: LocalStore, key: str) -> None:
        delete(self, key)
        shutdown.set()

    monkeypatch.setattr(LocalStore, "delete", delete_and_shut_down)
    ask(backup.copies.get())
    assert run_next(shutdown).state == JobState.PENDING
    assert len(all_keys(folder(stores_root, OREGON))) == len(before) + 2
    assert run_next().state == JobState.SUCCESSFUL
    assert all_keys(folder(stores_root, OREGON)) == before


# Whom it waits for


@pytest.mark.parametrize("state", [JobState.IN_PROGRESS, JobState.PENDING])
def test_it_waits_for_whoever_writes_in_the_same_place_also_between_two_attempts(state):
    cluster = make_cluster()
    writer = make_job(make_copy(make_backup(cluster), state=CopyState.TRANSFERRING), state=state)
    if state == JobState.PENDING:
        Job.objects.update(not_before=timezone.now() + DAY)
    elsewhere = ask(make_copy(make_backup(cluster), FRANKFURT))
    beside = ask(make_copy(make_backup(cluster)))
    assert claim_job("worker-1") == elsewhere
    assert claim_job("worker-1") is None
    Job.objects.filter(pk=writer.pk).update(
        state=JobState.FAILED, finished_at=timezone.now(), lease="", lease_until=None
    )
    assert claim_job("worker-1") == beside


def test_whoever_writes_in_the_same_place_waits_for_it():
    cluster = make_cluster()
    collection = ask(make_copy(make_backup(cluster)))
    assert claim_job("worker-1") == collection
    writer = make_job(make_copy(make_backup(cluster), state=CopyState.PLANNED))
    assert claim_job("worker-1") is None
    collection = Job.objects.get(pk=collection.pk)
    move_job(collection, JobState.SUCCESSFUL)
    assert claim_job("worker-1") == writer


def test_it_goes_last_and_can_be_canceled(people):
    collection = ask(make_copy(make_backup(make_cluster(people.project))))
    check = make_job(make_copy(region=FRANKFURT), type=JobType.VERIFY, parameters={"depth": "full"})
    assert claim_job("worker-1") == check
    cancel_job(user=people.owner, job=collection)
    assert Job.objects.get(pk=collection.pk).state == JobState.CANCELED


def test_its_copy_can_be_checked_restored_and_deleted_meanwhile(people):
    backup = make_backup(make_cluster(people.project))
    ask(backup.copies.get())
    (deletion,) = request_deletion(user=people.owner, backup=backup)
    assert claim_job("worker-1") == deletion


# Who asks for it


def admin_of(backup: Backup):
    return make_user(project=backup.project, role=ProjectRole.ADMIN)


def test_a_deletion_that_spares_something_asks_for_a_collection_when_that_is_old_enough(stores_root, settings):
    settings.COLLECT_GRACE_SECONDS = 600
    backup = make_stored_backup(stores_root)
    leave(stores_root, is_old=False)
    user = admin_of(backup)
    request_deletion(user=user, backup=backup)
    deletion = run_next()
    (collection,) = collections()
    assert (collection.copy, collection.created_by) == (deletion.copy, user)
    assert collection.not_before is not None
    assert timedelta(seconds=590) < collection.not_before - timezone.now() <= timedelta(seconds=600)


def test_a_deletion_that_leaves_nothing_asks_for_none(stores_root):
    backup = make_stored_backup(stores_root)
    leave(stores_root)
    request_deletion(user=admin_of(backup), backup=backup)
    assert run_next().state == JobState.SUCCESSFUL
    assert all_keys(folder(stores_root, OREGON)) == collections() == []


def test_a_deletion_spares_what_a_copy_between_two_attempts_has_sent(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    sent = leave(stores_root, region=VIRGINIA)
    other = make_backup(backup.cluster, copies={VIRGINIA: CopyState.AVAILABLE})
    Copy.objects.filter(backup=other, is_original=True).delete()
    Job.objects.filter(state=JobState.PENDING).update(not_before=timezone.now() + DAY, attempt=1)
    request_deletion(user=admin_of(backup), backup=other)
    assert run_next().state == JobState.SUCCESSFUL
    assert folder(stores_root, VIRGINIA).read_bytes(sent) == b"left behind"
    assert [(job.target_region_id, job.state) for job in collections()] == [(VIRGINIA, JobState.PENDING)]


def test_two_backups_with_damaged_manifests_do_not_hold_each_other_for_ever(stores_root):
    backups = [make_stored_backup(stores_root)]
    backups.append(make_stored_backup_beside(backups[0], stores_root))
    for backup in backups:
        folder(stores_root, OREGON).write(layout.manifest_key(CLUSTER, backup.code), b"{")
        Copy.objects.filter(backup=backup).update(state=CopyState.DAMAGED)
    for backup in backups:
        request_deletion(user=admin_of(backup), backup=backup)
    make_old(stores_root)
    assert [run_next().state for _ in range(2)] == [JobState.SUCCESSFUL] * 2
    assert run_next().state == JobState.SUCCESSFUL
    assert all_keys(folder(stores_root, OREGON)) == []


def make_half_done(cluster: Cluster | None = None, *, ended_at=NOW - 2 * DAY, **changes) -> Job:
    """A copy that was begun and canceled."""
    copy = make_copy(make_backup(cluster), state=CopyState.CANCELED)
    job = make_job(copy, **({"state": JobState.CANCELED} | changes))
    Job.objects.filter(pk=job.pk).update(finished_at=ended_at)
    return job


def test_a_day_after_something_was_begun_in_vain_its_place_is_looked_after_once():
    job = make_half_done(ended_at=NOW - DAY + timedelta(seconds=1))
    assert request_collections(NOW) == []
    (collection,) = request_collections(NOW + timedelta(seconds=1))
    assert (collection.cluster, collection.target_region, collection.copy) == (job.cluster, job.target_region, job.copy)
    assert request_collections(NOW + timedelta(seconds=1)) == []


def test_what_succeeded_at_once_or_never_began_leaves_nothing_to_look_for():
    make_half_done(state=JobState.SUCCESSFUL)
    make_half_done(started_at=None)
    assert request_collections(NOW) == []


def test_what_succeeded_at_a_second_try_may_have_left_something():
    job = make_half_done(state=JobState.SUCCESSFUL, fence=2)
    assert [found.cluster for found in request_collections(NOW)] == [job.cluster]


@pytest.mark.parametrize(
    ("ending", "is_again"),
    [
        ({"state": JobState.SUCCESSFUL}, False),
        ({"state": JobState.SUCCESSFUL, "bytes_done": 5, "bytes_total": 9}, True),
        ({"state": JobState.FAILED}, True),
    ],
)
def test_after_a_day_it_is_asked_for_again_only_if_something_may_be_left(ending, is_again):
    make_half_done()
    (collection,) = request_collections(NOW)
    Job.objects.filter(pk=collection.pk).update(
        **ending, started_at=NOW, finished_at=NOW, created_at=NOW, lease="", lease_until=None
    )
    assert request_collections(NOW + DAY - timedelta(seconds=1)) == []
    assert bool(request_collections(NOW + DAY)) is is_again


def test_the_daily_look_costs_the_same_for_one_half_done_job_and_for_many(django_assert_num_queries):
    cluster = make_cluster()
    for _ in range(20):
        make_half_done(cluster)
    assert len(request_collections(NOW)) == 1
    with django_assert_num_queries(2):
        assert request_collections(NOW) == []


def test_of_two_that_ask_at_once_one_is_enough():
    copy = make_copy()
    assert request_collection(copy, created_by=None) is not None
    assert request_collection(copy, created_by=None) is None


# On the screen


def test_its_page_says_what_it_does_and_who_asked(people, client):
    job = ask(make_copy(make_backup(make_cluster(people.project)), FRANKFURT))
    client.force_login(people.viewer)
    assert "Collect leftovers in Frankfurt" in text_of(client.get(f"/jobs/?type={JobType.COLLECT}"))
    page = text_of(client.get(job.get_absolute_url()))
    assert "Asked for by the site itself" in page
