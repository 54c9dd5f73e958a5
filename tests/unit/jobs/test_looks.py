"""The questions a worker asks for work: put into SQL once, and still true every time."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.looks import is_anything_claimable, is_anything_due
from jobs.models import Job
from jobs.moves import claim_job, move_job
from jobs.states import JobState, JobType
from jobs.worker import _work_on_jobs
from tests.builders import FRANKFURT, VIRGINIA, make_backup, make_cluster, make_copy, make_job
from tests.site import PATIENCE_SECONDS


def is_claimable() -> bool:
    return is_anything_claimable(regions=[], takes_checks=True)


@pytest.mark.django_db
def test_a_question_asked_again_knows_the_time_and_the_rows_of_then():
    assert not is_anything_due()
    assert not is_claimable()
    job = make_job(not_before=timezone.now() + timedelta(hours=1))
    assert not is_anything_due()
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now())
    assert is_anything_due()
    assert is_claimable()


@pytest.mark.django_db
def test_another_limit_is_another_question(settings):
    settings.JOBS_PER_REGION = 1
    cluster = make_cluster()
    for state in (JobState.IN_PROGRESS, JobState.PENDING):
        make_job(make_copy(make_backup(cluster), FRANKFURT), type=JobType.VERIFY, state=state)
    assert not is_claimable()
    settings.JOBS_PER_REGION = 2
    assert is_claimable()


@pytest.mark.django_db
def test_regions_and_checks_are_other_questions_too():
    make_job(make_copy(region=FRANKFURT), type=JobType.VERIFY)
    asked = [(regions, checks) for regions in ([], [FRANKFURT], [VIRGINIA]) for checks in (True, False)]
    answers = [is_anything_claimable(regions=regions, takes_checks=checks) for regions, checks in asked]
    assert answers == [True, False, True, False, False, False]


@pytest.mark.django_db
def test_a_claimed_job_is_known_as_it_is_stored():
    make_job(
        bytes_done=5, bytes_total=9, bytes_before=2, progress_at=timezone.now(), attempt=2, fence=7, notes=["Before."]
    )
    claimed = claim_job("worker-1")
    assert claimed is not None
    stored = Job.objects.get(pk=claimed.pk)
    assert model_to_dict(claimed) == model_to_dict(stored)
    assert (claimed.attempt, claimed.fence, claimed.created_at) == (3, 8, stored.created_at)


@pytest.mark.django_db
def test_what_a_claim_asks_is_put_into_sql_once_whoever_claims():
    """The rows cost the same too: one more question where other workers could have decided meanwhile."""
    asked = []
    for number in range(2):
        make_job()
        with CaptureQueriesContext(connection) as captured:
            assert claim_job(f"worker-{number}") is not None
        asked.append(len(captured))
    assert asked[0] == asked[1] == (9 if connection.features.has_select_for_update else 5)


@pytest.mark.django_db
@pytest.mark.parametrize("limit", [0, 1])
@pytest.mark.parametrize("job_type", JobType)
def test_the_shorter_question_for_one_type_has_the_answer_of_the_whole_one(settings, job_type, limit):
    settings.JOBS_PER_REGION = settings.JOBS_PER_CLUSTER = limit
    for held in (None, *JobType):
        cluster = make_cluster()
        if held:
            make_job(make_copy(make_backup(cluster), FRANKFURT), type=held, state=JobState.IN_PROGRESS, origin="auto")
        if not held == job_type == JobType.COLLECT:  # of which a place has one at a time
            make_job(make_copy(make_backup(cluster), FRANKFURT), type=job_type, origin="auto")
    now = timezone.now()
    whole, shorter = Job.objects.claimable(now), Job.objects.claimable(now, job_type)
    assert list(whole) == list(shorter)
    assert bool(whole) == (limit == 0 or job_type == JobType.RESTORE)


def test_a_worker_takes_the_next_job_at_once(committed, settings, monkeypatch):
    settings.JOB_POLL_SECONDS = 600
    stopping, done = threading.Event(), list[int]()

    def end_at_once(job: Job, stopping: threading.Event) -> None:
        move_job(job, JobState.SUCCESSFUL)
        done.append(job.pk)
        if len(done) == 3:
            stopping.set()

    monkeypatch.setattr("jobs.worker.run_job", end_at_once)
    jobs = [make_job().pk for _ in range(3)]
    worker = threading.Thread(target=_work_on_jobs, args=("worker-1", stopping))
    worker.start()
    worker.join(PATIENCE_SECONDS)
    stopping.set()
    worker.join()
    assert done == jobs
