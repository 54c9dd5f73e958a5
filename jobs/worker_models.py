from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone

SILENT_SECONDS = 20
"""A worker that has not been seen for this long is taken for dead; it says every 5 s that it lives."""
FORGET_AFTER = timedelta(days=1)


class WorkerQuerySet(models.QuerySet[Any]):
    def living(self, now: datetime) -> WorkerQuerySet:
        return self.filter(seen_at__gte=now - timedelta(seconds=SILENT_SECONDS))

    def long_silent(self, now: datetime) -> WorkerQuerySet:
        """Those that nobody wants to read of any more."""
        return self.filter(seen_at__lt=now - FORGET_AFTER)


class Worker(models.Model):
    """A worker process, as it says of itself; one that stops in order takes its row away."""

    name = models.CharField(max_length=120, unique=True)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    # Of the code it runs, to see a machine that was forgotten in an update.
    version = models.CharField(max_length=12)
    queues = models.JSONField(default=list)
    slots = models.PositiveSmallIntegerField()
    is_woken = models.BooleanField(default=False, help_text="By messages; else it looks at the rows by itself.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_living(self) -> bool:
        return (timezone.now() - self.seen_at).total_seconds() < SILENT_SECONDS
