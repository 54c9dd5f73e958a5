"""Collecting what backups left behind: chunks in a store that no backup of their cluster needs, by a job of its own.

Writers that failed, were canceled or began again leave them, and removals that spare what was written lately. A removal
asks for a collection when it has spared something. Every other place (a cluster's part of the store of one region) in
which something may lie is looked after once a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from accounts.models import User
from backups.models import Copy
from backups.states import Origin

from .models import Job
from .moves import create_job
from .states import WRITERS, JobState, JobType

PERIOD = timedelta(days=1)
# A copy that failed may be made again so long without sending once more what had arrived.
SPARED_FOR = timedelta(days=1)

# A cluster and a region, by their keys.
Place = tuple[int, str]


def request_collection(copy: Copy, *, created_by: User | None, not_before: datetime | None = None) -> Job | None:
    """Queue a collection where `copy` lies or lay; None if one waits or runs there already."""
    try:
        with transaction.atomic():
            return create_job(
                JobType.COLLECT, copy=copy, origin=Origin.AUTO, created_by=created_by, not_before=not_before
            )
    except IntegrityError:
        return None


def request_collections(now: datetime) -> list[Job]:
    """Queue a collection for every place that may hold leftovers and has had none for a day; returns the new jobs.

    Idempotent, for any number of schedulers at any time. Nothing is looked up in a store: two queries, and two more
    for each new job.
    """
    newest = _newest_collections()
    due = {place: job.copy_id for place, job in newest.items() if _has_left_something(job)}
    for place, copy_id, ended_at in _half_done(before=now - SPARED_FOR):
        done = newest.get(place)
        if done is None or done.started_at is None or done.started_at <= ended_at:
            due[place] = copy_id
    jobs = []
    copies = Copy.objects.select_related("backup__project", "backup__cluster", "region")
    for place, copy_id in due.items():
        if place not in newest or newest[place].created_at <= now - PERIOD:
            jobs.append(request_collection(copies.get(pk=copy_id), created_by=None))
    return [job for job in jobs if job is not None]


def _newest_collections() -> dict[Place, Job]:
    collections = Job.objects.filter(type=JobType.COLLECT).order_by()
    newest = collections.values("cluster", "target_region").annotate(newest=Max("pk")).values("newest")
    return {(job.cluster_id, job.target_region_id): job for job in Job.objects.filter(pk__in=newest)}


def _has_left_something(job: Job) -> bool:
    """Whether another collection is wanted although nothing has happened since; see `endings.succeed_collection`."""
    return job.state != JobState.SUCCESSFUL or job.bytes_done < job.bytes_total


def _half_done(*, before: datetime) -> list[tuple[Place, int, datetime]]:
    """Where a writer stopped half-way or mended something: each with a copy that lies there, and when the last one
    ended before `before`."""
    ended = Job.objects.filter(type__in=WRITERS, started_at__isnull=False, finished_at__lte=before)
    # A second claim means that the first came to nothing, whatever became of the job. What a repair replaced had been
    # lost without anybody telling the ledger, which a look into the store puts right.
    left = ended.filter(~Q(state=JobState.SUCCESSFUL) | Q(fence__gt=1) | Q(type=JobType.REPAIR)).order_by()
    rows = left.values_list("cluster", "target_region").annotate(Max("copy"), Max("finished_at"))
    return [((cluster, region), copy, ended_at) for cluster, region, copy, ended_at in rows]
