"""What keeps a pending job from being taken: said once, for the claim and for the page of the job that waits."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from .states import EXEMPT_FROM_REGION_LIMIT, READERS, REMOVERS, TALKS_TO_CLUSTER, WRITERS, JobType


class Barrier(StrEnum):
    CLUSTER_FULL = "cluster_full"
    REGION_FULL = "region_full"
    REMOVAL_BESIDE = "removal_beside"
    WRITER_BESIDE = "writer_beside"
    REPAIR_BESIDE = "repair_beside"
    READER_OF_IT = "reader_of_it"
    REMOVAL_OF_IT = "removal_of_it"


def barriers(job_type: JobType | None = None) -> dict[Barrier, Q]:
    """For each barrier the pending jobs that it holds back now; with `job_type` only those that such jobs can meet.

    Removing and writing never meet in one cluster's part of one region: a removal decides which chunks nobody needs,
    and a writer may be relying on just those (rule R16). Nor is a copy removed while a restore, a repair or another
    copy of its backup is read from it. A check waits for a repair beside it, which may be mending what it would report.
    """
    held = _held()
    beside = held.filter(cluster=OuterRef("cluster"), target_region=OuterRef("target_region"))
    of_this_backup = held.filter(backup=OuterRef("backup"))
    removes, writes, reads = Q(type__in=REMOVERS), Q(type__in=WRITERS), Q(type__in=READERS)
    found: dict[Barrier, tuple[list[JobType], Q]] = {
        Barrier.REMOVAL_BESIDE: ([*REMOVERS, *WRITERS], Q(Exists(beside.filter(removes)))),
        Barrier.WRITER_BESIDE: (REMOVERS, Q(Exists(beside.filter(writes)))),
        Barrier.REPAIR_BESIDE: ([JobType.VERIFY], Q(Exists(beside.filter(type=JobType.REPAIR)))),
        Barrier.READER_OF_IT: (REMOVERS, Q(Exists(of_this_backup.filter(reads)))),
        Barrier.REMOVAL_OF_IT: (READERS, Q(Exists(of_this_backup.filter(removes)))),
    }
    if settings.JOBS_PER_CLUSTER:
        talking = held.filter(type__in=TALKS_TO_CLUSTER)
        full = Q(cluster__in=_full(talking, "cluster", settings.JOBS_PER_CLUSTER))
        found[Barrier.CLUSTER_FULL] = (TALKS_TO_CLUSTER, full)
    if settings.JOBS_PER_REGION:
        limited = [kind for kind in JobType if kind not in EXEMPT_FROM_REGION_LIMIT]
        full = Q(target_region__in=_full(held.filter(type__in=limited), "target_region", settings.JOBS_PER_REGION))
        found[Barrier.REGION_FULL] = (limited, full)
    return {
        barrier: Q(type__in=kinds) & stands
        for barrier, (kinds, stands) in found.items()
        if job_type is None or job_type in kinds
    }


def _held() -> QuerySet[Any]:
    from .models import Job

    return Job.objects.held()


def _full(running: QuerySet[Any], place: str, limit: int) -> QuerySet[Any]:
    """The places in which as many as `limit` are running; looked up once for all pending jobs."""
    return running.order_by().values(place).annotate(running=Count("pk")).filter(running__gte=limit).values(place)
