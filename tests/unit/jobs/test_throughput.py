"""What the page of a job tells of its past: attempts, and how fast its bytes moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from jobs import samples
from jobs.history import attempts_of
from jobs.models import Job, JobEvent, JobSample
from jobs.moves import claim_job, move_job
from jobs.samples import Sampler, forget_old_samples
from jobs.states import JobState, JobType
from jobs.throughput import stretches_of, throughput_figure
from jobs.upkeep import keep_up
from jobs.wording import describe_next_step
from tests.builders import make_cluster, make_job, text_of

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sample(seconds: int, moved_bytes: int, *, phase: int = 0, is_verifying: bool = False) -> JobSample:
    return JobSample(
        at=BEGIN + timedelta(seconds=seconds),
        phase_started_at=BEGIN + timedelta(seconds=phase),
        is_verifying=is_verifying,
        moved_bytes=moved_bytes,
    )


def test_a_rate_is_what_moved_between_two_samples_and_every_phase_begins_at_nothing():
    found = stretches_of(
        [
            sample(10, 1_000),
            sample(20, 1_000),
            sample(40, 500, phase=30),
            sample(60, 900, phase=50, is_verifying=True),
        ]
    )
    assert [(stretch.bytes_per_second, stretch.purpose) for stretch in found] == [
        (100, "Moved"),
        (0, "Moved"),
        (50, "Moved"),
        (90, "Read back"),
    ]


def test_two_samples_of_one_moment_and_a_clock_that_was_set_back_make_no_rate():
    assert [stretch.bytes_per_second for stretch in stretches_of([sample(0, 5), sample(-5, 9), sample(10, 10)])] == [1]


def test_the_chart_has_a_gap_between_two_attempts_and_a_line_for_each_purpose():
    figure = throughput_figure(
        stretches_of(
            [
                sample(10, 20_000_000),
                sample(40, 40_000_000, phase=30),
                sample(60, 10_000_000, phase=50, is_verifying=True),
            ]
        )
    )
    moved, read_back = figure["data"]
    assert moved["y"] == [2, 2, None, 4, 4]
    assert read_back["y"] == [1, 1]
    assert moved["x"][0] == "2026-03-01 12:00:00.000"
    assert figure["layout"]["yaxis"]["title"]["text"] == "MB/s"
    assert figure["layout"]["template"] is None


@pytest.mark.django_db
def test_a_job_that_takes_for_ever_has_few_samples_that_reach_from_its_beginning_to_now(monkeypatch):
    job = make_job(state=JobState.IN_PROGRESS, phase_started_at=BEGIN)
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    sampler = Sampler(job.pk)
    for second in range(4_000):
        clock[0] = float(second)
        sampler.note(second)
    moved = list(job.samples.values_list("moved_bytes", flat=True))
    assert samples.MOST // 2 <= len(moved) <= samples.MOST
    assert moved == sorted(moved)
    assert moved[0] < 100
    assert moved[-1] > 3_900


@pytest.mark.django_db
def test_samples_are_forgotten_after_a_month(monkeypatch):
    job = make_job(state=JobState.IN_PROGRESS, phase_started_at=BEGIN)
    for days in (31, 29):
        JobSample.objects.create(job=job, at=BEGIN - timedelta(days=days), phase_started_at=BEGIN, moved_bytes=days)
    forget_old_samples(BEGIN)
    assert list(job.samples.values_list("moved_bytes", flat=True)) == [29]
    keep_up(BEGIN + timedelta(days=2))
    assert not job.samples.exists()


@pytest.mark.django_db
def test_each_attempt_is_told_with_its_worker_and_what_ended_it():
    job = make_job(type=JobType.BACKUP)
    first = claim_job("worker-1")
    assert first is not None
    move_job(first, JobState.PENDING, note="docs does not answer.")
    second = claim_job("worker-2")
    assert second is not None
    move_job(second, JobState.VERIFYING)
    one, two = attempts_of(JobEvent.objects.filter(job=job))
    assert (one.number, one.worker, one.ending, one.note) == (
        1,
        "worker-1",
        "Will be tried again",
        "docs does not answer.",
    )
    assert one.duration is not None
    assert (two.number, two.worker, two.ending, two.duration) == (2, "worker-2", "Running", None)
    move_job(second, JobState.SUCCESSFUL)
    assert attempts_of(JobEvent.objects.filter(job=job))[1].ending == "Successful"


def test_a_job_that_was_canceled_before_anybody_took_it_has_no_attempt():
    assert attempts_of([JobEvent(from_state="pending", to_state="canceled", at=BEGIN)]) == []


@pytest.mark.parametrize("job_type", list(JobType))
@pytest.mark.parametrize("state", list(JobState))
def test_every_failure_says_what_to_do_next_and_nothing_else_does(job_type, state):
    is_told = bool(describe_next_step(job_type, state))
    assert is_told == (state in {JobState.FAILED, JobState.CRASHED})


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


@pytest.fixture
def job(people) -> Job:
    return make_job(
        type=JobType.BACKUP, state=JobState.FAILED, cluster=make_cluster(people.project), reason="The bucket is gone."
    )


@pytest.mark.django_db
def test_the_page_of_a_job_draws_its_throughput_and_says_the_numbers_beside_it(admin, job):
    JobSample.objects.create(
        job=job, at=BEGIN + timedelta(seconds=10), phase_started_at=BEGIN, moved_bytes=20_000_000_000
    )
    answer = admin.get(job.get_absolute_url())
    assert b'data-chart="throughput-figure"' in answer.content
    assert b"plotly.min.js" in answer.content
    assert "2.00 GB" in text_of(answer)
    assert "Put that right, then create the backup again." in text_of(answer)


@pytest.mark.django_db
def test_a_job_that_never_moved_a_byte_loads_no_chart(admin, job):
    assert b"plotly.min" not in admin.get(job.get_absolute_url()).content


@pytest.mark.django_db
@pytest.mark.parametrize("state", [JobState.IN_PROGRESS, JobState.SUCCESSFUL])
def test_the_chart_asks_for_itself_again_exactly_while_the_job_is_active(admin, people, state):
    job = make_job(type=JobType.BACKUP, state=state, cluster=make_cluster(people.project))
    page = admin.get(reverse("jobs:job-throughput", args=[job.code])).content.decode()
    assert ("hx-get" in page) == (state == JobState.IN_PROGRESS)
    assert page.count('id="job-throughput"') == 1
