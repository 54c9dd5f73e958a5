"""The end of copies: when it comes, what holds it off, and what never ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from backups.models import Backup, Copy
from backups.services import complete_deletion, move_copy
from backups.states import BackupState, CopyState, Origin
from clusters.models import Cluster
from dataplane import layout
from dataplane.errors import StoreUnreachable
from jobs.models import Job, Schedule
from jobs.retention import AGAIN_AFTER, LAST_PROVEN, LAST_PROVEN_OF_CHOSEN, request_expiries
from jobs.services import request_deletion
from jobs.states import JobState, JobType
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_project,
    make_schedule,
)
from tests.unit.dataplane.builders import CLUSTER, all_keys, store_backup
from tests.unit.jobs.world import CONTENTS, folder, make_stored_cluster, run_next

pytestmark = pytest.mark.django_db

NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def cluster() -> Cluster:
    """A cluster with a manual backup, so that no other copy is the last proven one."""
    cluster = make_cluster(make_project())
    make_backup(cluster)
    return cluster


def make_automatic(
    cluster: Cluster,
    *,
    kept_days: int = 7,
    age: timedelta = 8 * DAY,
    copies: Mapping[str, str] | None = None,
    **changes,
) -> Backup:
    """An automatic backup whose copies were stored `age` ago."""
    backup = make_backup(cluster, kept_days=kept_days, copies=copies, **changes)
    backup.copies.filter(stored_at__isnull=False).update(stored_at=NOW - age)
    return backup


def expired_regions(backup: Backup) -> set[str]:
    return set(backup.jobs.filter(type=JobType.EXPIRE).values_list("copy__region", flat=True))


@pytest.mark.parametrize(("age", "is_over"), [(7 * DAY - timedelta(seconds=1), False), (7 * DAY, True)])
def test_a_copy_ends_when_its_days_since_it_was_stored_are_over(cluster, age, is_over):
    backup = make_automatic(cluster, age=age)
    jobs = request_expiries(NOW)
    assert [job.copy for job in jobs] == (list(backup.copies.all()) if is_over else [])
    for job in jobs:
        assert (job.type, job.state, job.origin, job.created_by) == (
            JobType.EXPIRE,
            JobState.PENDING,
            Origin.AUTO,
            None,
        )
        assert job.copy.state == CopyState.AVAILABLE  # until the job begins


def test_the_original_and_each_region_end_by_themselves(cluster):
    backup = make_automatic(cluster, copies={VIRGINIA: CopyState.AVAILABLE, FRANKFURT: CopyState.AVAILABLE})
    backup.copies.filter(region=OREGON).update(kept_days=30)
    backup.copies.filter(region=FRANKFURT).update(stored_at=NOW - 6 * DAY)
    request_expiries(NOW)
    assert expired_regions(backup) == {VIRGINIA}
    request_expiries(NOW + DAY)
    assert expired_regions(backup) == {VIRGINIA, FRANKFURT}


def test_looking_again_queues_nothing_twice(cluster):
    make_automatic(cluster)
    assert len(request_expiries(NOW)) == 1
    assert request_expiries(NOW) == []
    assert Job.objects.filter(type=JobType.EXPIRE).count() == 1


def test_what_was_made_by_hand_never_ends(cluster):
    manual = make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE, FRANKFURT: CopyState.FAILED})
    manual.copies.update(stored_at=NOW - 10_000 * DAY)
    assert request_expiries(NOW) == []


@pytest.mark.parametrize("state", [CopyState.FAILED, CopyState.CANCELED])
def test_a_copy_that_never_held_bytes_ends_with_the_days_of_its_backup(cluster, state):
    backup = make_automatic(cluster, age=DAY, copies={VIRGINIA: state})
    Backup.objects.filter(pk=backup.pk).update(created_at=NOW - 6 * DAY)
    assert request_expiries(NOW) == []
    Backup.objects.filter(pk=backup.pk).update(created_at=NOW - 7 * DAY)
    request_expiries(NOW)
    assert expired_regions(backup) == {VIRGINIA}


@pytest.mark.parametrize("state", [CopyState.FAILED, CopyState.CANCELED])
def test_a_backup_is_deleted_with_the_last_copy_that_held_it_and_what_came_to_nothing_ends_later(cluster, state):
    backup = make_automatic(cluster, original_state=CopyState.DELETING, age=DAY, copies={VIRGINIA: state})
    complete_deletion(backup.copies.get(is_original=True))
    backup.refresh_from_db()
    assert backup.state == BackupState.DELETED
    rest = backup.copies.get(region=VIRGINIA)
    move_copy(rest, CopyState.DELETING)
    complete_deletion(rest)
    assert rest.state == CopyState.DELETED


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.IN_PROGRESS])
@pytest.mark.parametrize(
    ("job_type", "region", "held"),
    [
        (JobType.RESTORE, VIRGINIA, {VIRGINIA}),
        (JobType.VERIFY, VIRGINIA, {VIRGINIA}),
        (JobType.COPY, FRANKFURT, {OREGON, VIRGINIA}),  # either may be what it reads
        (JobType.REPAIR, FRANKFURT, {OREGON, VIRGINIA}),
    ],
)
def test_a_copy_stays_while_a_job_reads_it_or_may_have_to(cluster, job_type, region, held, state):
    backup = make_automatic(cluster, copies={VIRGINIA: CopyState.AVAILABLE})
    copy = backup.copies.filter(region=region).first()
    # Its own days are not over, and it is on no way that would hold the others by itself.
    copy = copy or make_copy(backup, region, state=CopyState.DAMAGED, kept_days=90)
    job = make_job(copy, type=job_type, state=state)
    request_expiries(NOW)
    assert expired_regions(backup) == {OREGON, VIRGINIA} - held
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCESSFUL, finished_at=NOW, lease="", lease_until=None)
    request_expiries(NOW)
    assert expired_regions(backup) == {OREGON, VIRGINIA}


def test_a_source_stays_while_a_copy_is_still_to_be_made(cluster):
    backup = make_automatic(cluster, copies={VIRGINIA: CopyState.PLANNED})
    assert request_expiries(NOW) == []
    backup.copies.filter(region=VIRGINIA).update(state=CopyState.CANCELED)
    request_expiries(NOW)
    assert expired_regions(backup) == {OREGON}


def test_the_last_proven_copy_of_a_cluster_stays_and_says_why():
    cluster = make_cluster()
    older = make_automatic(cluster, age=9 * DAY)
    newest = make_automatic(cluster, age=8 * DAY, copies={VIRGINIA: CopyState.AVAILABLE})
    jobs = request_expiries(NOW)
    kept = newest.copies.get(is_original=True)
    assert {job.copy for job in jobs} == {older.copies.get(), newest.copies.get(region=VIRGINIA)}
    assert (kept.state, kept.held_reason) == (CopyState.AVAILABLE, LAST_PROVEN)
    assert request_expiries(NOW) == []

    make_automatic(cluster, age=timedelta(0))
    (job,) = request_expiries(NOW)
    assert job.copy == kept


@pytest.mark.parametrize("state", [CopyState.DAMAGED, CopyState.FAILED, CopyState.DELETING, CopyState.VERIFYING])
def test_a_copy_that_is_not_proven_does_not_stand_in_for_the_last_one(state):
    cluster = make_cluster()
    backup = make_automatic(cluster)
    make_backup(cluster, original_state=state)
    assert request_expiries(NOW) == []
    assert backup.copies.get().held_reason == LAST_PROVEN


def test_a_damaged_copy_stays_while_there_is_no_proven_one():
    cluster = make_cluster()
    backup = make_automatic(cluster, original_state=CopyState.DAMAGED)
    assert request_expiries(NOW) == []
    make_backup(cluster)
    assert [job.copy for job in request_expiries(NOW)] == list(backup.copies.all())


def test_a_copy_that_is_kept_longer_now_loses_its_mark():
    backup = make_automatic(make_cluster())
    request_expiries(NOW)
    backup.copies.update(kept_days=30)
    request_expiries(NOW)
    assert backup.copies.get().held_reason == ""


def test_a_marked_copy_that_is_deleted_by_hand_is_held_past_nothing(people):
    backup = make_automatic(make_cluster(people.project))
    request_expiries(NOW)
    assert Copy.objects.held_past_retention().count() == 1
    request_deletion(user=people.project_admin, backup=backup)
    assert Copy.objects.held_past_retention().count() == 0


def test_the_job_belongs_to_the_schedule_that_made_the_copy(cluster):
    schedule: Schedule = make_schedule(cluster)
    backup = make_automatic(cluster)
    make_job(backup.copies.get(), type=JobType.BACKUP, state=JobState.SUCCESSFUL, schedule=schedule)
    (job,) = request_expiries(NOW)
    assert job.schedule == schedule


def test_expiry_removes_the_bytes_keeps_what_others_need_and_closes_the_backup(stores_root: Path):
    cluster = make_stored_cluster(stores_root)
    store = folder(stores_root, OREGON)
    backup, neighbour = make_automatic(cluster), make_backup(cluster)
    store_backup(store, [*CONTENTS, b"only in the first " * 30], backup_id=backup.code)
    store_backup(store, CONTENTS, backup_id=neighbour.code)
    request_expiries(NOW)
    job = run_next()
    assert (job.type, job.state) == (JobType.EXPIRE, JobState.SUCCESSFUL)
    backup.refresh_from_db()
    assert (backup.state, job.copy.state) == (BackupState.DELETED, CopyState.DELETED)
    keys = all_keys(store)
    assert layout.manifest_key(CLUSTER, backup.code) not in keys
    assert layout.manifest_key(CLUSTER, neighbour.code) in keys
    assert sum("/chunks/" in key for key in keys) == len(CONTENTS)


def make_stored_automatic(root: Path) -> Backup:
    """An expired backup that really lies in Oregon, of a cluster with another proven one."""
    cluster = make_stored_cluster(root)
    make_backup(cluster)
    backup = make_automatic(cluster)
    store_backup(folder(root, OREGON), CONTENTS, backup_id=backup.code)
    return backup


@pytest.mark.parametrize(
    ("meanwhile", "words"),
    [
        (lambda copy: Copy.objects.exclude(pk=copy.pk).update(state=CopyState.DAMAGED), "the last proven copy of this"),
        (lambda copy: Copy.objects.filter(pk=copy.pk).update(kept_days=30), "it is kept longer now"),
        (lambda copy: make_job(copy, type=JobType.RESTORE, not_before=NOW + DAY), "another job needs the copy"),
        (lambda copy: make_copy(copy.backup, VIRGINIA, state=CopyState.PLANNED, kept_days=7), "another job needs"),
    ],
    ids=["last proven", "kept longer", "restore", "copy"],
)
def test_an_expiry_looks_again_before_it_takes_anything_away(stores_root: Path, meanwhile, words):
    backup = make_stored_automatic(stores_root)
    (job,) = request_expiries(NOW)
    keys = all_keys(folder(stores_root, OREGON))
    meanwhile(job.copy)
    job = run_next()
    assert (job.type, job.state) == (JobType.EXPIRE, JobState.CANCELED)
    assert words in job.reason
    assert backup.copies.get(is_original=True).state == CopyState.AVAILABLE
    assert all_keys(folder(stores_root, OREGON)) == keys
    assert request_expiries(NOW) == []


def test_an_expiry_that_has_begun_goes_on_whatever_happens(stores_root: Path):
    backup = make_stored_automatic(stores_root)
    request_expiries(NOW)
    backup.copies.update(state=CopyState.DELETING)  # as a worker that died left it
    Copy.objects.exclude(backup=backup).update(state=CopyState.DAMAGED)
    assert run_next().state == JobState.SUCCESSFUL


def test_a_removal_that_failed_is_asked_for_again_a_day_later(stores_root: Path, monkeypatch):
    cluster = make_stored_cluster(stores_root)
    make_backup(cluster)
    backup = make_automatic(cluster)
    request_expiries(NOW)

    def fail(**_: object) -> None:
        raise StoreUnreachable("The store is away.")

    monkeypatch.setattr("jobs.removals.delete_backup", fail)
    Job.objects.update(max_attempts=1)
    job = run_next()
    assert (job.state, job.copy.state, job.copy.reason) == (
        JobState.FAILED,
        CopyState.DELETING,
        "The store is away.",
    )
    assert job.finished_at is not None
    assert request_expiries(job.finished_at + AGAIN_AFTER - timedelta(seconds=1)) == []
    (again,) = request_expiries(job.finished_at + AGAIN_AFTER)
    assert (again.copy, again.copy.reason) == (backup.copies.get(), "")


def test_expired_copies_are_found_by_the_index_of_what_expires(cluster):
    for kept_days in (1, 7, 30):
        make_automatic(cluster, kept_days=kept_days)
    plan = Copy.objects.expired(NOW).explain()
    if connection.vendor == "sqlite":
        assert "copy_by_retention (kept_days=? AND stored_at<?)" in plan
        assert "SCAN" not in plan


def make_chosen(cluster: Cluster, *names: str) -> Backup:
    return make_automatic(cluster, scope="collection", collections=names)


def test_a_backup_of_chosen_collections_stands_for_no_whole_cluster():
    cluster = make_cluster()
    whole = make_automatic(cluster)
    make_backup(cluster, scope="collection", collections=["docs"])
    assert request_expiries(NOW) == []
    assert whole.copies.get().held_reason == LAST_PROVEN
    make_backup(cluster)
    assert [job.backup for job in request_expiries(NOW)] == [whole]


def test_the_last_backup_of_some_collections_stays_until_another_holds_them_all():
    cluster = make_cluster()
    chosen = make_chosen(cluster, "docs", "images")
    make_backup(cluster, scope="collection", collections=["docs"])
    assert request_expiries(NOW) == []
    assert chosen.copies.get().held_reason == LAST_PROVEN_OF_CHOSEN
    make_backup(cluster, scope="collection", collections=["docs", "images", "notes"])
    assert [job.backup for job in request_expiries(NOW)] == [chosen]


def test_a_repair_in_the_cluster_holds_every_copy_of_it(cluster):
    make_automatic(cluster)
    repair = make_job(make_copy(make_backup(cluster), state=CopyState.DAMAGED), type=JobType.REPAIR)
    assert request_expiries(NOW) == []
    Job.objects.filter(pk=repair.pk).update(state=JobState.FAILED, finished_at=NOW)
    assert len(request_expiries(NOW)) == 1
