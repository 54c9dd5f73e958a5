"""Single rows for a call, and the code that says that there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Count, Exists, OuterRef, Q
from django.http import Http404

from accounts.access import find_with
from accounts.guard import find
from accounts.http import HtmxHttpRequest
from accounts.models import Project
from accounts.privileges import Privilege
from backups.models import Backup
from backups.states import BackupState
from clusters.models import Cluster, Region
from clusters.querysets import ClusterQuerySet
from jobs.models import Job
from jobs.states import ACTIVE, JobType

from .errors import ApiRefused, Code


@contextmanager
def missing_as(code: Code, sentence: str) -> Iterator[None]:
    try:
        yield
    except Http404 as missing:
        raise ApiRefused(code, sentence, status=404) from missing


def clusters_shown() -> ClusterQuerySet:
    """Clusters with what an answer says of them, in one query."""
    restores = Job.objects.filter(
        cluster=OuterRef("pk"), type=JobType.RESTORE, state__in=ACTIVE, parameters__makes_cluster=True
    )
    listed = Q(backups__state__in=[BackupState.CREATING, BackupState.AVAILABLE])
    return (
        Cluster.objects.existing()
        .select_related("region", "project__organization")
        .annotate(backup_count=Count("backups", filter=listed), is_being_restored=Exists(restores))
    )


def find_cluster(request: HtmxHttpRequest, code: str) -> Cluster:
    with missing_as(Code.NO_CLUSTER, "There is no such cluster."):
        return find(clusters_shown(), request, code=code)


def find_backup(request: HtmxHttpRequest, cluster_code: str, code: str) -> Backup:
    """A backup is found only under its own cluster, also after that was dropped."""
    backups = Backup.objects.existing().for_list().select_related("project__organization", "cluster__region")
    with missing_as(Code.NO_BACKUP, "There is no such backup of this cluster."):
        return find(backups, request, code=code, cluster__code=cluster_code)


def find_job(request: HtmxHttpRequest, code: str) -> Job:
    with missing_as(Code.NO_JOB, "There is no such job."):
        return find(Job.objects.for_row(), request, code=code)


def find_project(request: HtmxHttpRequest, code: str, privilege: Privilege) -> Project:
    """A project that a body names; the privilege is asked again by the service that acts on it."""
    with missing_as(Code.BAD_PROJECT, "There is no such project."):
        return find_with(request.user, privilege, Project.objects.select_related("organization"), code=code)


def find_target_cluster(request: HtmxHttpRequest, code: str) -> Cluster:
    """A cluster that a body names."""
    clusters = Cluster.objects.existing().select_related("region", "project__organization")
    with missing_as(Code.BAD_CLUSTER, "There is no such cluster."):
        return find_with(request.user, Privilege.BACKUP_MANAGE, clusters, code=code)


def find_region(code: str) -> Region:
    region = Region.objects.filter(code=code).first()
    if region is None:
        raise ApiRefused(Code.BAD_REGION, f"There is no region called {code[:60]}.")
    return region
