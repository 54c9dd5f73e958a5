"""The questions that every worker asks for work, some times a second: put into SQL once, as moments later again.

What `limits` are is read from the settings by the barriers: with other ones it is another question.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import BigIntegerField, CharField, DateTimeField, F
from django.utils import timezone

from clusters.models import Cluster, Region

from .models import Job
from .prepared import Gap, Question
from .querysets import JobQuerySet
from .states import EXEMPT_FROM_REGION_LIMIT, JobType

_NOW, _CODE, _REGION = Gap("now", DateTimeField()), Gap("code", CharField()), Gap("region", CharField())
_CLUSTER, _OTHER_CLUSTER = Gap("cluster", BigIntegerField()), Gap("other_cluster", BigIntegerField())
_JOB = Gap("job", BigIntegerField())


def is_anything_due() -> bool:
    """Whether the time of any job has come, whatever holds it back."""
    return bool(_due().ask(now=timezone.now()))


def is_anything_claimable(*, regions: Sequence[str], takes_checks: bool) -> bool:
    return bool(_claimable(tuple(regions), takes_checks, _limits()).ask(now=timezone.now()))


def lock_claimable(*, code: str | None, regions: Sequence[str], takes_checks: bool) -> Job | None:
    """The job to be claimed next, locked until the transaction ends: the one with `code`, if named, or the most urgent.

    It knows the `backup_cluster_id` of what it reads, besides the cluster it is about.
    """
    question = _locked(code is not None, tuple(regions), takes_checks, _limits())
    job: Job | None = question.first(now=timezone.now(), code=code)
    return job


def lock_places_of(job: Any) -> bool:
    """Lock the clusters of `job`, a row of `lock_claimable`, then its region where that has a limit.

    False if somebody else has locked one of the clusters; for the region it waits.
    """
    # A restore reads a backup that may belong to another cluster than the one it writes to.
    places = {job.cluster_id, job.backup_cluster_id}
    if len(_clusters().ask(cluster=job.cluster_id, other_cluster=job.backup_cluster_id)) < len(places):
        return False
    if settings.JOBS_PER_REGION and job.type not in EXEMPT_FROM_REGION_LIMIT:
        _region().ask(region=job.target_region_id)
    return True


def is_still_claimable(job: Job) -> bool:
    return bool(_again(job.type, _limits()).ask(now=timezone.now(), job=job.pk))


def _limits() -> tuple[int, int]:
    return settings.JOBS_PER_CLUSTER, settings.JOBS_PER_REGION


@cache
def _due() -> Question:
    return Question(Job.objects.due(_NOW).order_by().only("pk")[:1])


@cache
def _claimable(regions: tuple[str, ...], takes_checks: bool, limits: tuple[int, int]) -> Question:
    return Question(_wanted(regions, takes_checks).only("pk")[:1])


@cache
def _locked(has_code: bool, regions: tuple[str, ...], takes_checks: bool, limits: tuple[int, int]) -> Question:
    wanted = _wanted(regions, takes_checks)
    if has_code:
        wanted = wanted.filter(code=_CODE)
    # Where rows can be locked, workers that look at the same moment look at different jobs.
    can_skip = connection.features.has_select_for_update_skip_locked
    locked = wanted.select_for_update(of=("self",), no_key=True, skip_locked=can_skip)
    return Question(locked.annotate(backup_cluster_id=F("backup__cluster"))[:1])


def _wanted(regions: tuple[str, ...], takes_checks: bool) -> JobQuerySet:
    wanted = Job.objects.claimable(_NOW).in_regions(regions)
    return wanted if takes_checks else wanted.without_checks()


# `no_key`: rows that merely point to these, such as a new job, may be written meanwhile.


@cache
def _clusters() -> Question:
    places = Cluster.objects.filter(pk__in=[_CLUSTER, _OTHER_CLUSTER])
    return Question(places.order_by().only("pk").select_for_update(no_key=True, skip_locked=True))


@cache
def _region() -> Question:
    return Question(Region.objects.filter(pk=_REGION).order_by().only("pk").select_for_update(no_key=True))


@cache
def _again(job_type: str, limits: tuple[int, int]) -> Question:
    return Question(Job.objects.claimable(_NOW, JobType(job_type)).filter(pk=_JOB).order_by().only("pk"))
