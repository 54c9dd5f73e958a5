"""Waking workers: by messages to whoever listens, again if nobody came, and never at the cost of a request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import celery_app
from jobs.celery_app import BrokerDown, wake
from jobs.dispatch import (
    FIRST_PATIENCE_SECONDS,
    QUIET_SECONDS,
    SWEEP_LIMIT,
    MessageDispatcher,
    PollingDispatcher,
    dispatcher,
)
from jobs.models import Job, JobEvent
from jobs.moves import claim_job, create_job, move_job
from jobs.presence import GENERAL, queue_of
from jobs.states import JobState, JobType
from jobs.worker import sweep
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_backup, make_copy, make_job, make_worker

pytestmark = pytest.mark.django_db


class Broker:
    """Takes messages as the real one does, or is away."""

    def __init__(self) -> None:
        self.is_down = False
        self.tries = 0
        self.sent: list[tuple[str, str]] = []

    def send(self, code: str, queue: str) -> None:
        self.tries += 1
        if self.is_down:
            raise BrokerDown("connection refused")
        self.sent.append((code, queue))


@pytest.fixture
def broker(settings, monkeypatch) -> Iterator[Broker]:
    broker = Broker()
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr("jobs.celery_app.send", broker.send)
    dispatcher.cache_clear()
    yield broker
    dispatcher.cache_clear()


def request_copy(region: str = VIRGINIA) -> Job:
    copy = make_copy(make_backup(), region, state="planned")
    return create_job(JobType.COPY, copy=copy, origin=copy.origin, created_by=None)


def test_without_a_broker_nobody_is_woken_and_the_sweep_delivers_nothing():
    assert isinstance(dispatcher(), PollingDispatcher)
    make_worker()
    job = make_job()
    assert dispatcher().deliver_waiting(timezone.now()) == 0
    job.refresh_from_db()
    assert (job.deliveries, job.deliver_after) == (0, None)


def test_a_new_job_is_announced_once_its_row_is_committed(broker, django_capture_on_commit_callbacks):
    make_worker()
    with django_capture_on_commit_callbacks(execute=True):
        job = request_copy()
        assert broker.sent == []
    assert broker.sent == [(job.code, GENERAL)]
    job.refresh_from_db()
    assert job.deliveries == 1
    assert job.deliver_after is not None
    assert dispatcher().deliver_waiting(timezone.now()) == 0


def test_a_worker_of_the_region_is_asked_first_and_everybody_after_that(broker):
    make_worker()
    make_worker(regions=[VIRGINIA])
    make_worker(regions=[FRANKFURT], seen_at=timezone.now() - timedelta(minutes=1))
    near, elsewhere = (
        make_job(make_copy(state="planned")),
        make_job(make_copy(make_backup(), FRANKFURT, state="planned")),
    )
    now = timezone.now()
    dispatcher().deliver_waiting(now)
    assert broker.sent == [(near.code, queue_of(VIRGINIA)), (elsewhere.code, GENERAL)]
    dispatcher().deliver_waiting(now + timedelta(seconds=FIRST_PATIENCE_SECONDS))
    assert broker.sent[2:] == [(near.code, GENERAL), (elsewhere.code, GENERAL)]


def test_nothing_is_sent_where_nobody_listens_and_the_next_sweep_finds_who_came(broker):
    make_worker(regions=[FRANKFURT])
    make_worker(is_woken=False)
    job = make_job(make_copy(state="planned"))
    assert dispatcher().deliver_waiting(timezone.now()) == 0
    make_worker(regions=[VIRGINIA])
    assert sweep() == 0
    assert broker.sent == [(job.code, queue_of(VIRGINIA))]


def test_a_lost_message_is_sent_again_with_growing_patience(broker):
    make_worker()
    make_job()
    now = timezone.now()
    sent_after = []
    for seconds in (0, 9, 10, 29, 30, 69, 70, 149, 150, 309, 310, 609, 610, 909, 910):
        make_worker(name="alive", seen_at=now + timedelta(seconds=seconds))
        if dispatcher().deliver_waiting(now + timedelta(seconds=seconds)):
            sent_after.append(seconds)
    assert sent_after == [0, 10, 30, 70, 150, 310, 610, 910]


def test_what_may_not_run_yet_is_not_delivered(broker, django_capture_on_commit_callbacks):
    make_worker()
    later = timezone.now() + timedelta(minutes=1)
    with django_capture_on_commit_callbacks(execute=True):
        running = make_job(state=JobState.IN_PROGRESS)
        move_job(running, JobState.PENDING, not_before=later)
    assert dispatcher().deliver_waiting(timezone.now()) == 0
    assert broker.sent == []
    make_worker(name="alive", seen_at=later)
    assert dispatcher().deliver_waiting(later) == 1


def test_a_job_that_comes_back_is_announced_as_if_it_were_new(broker, django_capture_on_commit_callbacks):
    make_worker()
    now = timezone.now()
    job = make_job(state=JobState.IN_PROGRESS, lease_until=now - timedelta(seconds=1))
    Job.objects.update(deliveries=5, deliver_after=now + timedelta(minutes=5))
    with django_capture_on_commit_callbacks(execute=True):
        assert sweep() == 1
    # By the sweep and, since this test commits late, after the commit.
    assert [code for code, _ in broker.sent] == [job.code] * 2
    job.refresh_from_db()
    assert (job.state, job.deliveries) == (JobState.PENDING, 2)


def test_a_woken_worker_that_may_not_begin_leaves_the_job_to_the_next_sweep(broker):
    backup = make_backup()
    removal = make_job(make_copy(backup, VIRGINIA, state="deleting"), type=JobType.DELETE)
    make_job(make_copy(make_backup(backup.cluster), VIRGINIA, state="transferring"), state=JobState.IN_PROGRESS)
    Job.objects.filter(pk=removal.pk).update(deliveries=1, deliver_after=timezone.now() + timedelta(minutes=5))
    wake(removal.code)
    removal.refresh_from_db()
    assert (removal.state, removal.deliver_after) == (JobState.PENDING, None)
    make_worker()
    assert dispatcher().deliver_waiting(timezone.now()) == 0


def test_checks_leave_one_slot_alone_and_are_offered_again_later(broker, monkeypatch):
    later = timezone.now() + timedelta(minutes=5)
    check = make_job(make_copy(), type=JobType.VERIFY, deliveries=1, deliver_after=later)
    monkeypatch.setattr("jobs.celery_app._free_for_checks", threading.BoundedSemaphore(1))
    monkeypatch.setattr("jobs.celery_app.run_job", lambda job, stopping: wake(check.code))
    urgent = make_job(make_copy(), type=JobType.RESTORE)
    celery_app._free_for_checks.acquire()
    wake(urgent.code)
    check.refresh_from_db()
    assert (check.state, check.deliver_after) == (JobState.PENDING, later)
    assert Job.objects.get(pk=urgent.pk).state == JobState.IN_PROGRESS

    celery_app._free_for_checks.release()
    wake(make_job(make_copy(), type=JobType.RESTORE).code)
    check.refresh_from_db()
    assert check.state == JobState.IN_PROGRESS
    assert celery_app._free_for_checks.acquire(blocking=False)


def test_a_message_for_a_job_that_was_taken_or_has_ended_or_never_was_changes_nothing(broker):
    for state in (JobState.IN_PROGRESS, JobState.SUCCESSFUL, JobState.CANCELED):
        make_job(state=state)
    before = list(Job.objects.order_by("pk").values())
    for code in [*Job.objects.values_list("code", flat=True), "job-unknown"]:
        wake(code)
    assert list(Job.objects.order_by("pk").values()) == before
    assert not JobEvent.objects.exists()


def test_a_claim_by_code_takes_that_very_job_or_nothing():
    urgent = make_job(make_copy(make_backup()), type=JobType.RESTORE)
    wanted = make_job()
    assert claim_job("worker-1", code=wanted.code) == wanted
    assert claim_job("worker-1", code=wanted.code) is None
    assert Job.objects.get(pk=urgent.pk).state == JobState.PENDING


def test_a_claim_for_regions_takes_the_jobs_of_these():
    make_job(make_copy(make_backup(), FRANKFURT, state="planned"))
    near = make_job(make_copy(state="planned"))
    assert claim_job("worker-1", regions=[VIRGINIA, OREGON]) == near
    assert claim_job("worker-1", regions=[VIRGINIA, OREGON]) is None


def test_while_the_broker_is_away_a_request_waits_for_it_once_and_the_sweep_delivers_later(
    broker, monkeypatch, django_capture_on_commit_callbacks
):
    clock = [100.0]
    monkeypatch.setattr("jobs.dispatch.time.monotonic", lambda: clock[0])
    make_worker()
    broker.is_down = True
    with django_capture_on_commit_callbacks(execute=True):
        jobs = [request_copy() for _ in range(3)]
    assert (broker.tries, broker.sent) == (1, [])
    assert Job.objects.filter(state=JobState.PENDING, deliveries=0).count() == 3
    assert dispatcher().deliver_waiting(timezone.now()) == 0
    assert broker.tries == 2

    broker.is_down = False
    assert dispatcher().deliver_waiting(timezone.now()) == 3
    assert broker.sent == [(job.code, GENERAL) for job in jobs]
    clock[0] += QUIET_SECONDS
    with django_capture_on_commit_callbacks(execute=True):
        request_copy()
    assert len(broker.sent) == 4


def test_one_sweep_delivers_so_many_jobs_and_asks_few_questions(broker, django_assert_max_num_queries):
    make_worker()
    for _ in range(5):
        make_job()
    with django_assert_max_num_queries(2 + 5):
        assert dispatcher().deliver_waiting(timezone.now()) == 5
    assert SWEEP_LIMIT >= 100
    assert isinstance(dispatcher(), MessageDispatcher)
