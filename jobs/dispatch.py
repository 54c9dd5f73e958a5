"""How a pending job comes to a worker. The row is the job; a message only wakes somebody who then claims the row."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from .presence import GENERAL, living_queues, queue_of
from .states import JobState

log = logging.getLogger(__name__)

# How long a message is given before the job is delivered again; doubled with every delivery up to the limit, so that
# the queues stay short while every worker is busy for hours.
FIRST_PATIENCE_SECONDS, LONGEST_PATIENCE_SECONDS = 10, 300
# After the broker did not answer, requests do not wait for it again this long; the sweep delivers what they left.
QUIET_SECONDS = 10
SWEEP_LIMIT = 500


class Dispatcher(Protocol):
    def announce(self, job: Any) -> None:
        """`job` has just become pending. Call it inside the transaction; it never raises and never waits long."""

    def deliver_waiting(self, now: datetime) -> int:
        """Wake workers for what may run and nobody was woken for, or nobody took; how many. Call it every few seconds.

        It may be called by several processes at once: a job that is delivered twice runs once.
        """

    def not_taken(self, code: str) -> None:
        """A woken worker could not claim the job: something stands against it for now, or against this worker."""


@cache
def dispatcher() -> Dispatcher:
    """Messages through the broker where BROKER_URL names one; else the workers look for themselves."""
    return MessageDispatcher() if settings.BROKER_URL else PollingDispatcher()


class PollingDispatcher:
    """Nothing to do: every worker looks at the rows a few times a second."""

    def announce(self, job: Any) -> None:
        """The next look finds it."""

    def deliver_waiting(self, now: datetime) -> int:
        return 0

    def not_taken(self, code: str) -> None:
        """Nobody was woken, so nobody was disappointed."""


class MessageDispatcher:
    """One message per pending job, through Celery. Messages may be lost or doubled without harm."""

    def __init__(self) -> None:
        self._quiet_until = 0.0

    def announce(self, job: Any) -> None:
        if job.not_before is None or job.not_before <= timezone.now():
            # Robust: the row is written, and no mishap with a message may make the request look failed.
            transaction.on_commit(lambda: self._announce(job.pk, job.code, job.target_region_id), robust=True)

    def deliver_waiting(self, now: datetime) -> int:
        from .models import Job

        queues = living_queues(now)
        due = Job.objects.claimable(now).filter(Q(deliver_after__isnull=True) | Q(deliver_after__lte=now))
        sent = 0
        for job_id, code, region, deliveries in due.values_list("pk", "code", "target_region", "deliveries")[
            :SWEEP_LIMIT
        ]:
            queue = _queue_for(region, queues, is_first=deliveries == 0)
            if queue is None:
                continue
            if not self._send(code, queue):
                break
            _note_delivery(job_id, now, deliveries)
            sent += 1
        return sent

    def not_taken(self, code: str) -> None:
        from .models import Job

        # Delivered again as soon as it may run. One that only this worker had no hand free for waits its time.
        if not Job.objects.claimable(timezone.now()).filter(code=code).exists():
            Job.objects.filter(code=code, state=JobState.PENDING).update(deliver_after=None)

    def _announce(self, job_id: int, code: str, region: str) -> None:
        now = timezone.now()
        queue = _queue_for(region, living_queues(now), is_first=True)
        if queue is not None and time.monotonic() >= self._quiet_until and self._send(code, queue):
            _note_delivery(job_id, now, deliveries=0)

    def _send(self, code: str, queue: str) -> bool:
        from .celery_app import BrokerDown, send

        try:
            send(code, queue)
        except BrokerDown as trouble:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("The broker does not answer; job %s is delivered when it does: %s", code, trouble)
            return False
        return True


def _queue_for(region: str, queues: frozenset[str], *, is_first: bool) -> str | None:
    """The queue of the region while a worker listens to it, else the general one; None where nobody listens.

    A job that its region's workers did not take is offered to everybody.
    """
    regional = queue_of(region)
    wanted = [regional, GENERAL] if is_first else [GENERAL, regional]
    return next((queue for queue in wanted if queue in queues), None)


def _note_delivery(job_id: int, now: datetime, deliveries: int) -> None:
    from .models import Job

    patience = min(FIRST_PATIENCE_SECONDS * 2**deliveries, LONGEST_PATIENCE_SECONDS)
    Job.objects.filter(pk=job_id, state=JobState.PENDING).update(
        deliver_after=now + timedelta(seconds=patience), deliveries=F("deliveries") + 1
    )
