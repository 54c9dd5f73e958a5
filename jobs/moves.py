"""The one function that moves a job, and the claim, the lease and the sweep that rest on it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from backups.models import Copy
from clusters.models import Cluster, Region

from .clock import lease_time
from .dispatch import dispatcher
from .errors import IllegalMove, StaleJob
from .models import Job, JobEvent, Schedule
from .states import EXEMPT_FROM_REGION_LIMIT, FINAL, HELD, PRIORITY, JobState, JobType, is_allowed

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
) -> Job:
    """Write down one piece of work on `copy`, pending. IntegrityError if R10 or another job on the copy forbids it.

    A copy belongs to the schedule of its original.
    """
    backup = copy.backup
    job = Job.objects.create(
        project=backup.project,
        type=job_type,
        origin=origin,
        cluster=cluster or backup.cluster,
        backup=backup,
        copy=copy,
        target_region=target_region or copy.region,
        parent=parent,
        schedule=parent.schedule if parent else schedule,
        parameters=parameters or {},
        priority=PRIORITY[job_type],
        created_by=created_by,
    )
    JobEvent.objects.create(job=job, to_state=JobState.PENDING, by=created_by)
    dispatcher().announce(job)
    return job


@transaction.atomic
def move_job(job: Job, to: JobState, *, note: str = "", by: User | None = None, **changes: Any) -> None:
    """Move `job` on, or raise StaleJob if somebody else moved it first.

    A job that is no longer held gives its lease back, a final one gets its end.
    """
    before = JobState(job.state)
    if not is_allowed(before, to):
        raise IllegalMove(f"{job.code}: {before} -> {to}")
    if to in FINAL:
        changes["finished_at"] = timezone.now()
    if to not in HELD:
        changes |= {"lease": "", "lease_until": None}
    if to == JobState.PENDING:
        changes |= {"deliveries": 0, "deliver_after": None}
    # The WHERE clause is the lock: it matches only while state and lease are as we read them.
    mine = Job.objects.filter(pk=job.pk, state=before, lease=job.lease)
    if mine.update(state=to, **changes) != 1:
        raise StaleJob(job.code)
    job.refresh_from_db()
    JobEvent.objects.create(job=job, attempt=job.attempt, from_state=before, to_state=to, note=note[:1000], by=by)
    if to == JobState.PENDING:
        dispatcher().announce(job)


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
            wanted = Job.objects.claimable(timezone.now()).in_regions(regions)
            if not takes_checks:
                wanted = wanted.without_checks()
            if code is not None:
                wanted = wanted.filter(code=code)
            # Where rows can be locked, workers that look at the same moment look at different jobs.
            can_skip = connection.features.has_select_for_update_skip_locked
            job = wanted.select_for_update(of=("self",), no_key=True, skip_locked=can_skip).first()
            if job is None:
                return None
            if not _is_free_to_run(job):
                continue
            try:
                move_job(
                    job,
                    JobState.IN_PROGRESS,
                    note=f"Taken by {worker}",
                    lease=secrets.token_hex(16),
                    lease_until=_lease_end(),
                    fence=F("fence") + 1,
                    attempt=F("attempt") + 1,
                    worker=worker,
                    started_at=job.started_at or timezone.now(),
                    phase_started_at=timezone.now(),
                    not_before=None,
                    bytes_done=0,
                    bytes_total=0,
                    bytes_before=0,
                    progress_at=None,
                )
            except StaleJob:
                continue
            return job
    return None


def _is_free_to_run(job: Job) -> bool:
    """Whether no barrier holds `job` back, now that nobody else can take a job for its cluster or its region.

    SQLite has one writer at a time, and it is us. Elsewhere two workers may find room for one more at the same moment:
    each locks the cluster, then the region (always in this order) where it has a limit, and looks again. We hold a lock
    on the job already, so we do not wait for a cluster that somebody is deciding about: that one may wait for the job.
    """
    if not connection.features.has_select_for_update:
        return True
    # `no_key`: rows that merely point to these, such as a new job, may be written meanwhile.
    # A restore reads a backup that may belong to another cluster than the one it writes to.
    places = {job.cluster_id, job.backup.cluster_id}
    ours = Cluster.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=places)
    if len(ours) < len(places):
        return False
    if settings.JOBS_PER_REGION and job.type not in EXEMPT_FROM_REGION_LIMIT:
        Region.objects.select_for_update(no_key=True).get(pk=job.target_region_id)
    return Job.objects.claimable(timezone.now()).filter(pk=job.pk).exists()


def renew_lease(job_id: int, lease: str, **progress: Any) -> JobState | None:
    """Keep the job for another lease and write its progress; the state it is in now, or None if it was taken away."""
    mine = Job.objects.filter(pk=job_id, lease=lease, state__in=HELD)
    if mine.update(lease_until=_lease_end(), **progress) != 1:
        return None
    state = mine.values_list("state", flat=True).first()
    return JobState(state) if state else None


def _lease_end() -> Any:
    return lease_time() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
