"""Moves of a job: which are allowed, who wins, and what the database holds to by itself."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from jobs.errors import IllegalMove, StaleJob
from jobs.models import Job, JobEvent
from jobs.moves import move_job, renew_lease
from jobs.states import ACTIVE, FINAL, HELD, MOVES, JobState, backoff_seconds
from tests.builders import make_job

pytestmark = pytest.mark.django_db

LEGAL = [(before, after) for before, afters in MOVES.items() for after in sorted(afters)]
ILLEGAL = [pair for pair in product(JobState, JobState) if pair not in LEGAL]


@pytest.mark.parametrize(("before", "after"), LEGAL)
def test_a_legal_move_writes_the_state_and_exactly_one_event(before, after):
    job = make_job(state=before)
    is_claim = before not in HELD and after in HELD
    changes: dict[str, Any] = {"lease": "b" * 32, "lease_until": timezone.now()} if is_claim else {}
    move_job(job, after, note="because", **changes)
    stored = Job.objects.get(pk=job.pk)
    assert stored.state == job.state == after
    event = JobEvent.objects.get()
    assert (event.from_state, event.to_state, event.note, event.attempt) == (before, after, "because", job.attempt)


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_an_illegal_move_changes_nothing(before, after):
    job = make_job(state=before)
    with pytest.raises(IllegalMove):
        move_job(job, after)
    assert Job.objects.get(pk=job.pk).state == before
    assert not JobEvent.objects.exists()


@pytest.mark.parametrize(("before", "after"), [pair for pair in LEGAL if pair[0] in HELD])
def test_a_job_keeps_its_lease_exactly_while_it_is_held(before, after):
    job = make_job(state=before)
    move_job(job, after)
    assert bool(job.lease) == (job.lease_until is not None) == (after in HELD)


@pytest.mark.parametrize(("before", "after"), [pair for pair in LEGAL if pair[0] != JobState.PENDING])
def test_a_job_has_an_end_exactly_when_its_state_is_final(before, after):
    job = make_job(state=before)
    move_job(job, after)
    assert (job.finished_at is not None) == (after in FINAL)


def test_active_and_final_states_are_all_there_are():
    assert set(JobState) == ACTIVE | FINAL
    assert not ACTIVE & FINAL
    assert HELD < ACTIVE


def test_the_second_of_two_moves_from_the_same_state_is_stale():
    job = make_job(state=JobState.IN_PROGRESS)
    late = Job.objects.get(pk=job.pk)
    move_job(job, JobState.CANCELING)
    with pytest.raises(StaleJob):
        move_job(late, JobState.SUCCESSFUL)
    assert Job.objects.get(pk=job.pk).state == JobState.CANCELING
    assert JobEvent.objects.count() == 1


def test_a_worker_whose_lease_went_to_another_cannot_move_the_job():
    job = make_job(state=JobState.IN_PROGRESS)
    Job.objects.update(lease="c" * 32)
    with pytest.raises(StaleJob):
        move_job(job, JobState.SUCCESSFUL)
    assert Job.objects.get().state == JobState.IN_PROGRESS


def test_renewing_a_lease_keeps_it_and_says_the_state(settings):
    job = make_job(state=JobState.CANCELING, lease_until=timezone.now())
    assert renew_lease(job.pk, job.lease, bytes_done=7) == JobState.CANCELING
    job.refresh_from_db()
    assert job.bytes_done == 7
    assert job.lease_until is not None
    assert job.lease_until > timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS - 5)


def test_a_lease_that_is_lost_is_not_renewed():
    job = make_job(state=JobState.IN_PROGRESS)
    assert renew_lease(job.pk, "c" * 32, bytes_done=7) is None
    assert Job.objects.get().bytes_done == 0


@pytest.mark.parametrize("state", sorted(FINAL))
def test_the_database_refuses_a_final_job_without_an_end(state):
    with pytest.raises(IntegrityError):
        make_job(state=state, finished_at=None)


@pytest.mark.parametrize("state", sorted(ACTIVE))
def test_the_database_refuses_an_active_job_with_an_end(state):
    with pytest.raises(IntegrityError):
        make_job(state=state, finished_at=timezone.now())


@pytest.mark.parametrize("state", sorted(HELD))
def test_the_database_refuses_a_held_job_whose_lease_never_ends(state):
    with pytest.raises(IntegrityError):
        make_job(state=state, lease_until=None)


@pytest.mark.parametrize("state", sorted(set(JobState) - HELD))
def test_the_database_refuses_a_lease_on_a_job_nobody_holds(state):
    with pytest.raises(IntegrityError):
        make_job(state=state, lease="a" * 32)


def test_the_database_lets_one_active_job_at_a_time_write_a_copy():
    job = make_job(state=JobState.IN_PROGRESS)
    make_job(job.copy, type="restore")
    make_job(job.copy, state=JobState.FAILED)
    with pytest.raises(IntegrityError):
        make_job(job.copy)


def test_the_wait_grows_with_the_attempts_and_then_stays():
    waits = [backoff_seconds(attempt) for attempt in range(1, 9)]
    assert waits == sorted(waits)
    assert waits[0] <= 5
    assert waits[-1] == waits[-2] == 300
