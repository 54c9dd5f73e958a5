"""How a job's bytes moved over time: few samples for each job, whatever it takes, and none for ever."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from .models import Job, JobSample
from .states import JobState

MOST = 120
"""A chart shows no more; when a job has as many, every other one goes, and they are taken half as often."""
FIRST_SECONDS = 2.0
KEPT = timedelta(days=30)


class Sampler:
    """Takes the samples of one attempt."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._seconds = FIRST_SECONDS
        self._due = time.monotonic()

    def note(self, moved_bytes: int) -> None:
        """Call it with every progress, in the transaction that writes it; most calls do nothing."""
        now = time.monotonic()
        if now < self._due:
            return
        samples = JobSample.objects.filter(job=self._job_id)
        if samples.count() >= MOST:
            every_other = list(samples.order_by("-at", "-pk").values_list("pk", flat=True)[1::2])
            samples.filter(pk__in=every_other).delete()
            self._seconds *= 2
        self._due = now + self._seconds
        phase_started_at, state = Job.objects.values_list("phase_started_at", "state").get(pk=self._job_id)
        if phase_started_at is not None:
            JobSample.objects.create(
                job_id=self._job_id,
                phase_started_at=phase_started_at,
                is_verifying=state == JobState.VERIFYING,
                moved_bytes=moved_bytes,
            )


def forget_old_samples(now: datetime) -> None:
    JobSample.objects.filter(at__lt=now - KEPT).delete()
