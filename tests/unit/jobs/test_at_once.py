"""Two that meet at the same rows: one has written and not yet committed when the other comes.

SQLite lets the second wait until the first is done. A server lets it read what was there before, and only locks make it
see what the first has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups.errors import StaleBackup
from backups.models import Backup, Copy
from backups.services import record_damage
from backups.states import CopyState
from jobs.check_services import request_verification
from jobs.errors import JobRefused
from jobs.firing import fire_due
from jobs.models import Job, Schedule, ScheduledRun
from jobs.restores import CollectionToRestore, RestoreRequest
from jobs.retention import request_expiries
from jobs.schedule_services import delete_schedule
from jobs.services import request_deletion, request_restore
from jobs.states import JobType
from tests.builders import OREGON, People, make_backup, make_cluster, make_people, make_schedule, make_store

pytestmark = pytest.mark.usefixtures("committed")

LONGEST_WAIT_SECONDS = 5


def meet(first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """What `second` returns or raises when it comes after `first` has written and before that is committed."""
    outcome: list[Any] = []

    def come_second() -> None:
        try:
            outcome.append(second())
        except (DatabaseError, JobRefused, StaleBackup) as error:
            outcome.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=come_second)
    with transaction.atomic():
        first()
        thread.start()
        until = monotonic() + LONGEST_WAIT_SECONDS
        while thread.is_alive() and not somebody_waits() and monotonic() < until:
            thread.join(0.01)
    thread.join()
    return outcome[0]


def somebody_waits() -> bool:
    """Whether another connection waits for a lock; of SQLite nobody knows, and it waits with its first word."""
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


@pytest.fixture
def people(committed: None) -> People:
    return make_people()


@pytest.fixture
def backup(people: People) -> Backup:
    return make_backup(make_cluster(people.project))


def restore(people: People, copy: Copy) -> Job:
    wish = RestoreRequest((CollectionToRestore("default", "docs", "again"),), 1, load=True)
    return request_restore(user=people.owner, copy=copy, request=wish, target=copy.backup.cluster)


def test_two_that_meet_the_same_damage_both_mark_it(backup):
    copy, same = Copy.objects.get(backup=backup), Copy.objects.get(backup=backup)
    outcome = meet(lambda: record_damage(copy, reason="First."), lambda: record_damage(same, reason="Second."))
    assert outcome is None
    copy.refresh_from_db()
    assert (copy.state, copy.reason) == (CopyState.DAMAGED, "Second.")


@pytest.mark.parametrize("job_type", [JobType.VERIFY, JobType.RESTORE])
def test_a_deletion_that_meets_a_job_which_has_just_begun_is_refused(people, backup, job_type):
    copy = backup.copies.get()
    begin = {
        JobType.VERIFY: lambda: request_verification(user=people.owner, copy=copy),
        JobType.RESTORE: lambda: restore(people, copy),
    }
    outcome = meet(begin[job_type], lambda: request_deletion(user=people.owner, backup=backup))
    assert isinstance(outcome, JobRefused)
    assert "is in use by" in str(outcome)
    assert Copy.objects.get().state == CopyState.AVAILABLE
    assert [job.type for job in Job.objects.all()] == [job_type]


def test_a_restore_that_meets_a_deletion_which_has_just_begun_is_refused(people, backup):
    copy = backup.copies.get()
    outcome = meet(lambda: request_deletion(user=people.owner, backup=backup), lambda: restore(people, copy))
    assert isinstance(outcome, JobRefused)
    assert "is deleting" in str(outcome)


def test_the_end_of_a_copy_that_meets_its_deletion_is_left_to_that(people):
    cluster = make_cluster(people.project)
    make_backup(cluster)
    backup = make_backup(cluster, kept_days=1)
    now = timezone.now() + timedelta(days=2)
    outcome = meet(lambda: request_deletion(user=people.owner, backup=backup), lambda: request_expiries(now))
    assert outcome == []
    assert [job.type for job in Job.objects.all()] == [JobType.DELETE]


def test_a_deletion_that_meets_the_end_of_the_copy_is_refused(people):
    cluster = make_cluster(people.project)
    make_backup(cluster)
    backup = make_backup(cluster, kept_days=1)
    now = timezone.now() + timedelta(days=2)
    outcome = meet(lambda: request_expiries(now), lambda: request_deletion(user=people.owner, backup=backup))
    assert isinstance(outcome, JobRefused)
    assert [job.type for job in Job.objects.all()] == [JobType.EXPIRE]


def test_a_schedule_can_be_deleted_at_the_moment_it_fires(people):
    make_store(people.organization, OREGON)
    now = timezone.now()
    schedule = make_schedule(make_cluster(people.project), next_due_at=now)
    outcome = meet(lambda: fire_due(now), lambda: delete_schedule(user=people.owner, schedule=schedule))
    assert outcome is None
    assert (Schedule.objects.count(), ScheduledRun.objects.count()) == (0, 0)
    assert [job.schedule for job in Job.objects.all()] == [None]


def test_a_schedule_that_was_just_deleted_is_not_deleted_again(people):
    schedule = make_schedule(make_cluster(people.project))
    same = Schedule.objects.get(pk=schedule.pk)
    outcome = meet(
        lambda: delete_schedule(user=people.owner, schedule=schedule),
        lambda: delete_schedule(user=people.owner, schedule=same),
    )
    assert isinstance(outcome, JobRefused)


def test_a_form_that_arrives_again_before_it_is_carried_out_leads_to_the_same_job(people, monkeypatch):
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [])
    make_store(people.organization, OREGON)
    url = reverse("jobs:backup-create", args=[make_cluster(people.project).code])

    def send() -> str:
        client = Client()
        client.force_login(people.owner)
        return client.post(url, {"scope": "cluster", "once": "the same"})["Location"]

    assert meet(send, send) == reverse("jobs:job-list")
    assert Job.objects.count() == 1
