"""A worker's hold on a job: progress once a second, cancellation and a lost lease noticed, then silence."""

import threading
import time

import pytest
from django.utils import timezone

from dataplane.progress import Progress
from jobs.errors import StaleJob
from jobs.hold import Hold
from jobs.models import Job
from jobs.moves import claim_job, move_job
from jobs.states import JobState
from tests.builders import make_job
from tests.site import wait_until

# The hold writes from a thread of its own, so its rows must be visible across connections.
pytestmark = pytest.mark.usefixtures("committed")


BEAT_SECONDS = 0.05


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr("jobs.hold.BEAT_SECONDS", BEAT_SECONDS)


@pytest.fixture
def job(committed) -> Job:
    make_job()
    claimed = claim_job("worker-1")
    assert claimed is not None
    return claimed


def test_progress_is_written_at_most_once_a_beat_and_the_newest_wins(job):
    seen, done = set[int](), 0
    began = time.monotonic()

    def has_been_written_twice() -> bool:
        nonlocal done
        done += 1
        hold.on_progress(Progress(done, 1_000_000))
        seen.add(Job.objects.values_list("bytes_done", flat=True).get())
        return len(seen) > 2

    with Hold(job, threading.Event()) as hold:
        wait_until(has_been_written_twice, "progress is written again", pause=0.001)
    # Nothing, then one value for each full beat, however long those took.
    assert (len(seen) - 1) * BEAT_SECONDS <= time.monotonic() - began
    stored = Job.objects.get()
    assert max(seen) <= stored.bytes_done <= done
    assert stored.bytes_total == 1_000_000
    assert stored.progress_at is not None
    assert 0 < stored.samples.earliest("at").moved_bytes <= done


def test_a_cancellation_reaches_work_that_makes_no_progress(job):
    with Hold(job, threading.Event()) as hold:
        assert not hold.should_stop()
        move_job(Job.objects.get(), JobState.CANCELING)
        wait_until(hold.should_stop, "the work hears of it")
        assert hold.is_canceled
        assert not hold.is_lost


def test_a_lease_that_went_to_another_worker_is_noticed(job):
    with Hold(job, threading.Event()) as hold:
        Job.objects.update(lease="c" * 32)
        wait_until(hold.should_stop, "the work hears of it")
        assert hold.is_lost
        hold.on_progress(Progress(5, 9))
    assert Job.objects.get().bytes_done == 0


def test_the_lease_is_renewed_while_the_work_is_silent(job, settings):
    settings.JOB_LEASE_SECONDS = 0.3
    began = timezone.now()
    Job.objects.update(lease_until=began)
    with Hold(job, threading.Event()) as hold:
        wait_until(lambda: Job.objects.filter(lease_until__gt=began).exists(), "the lease is renewed")
        assert not hold.should_stop()


def test_nothing_is_written_after_the_release(job):
    hold = Hold(job, threading.Event())
    with hold:
        hold.on_progress(Progress(5, 9))
    before = Job.objects.values().get()
    hold.on_progress(Progress(6, 9))
    time.sleep(4 * BEAT_SECONDS)
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
