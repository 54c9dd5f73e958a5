"""What keeps a pending job from being taken: said once, for the claim and for the page of the job that waits."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from .states import (
    EXEMPT_FROM_REGION_LIMIT,
    READERS,
    REMOVERS,
    TAKERS,
    TALKS_TO_CLUSTER,
    WRITERS,
    JobState,
    JobType,
)


class Barrier(StrEnum):
    CLUSTER_FULL = "cluster_full"
    REGION_FULL = "region_full"
    REMOVAL_BESIDE = "removal_beside"
    WRITER_BESIDE = "writer_beside"
    WRITER_TO_COME = "writer_to_come"
    REPAIR_BESIDE = "repair_beside"
    READER_OF_IT = "reader_of_it"
    REMOVAL_OF_IT = "removal_of_it"
    REPAIR_IN_CLUSTER = "repair_in_cluster"
    REMOVAL_IN_CLUSTER = "removal_in_cluster"


def barriers(job_type: JobType | None = None) -> dict[Barrier, Q]:
    """For each barrier the pending jobs that it holds back now; with `job_type` only those that such jobs can meet.

    Removing and writing never meet in one cluster's part of one region: a removal decides which chunks nobody needs,
    and a writer may be relying on just those (rule R16). Collecting waits for writers between two attempts, too: what
    they have sent so far would have to travel again. Nor is a copy removed while a restore, a repair or another copy of
    its backup is read from it, or while anything of its cluster is repaired, with what any region may still hold. A
    check waits for a repair beside it, which may be mending what it would report.
    """
    held = _held()
    beside = held.filter(cluster=OuterRef("cluster"), target_region=OuterRef("target_region"))
    to_come = _pending().filter(cluster=OuterRef("cluster"), target_region=OuterRef("target_region"))
    of_this_backup = held.filter(backup=OuterRef("backup"))
    removes, takes, writes, reads = (Q(type__in=kinds) for kinds in (REMOVERS, TAKERS, WRITERS, READERS))
    found: dict[Barrier, tuple[list[JobType], Q]] = {
        Barrier.REMOVAL_BESIDE: ([*TAKERS, *WRITERS], Q(Exists(beside.filter(takes)))),
        Barrier.WRITER_BESIDE: (TAKERS, Q(Exists(beside.filter(writes)))),
        Barrier.WRITER_TO_COME: ([JobType.COLLECT], Q(Exists(to_come.filter(writes)))),
        Barrier.REPAIR_BESIDE: ([JobType.VERIFY], Q(Exists(beside.filter(type=JobType.REPAIR)))),
        Barrier.READER_OF_IT: (REMOVERS, Q(Exists(of_this_backup.filter(reads)))),
        Barrier.REMOVAL_OF_IT: (READERS, Q(Exists(of_this_backup.filter(removes)))),
        Barrier.REPAIR_IN_CLUSTER: (REMOVERS, Q(cluster__in=_clusters(held, [JobType.REPAIR]))),
        Barrier.REMOVAL_IN_CLUSTER: ([JobType.REPAIR], Q(cluster__in=_clusters(held, REMOVERS))),
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


def _pending() -> QuerySet[Any]:
    from .models import Job

    return Job.objects.filter(state=JobState.PENDING)


def _clusters(held: QuerySet[Any], kinds: Sequence[JobType]) -> QuerySet[Any]:
    """Those for which jobs of these `kinds` are at work; looked up once for all pending jobs."""
    return held.order_by().filter(type__in=kinds).values("cluster")


def _full(running: QuerySet[Any], place: str, limit: int) -> QuerySet[Any]:
    """The places in which as many as `limit` are running; looked up once for all pending jobs."""
    return running.order_by().values(place).annotate(running=Count("pk")).filter(running__gte=limit).values(place)
