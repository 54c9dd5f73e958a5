"""The one function that moves a job, and the claim, the lease and the sweep that rest on it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from backups.models import Copy
from clusters.models import Cluster, Region

from .clock import lease_time
from .dispatch import dispatcher
from .errors import IllegalMove, StaleJob
from .looks import is_still_claimable, lock_claimable, lock_places_of
from .models import Job, JobEvent, Schedule
from .states import FINAL, HELD, PRIORITY, JobState, JobType, is_allowed
from .wording import TAKEN_BY

# How often a claim looks again, some milliseconds each, while others decide about the same clusters.
_CLAIM_TRIES = 30


@transaction.atomic
def create_job(
    job_type: JobType,
    *,
    copy: Copy,
    origin: str,
    created_by: User | None,
    parent: Job | None = None,
    cluster: Cluster | None = None,
    target_region: Region | None = None,
    parameters: dict[str, Any] | None = None,
    schedule: Schedule | None = None,
    not_before: datetime | None = None,
) -> Job:
    """Write down one piece of work on `copy`, pending. IntegrityError if R10 or another job on the copy forbids it.

    A copy belongs to the schedule of its original.
    """
    backup, now = copy.backup, timezone.now()
    job = Job.objects.create(
        project=backup.project,
        type=job_type,
        origin=origin,
        cluster=cluster or backup.cluster,
        backup=backup,
        copy=copy,
        target_region=target_region or copy.region,
        parent=parent,
        created_at=now,
        family_at=parent.family_at if parent else now,
        schedule=parent.schedule if parent else schedule,
        parameters=parameters or {},
        priority=PRIORITY[job_type],
        created_by=created_by,
        not_before=not_before,
    )
    JobEvent.objects.create(job=job, to_state=JobState.PENDING, by=created_by)
    dispatcher().announce(job)
    return job


@transaction.atomic
def move_job(job: Job, to: JobState, *, note: str = "", by: User | None = None, **changes: Any) -> None:
    """Move `job` on, or raise StaleJob if somebody else moved it first.

    A job that is no longer held gives its lease back, a final one gets its end.
    """
    before = job.state
    _write_move(job, to, changes)
    job.refresh_from_db()
    _tell(job, before, note=note, by=by)
    if to == JobState.PENDING:
        dispatcher().announce(job)


def _write_move(job: Job, to: JobState, changes: dict[str, Any]) -> None:
    """Write the new state and `changes`, to which is added what comes with the state."""
    if not is_allowed(job.state, to):
        raise IllegalMove(f"{job.code}: {job.state} -> {to}")
    changes["state"] = to
    if to in FINAL:
        changes["finished_at"] = timezone.now()
    if to not in HELD:
        changes |= {"lease": "", "lease_until": None}
    if to == JobState.PENDING:
        changes |= {"deliveries": 0, "deliver_after": None}
    # The WHERE clause is the lock: it matches only while state and lease are as we read them.
    mine = Job.objects.filter(pk=job.pk, state=job.state, lease=job.lease)
    if mine.update(**changes) != 1:
        raise StaleJob(job.code)


def _tell(job: Job, before: str, *, note: str, by: User | None = None) -> None:
    JobEvent.objects.create(
        job=job, attempt=job.attempt, from_state=before, to_state=job.state, note=note[:1000], by=by
    )


def claim_job(
    worker: str, *, code: str | None = None, regions: Sequence[str] = (), takes_checks: bool = True
) -> Job | None:
    """Take the most urgent pending job for `worker`, or None if there is none that may run now.

    With `code` only that very job, with `regions` only jobs of these. Losing a race means looking again. The fence
    grows with every claim; the attempt is counted here, so that a worker which dies before its first word has used one
    up.
    """
    for _ in range(_CLAIM_TRIES):
        with transaction.atomic():
            job = lock_claimable(code=code, regions=regions, takes_checks=takes_checks)
            if job is None:
                return None
            if not _is_free_to_run(job):
                continue
            try:
                _take(job, worker)
            except StaleJob:
                continue
            return job
    return None


def _take(job: Job, worker: str) -> None:
    """Move a job that nobody else can move now, which makes its row known without reading it again."""
    now, before = timezone.now(), job.state
    changes: dict[str, Any] = {
        "lease": secrets.token_hex(16),
        "lease_until": _lease_end(),
        "fence": job.fence + 1,
        "attempt": job.attempt + 1,
        "worker": worker,
        "started_at": job.started_at or now,
        "phase_started_at": now,
        "not_before": None,
        "bytes_done": 0,
        "bytes_total": 0,
        "bytes_before": 0,
        "progress_at": None,
    }
    _write_move(job, JobState.IN_PROGRESS, changes)
    for name, value in changes.items():
        setattr(job, name, value)
    _tell(job, before, note=TAKEN_BY + worker)


def _is_free_to_run(job: Job) -> bool:
    """Whether no barrier holds `job` back, now that nobody else can take a job for its cluster or its region.

    SQLite has one writer at a time, and it is us. Elsewhere two workers may find room for one more at the same moment:
    each locks the cluster, then the region (always in this order) where it has a limit, and looks again. We hold a lock
    on the job already, so we do not wait for a cluster that somebody is deciding about: that one may wait for the job.
    """
    if not connection.features.has_select_for_update:
        return True
    if not lock_places_of(job):
        return False
    return is_still_claimable(job)


def renew_lease(job_id: int, lease: str, **progress: Any) -> JobState | None:
    """Keep the job for another lease and write its progress; the state it is in now, or None if it was taken away."""
    mine = Job.objects.filter(pk=job_id, lease=lease, state__in=HELD)
    if mine.update(lease_until=_lease_end(), **progress) != 1:
        return None
    state = mine.values_list("state", flat=True).first()
    return JobState(state) if state else None


def _lease_end() -> Any:
    return lease_time() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
