"""The same call once more: clients repeat a write whose answer they did not get, and mean one backup by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone

from accounts.models import User
from backups.models import Backup, Copy
from backups.states import BackupState, Origin, Scope
from clusters.models import Cluster, Region
from jobs.models import Job
from jobs.states import JobState, JobType

# The command line client tries three times, up to half a minute each, with little between.
WITHIN = timedelta(seconds=120)

_CAME_TO_NOTHING = [JobState.FAILED, JobState.CRASHED, JobState.CANCELED]


@contextmanager
def one_at_a_time(row: models.Model) -> Iterator[None]:
    """Whoever does the same with `row` at this moment waits, and then finds what was done: a call and its repetition
    may arrive together."""
    with transaction.atomic():
        type(row)._default_manager.select_for_update(no_key=True).get(pk=row.pk)
        yield


def find_repeated_backup(
    *, user: User, cluster: Cluster, collections: Sequence[tuple[str, str]] | None, regions: Sequence[Region]
) -> Job | None:
    """The job of a backup of just this, asked for by `user` a moment ago, that has not come to nothing."""
    jobs = Job.objects.filter(
        type=JobType.BACKUP,
        origin=Origin.MANUAL,
        cluster=cluster,
        created_by=user,
        created_at__gte=timezone.now() - WITHIN,
    )
    for job in jobs.exclude(state__in=_CAME_TO_NOTHING).select_related("backup", "copy"):
        if _holds(job.backup, collections) and _goes_to(job.backup, regions):
            return job
    return None


def find_repeated_restore(*, user: User, copy: Copy, parameters: dict[str, object], **target: object) -> Job | None:
    """The job of just this restore, asked for by `user` a moment ago; `target` are conditions on its job's cluster."""
    jobs = Job.objects.filter(
        type=JobType.RESTORE,
        copy=copy,
        created_by=user,
        created_at__gte=timezone.now() - WITHIN,
        parameters=parameters,
        **target,
    )
    return jobs.exclude(state__in=_CAME_TO_NOTHING).select_related("cluster").first()


def _holds(backup: Backup, collections: Sequence[tuple[str, str]] | None) -> bool:
    if backup.state == BackupState.DELETED:
        return False
    if collections is None:
        return backup.scope == Scope.CLUSTER
    held = set(backup.collections.values_list("database", "name"))
    return backup.scope == Scope.COLLECTION and held == set(collections)


def _goes_to(backup: Backup, regions: Sequence[Region]) -> bool:
    targets = set(backup.copies.filter(is_original=False).values_list("region", flat=True))
    return targets == {region.code for region in regions}
