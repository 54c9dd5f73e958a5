"""Workers say that they live: a row each, renewed every few seconds, for routing, the Workers page and health."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from types import TracebackType

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

log = logging.getLogger(__name__)

GENERAL = "general"
"""The queue of the workers that take whatever no other worker is meant for."""
_REGION = "region-"
BEAT_SECONDS = 5.0
# What a worker's behaviour depends on.
_ROOMS = ("accounts", "backups", "backupsite", "clusters", "dataplane", "jobs", "pricing")


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def queue_of(region: str) -> str:
    return f"{_REGION}{region}"


def queues_for(regions: Sequence[str]) -> list[str]:
    """What a worker for `regions` listens to; one for no region in particular takes what comes."""
    return [queue_of(region) for region in regions] or [GENERAL]


def regions_in(queues: Sequence[str]) -> list[str]:
    return [queue.removeprefix(_REGION) for queue in queues if queue.startswith(_REGION)]


def living_queues(now: datetime) -> frozenset[str]:
    """The queues to which somebody listens at this moment."""
    from .models import Worker

    found = Worker.objects.living(now).filter(is_woken=True).values_list("queues", flat=True)
    return frozenset(queue for queues in found for queue in queues)


def why_nothing_begins(now: datetime) -> str:
    """The sentence for whoever waits in vain: no worker runs, or none for a region with jobs; empty if all is well."""
    from .models import Job, Worker

    living = list(Worker.objects.living(now).values_list("queues", flat=True))
    if not living:
        return "No worker is running, so no job begins. Start one on the server: python manage.py run_worker."
    queues = {queue for listened in living for queue in listened}
    if GENERAL in queues:
        return ""
    waiting = Job.objects.pending().exclude(target_region__in=regions_in(sorted(queues)))
    regions = sorted(set(waiting.values_list("target_region", flat=True)))
    if not regions:
        return ""
    return (
        f"Jobs wait for {', '.join(regions)}, but no worker takes jobs of these regions. Start one for them, or one "
        "for every region: python manage.py run_worker."
    )


@cache
def code_version() -> str:
    """The first digits of a digest over the code, equal on machines that run the same."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((settings.BASE_DIR / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Presence:
    """Use as a context manager around a worker's life: its row is there and renewed from a thread until the end."""

    def __init__(self, queues: Sequence[str], *, is_woken: bool = False) -> None:
        self._facts = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": code_version(),
            "queues": list(queues),
            "slots": settings.WORKER_CONCURRENCY,
            "is_woken": is_woken,
            "started_at": timezone.now(),
        }
        self._name = worker_name()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def __enter__(self) -> Presence:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take the row away; at worst the worker counts as living for some seconds more."""
        self._over.set()
        self._thread.join(BEAT_SECONDS)

    def _beat(self) -> None:
        from .models import Worker

        mine = Worker.objects.filter(name=self._name)
        try:
            self._say(is_first=True)
            while not self._over.wait(BEAT_SECONDS):
                self._say()
            mine.delete()
        except DatabaseError as trouble:
            log.warning("The row of this worker could not be removed: %s", trouble)
        finally:
            connection.close()

    def _say(self, *, is_first: bool = False) -> None:
        from .models import Worker

        now = timezone.now()
        try:
            # One small write; the whole row only at first, or if somebody took it for that of a dead worker.
            if is_first or not Worker.objects.filter(name=self._name).update(seen_at=now):
                Worker.objects.update_or_create(name=self._name, defaults=self._facts | {"seen_at": now})
        except DatabaseError as trouble:
            connection.close()
            log.warning("This worker could not say that it lives: %s", trouble)
