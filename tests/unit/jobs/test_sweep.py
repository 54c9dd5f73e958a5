"""The sweep: jobs of workers that fell silent go back to the others, and those of living workers stay."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from backups.states import BackupState, CopyState
from jobs.errors import StaleJob
from jobs.models import Job, JobEvent
from jobs.moves import claim_job, move_job, renew_lease
from jobs.querysets import JobQuerySet
from jobs.states import JobState, JobType
from jobs.worker import sweep
from tests.builders import VIRGINIA, make_cluster, make_copy, make_job

pytestmark = pytest.mark.django_db


def past() -> datetime:
    return timezone.now() - timedelta(seconds=1)


@pytest.mark.parametrize("state", [JobState.IN_PROGRESS, JobState.VERIFYING])
def test_a_job_whose_lease_ran_out_goes_back_with_its_attempt_counted(state):
    job = make_job(state=state, lease_until=past())
    assert sweep() == 1
    job.refresh_from_db()
    assert (job.state, job.attempt, job.lease, job.finished_at) == (JobState.PENDING, 1, "", None)
    assert JobEvent.objects.get().note == "worker-1 stopped answering; the job runs again"
    again = claim_job("worker-2")
    assert again is not None
    assert (again.pk, again.attempt, again.fence) == (job.pk, 2, 2)


def test_a_lease_from_before_the_clock_was_set_back_is_not_waited_for():
    make_job(state=JobState.IN_PROGRESS, lease_until=timezone.now() + timedelta(hours=1))
    healthy = make_job(state=JobState.IN_PROGRESS)
    assert sweep() == 1
    healthy.refresh_from_db()
    assert healthy.state == JobState.IN_PROGRESS


@pytest.mark.parametrize("wrong_by", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_worker_with_a_wrong_clock_keeps_its_job_by_the_clock_of_a_server_and_loses_it_without_one(
    monkeypatch, wrong_by
):
    make_job()
    now = timezone.now
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(timezone, "now", lambda: now() + wrong_by)
        assert claim_job("worker-1") is not None
    assert sweep() == (1 if connection.vendor == "sqlite" else 0)


def test_the_worker_that_was_swept_cannot_move_the_job_any_more():
    make_job()
    frozen = claim_job("worker-1")
    assert frozen is not None
    Job.objects.update(lease_until=past())
    sweep()
    taken_over = claim_job("worker-2")
    assert taken_over == frozen
    for late in (JobState.SUCCESSFUL, JobState.FAILED, JobState.VERIFYING):
        with pytest.raises(StaleJob):
            move_job(frozen, late)
    assert renew_lease(frozen.pk, frozen.lease) is None
    stored = Job.objects.get()
    assert (stored.state, stored.worker, stored.fence) == (JobState.IN_PROGRESS, "worker-2", 2)


def test_after_the_last_attempt_the_job_crashes_and_says_so():
    copy = make_copy(state=CopyState.TRANSFERRING)
    job = make_job(copy, state=JobState.IN_PROGRESS, attempt=3, max_attempts=3, lease_until=past())
    assert sweep() == 1
    job.refresh_from_db()
    copy.refresh_from_db()
    assert job.state == JobState.CRASHED
    assert "stopped answering" in job.reason
    assert "3 attempts" in job.reason
    assert (copy.state, copy.reason) == (CopyState.FAILED, job.reason)


def test_a_backup_that_crashes_after_its_last_attempt_ends_its_copies():
    job = make_job(type=JobType.BACKUP, state=JobState.IN_PROGRESS, attempt=5, max_attempts=5, lease_until=past())
    make_copy(job.backup, VIRGINIA, state=CopyState.PLANNED)
    sweep()
    job.backup.refresh_from_db()
    assert job.backup.state == BackupState.FAILED
    assert job.children.get().state == JobState.CANCELED
    assert not Job.objects.active().exists()


def test_a_job_somebody_wanted_canceled_is_canceled():
    copy = make_copy(state=CopyState.TRANSFERRING)
    job = make_job(copy, state=JobState.CANCELING, reason="Canceled by Ada.", lease_until=past())
    assert sweep() == 1
    job.refresh_from_db()
    copy.refresh_from_db()
    assert (job.state, job.reason) == (JobState.CANCELED, "Canceled by Ada.")
    assert copy.state == CopyState.CANCELED


def test_a_lease_that_was_renewed_is_not_swept():
    job = make_job(state=JobState.IN_PROGRESS, lease_until=past())
    assert renew_lease(job.pk, job.lease) == JobState.IN_PROGRESS
    assert sweep() == 0
    job.refresh_from_db()
    assert (job.state, job.lease) == (JobState.IN_PROGRESS, "a" * 32)


def test_a_lease_renewed_between_looking_and_releasing_is_not_swept(monkeypatch):
    """The list of silent jobs is only a hint: each is read again before it is moved."""
    job = make_job(state=JobState.IN_PROGRESS, lease_until=past())
    silent = JobQuerySet.with_expired_lease

    found: list[list[int]] = []

    def look_then_renew(jobs: JobQuerySet, now: datetime) -> JobQuerySet:
        found.append(list(silent(jobs, now).values_list("pk", flat=True)))
        renew_lease(job.pk, job.lease)
        return jobs.filter(pk__in=found[-1])

    monkeypatch.setattr(JobQuerySet, "with_expired_lease", look_then_renew)
    assert sweep() == 0
    assert found == [[job.pk], []]
    assert Job.objects.get().state == JobState.IN_PROGRESS


def test_sweeping_twice_moves_a_job_once():
    make_job(state=JobState.IN_PROGRESS, lease_until=past())
    assert (sweep(), sweep()) == (1, 0)
    assert JobEvent.objects.count() == 1


def test_pending_and_ended_jobs_are_left_alone():
    cluster = make_cluster()
    for state in (JobState.PENDING, JobState.SUCCESSFUL, JobState.FAILED, JobState.CRASHED, JobState.CANCELED):
        make_job(cluster=cluster, state=state)
    before = list(Job.objects.order_by("pk").values())
    assert sweep() == 0
    assert list(Job.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    ("state", "attempts", "end"),
    [(JobState.CANCELING, 5, JobState.CANCELED), (JobState.IN_PROGRESS, 1, JobState.CRASHED)],
)
def test_a_restore_that_ends_with_its_worker_says_what_it_may_have_left(state, attempts, end):
    cluster = make_cluster(name="docs")
    job = make_job(
        make_copy(), type=JobType.RESTORE, cluster=cluster, state=state, lease_until=past(), max_attempts=attempts
    )
    assert sweep() == 1
    job.refresh_from_db()
    assert job.state == end
    name = f"__restoring_{job.code.removeprefix('job-')}"
    assert job.reason.endswith(f"A collection whose name ends in {name} may be left in docs; drop it there.")
