"""A worker's hold on a job: progress once a second, cancellation and a lost lease noticed, then silence."""

import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from dataplane.progress import Progress
from jobs.errors import StaleJob
from jobs.hold import Hold
from jobs.models import Job
from jobs.moves import claim_job, move_job
from jobs.states import JobState
from tests.builders import make_job

# The hold writes from a thread of its own, so its rows must be visible across connections.
pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def job(committed) -> Job:
    make_job()
    claimed = claim_job("worker-1")
    assert claimed is not None
    return claimed


def stops_within(hold: Hold, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not hold.should_stop() and time.monotonic() < deadline:
        time.sleep(0.02)
    return hold.should_stop()


def test_progress_is_written_at_most_once_a_second_and_the_newest_wins(job):
    seen = set()
    began = time.monotonic()
    with Hold(job, threading.Event()) as hold:
        done = 0
        while time.monotonic() - began < 2.4:
            done += 1
            hold.on_progress(Progress(done, 1_000_000))
            seen.add(Job.objects.values_list("bytes_done", flat=True).get())
            time.sleep(0.02)
    assert 2 <= len(seen) <= 3  # nothing, then one value for each full second
    stored = Job.objects.get()
    assert 0 < stored.bytes_done < done
    assert stored.bytes_total == 1_000_000
    assert stored.progress_at is not None
    assert 0 < stored.samples.get().moved_bytes < done


def test_a_cancellation_reaches_work_that_makes_no_progress(job):
    with Hold(job, threading.Event()) as hold:
        assert not hold.should_stop()
        move_job(Job.objects.get(), JobState.CANCELING)
        assert stops_within(hold, 2.5)
        assert hold.is_canceled
        assert not hold.is_lost


def test_a_lease_that_went_to_another_worker_is_noticed(job):
    with Hold(job, threading.Event()) as hold:
        Job.objects.update(lease="c" * 32)
        assert stops_within(hold, 2.5)
        assert hold.is_lost
        hold.on_progress(Progress(5, 9))
    assert Job.objects.get().bytes_done == 0


def test_the_lease_is_renewed_while_the_work_is_silent(job, settings):
    settings.JOB_LEASE_SECONDS = 2
    Job.objects.update(lease_until=timezone.now() + timedelta(seconds=2))
    with Hold(job, threading.Event()) as hold:
        time.sleep(2.3)
        lease_until = Job.objects.get().lease_until
        assert lease_until is not None
        assert lease_until > timezone.now()
        assert not hold.should_stop()


def test_nothing_is_written_after_the_release(job):
    hold = Hold(job, threading.Event())
    with hold:
        hold.on_progress(Progress(5, 9))
    before = Job.objects.values().get()
    hold.on_progress(Progress(6, 9))
    time.sleep(1.2)
    assert Job.objects.values().get() == before


def test_a_shutdown_stops_the_work_at_once(job):
    stopping = threading.Event()
    with Hold(job, stopping) as hold:
        stopping.set()
        assert hold.should_stop()


def test_a_commit_is_allowed_while_the_job_is_ours(job):
    with Hold(job, threading.Event()) as hold:
        hold.may_commit()
        move_job(job, JobState.VERIFYING)
        hold.may_commit()


def test_a_commit_is_refused_once_somebody_canceled_or_took_the_job(job):
    with Hold(job, threading.Event()) as hold:
        move_job(job, JobState.CANCELING)
        with pytest.raises(StaleJob):
            hold.may_commit()
        Job.objects.update(lease="c" * 32, state=JobState.IN_PROGRESS)
        with pytest.raises(StaleJob):
            hold.may_commit()
