"""Dropping a cluster: its schedules end and what they made goes with it; what people made by hand stays (R12)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.access import require
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.models import User
from accounts.privileges import Privilege
from backups.models import Backup
from backups.states import Origin
from clusters.models import Cluster
from clusters.services import mark_dropped

from .errors import JobRefused
from .models import Job, Schedule
from .retention import expire_copies_of
from .services import cancel_job
from .states import WRITERS, JobState, JobType


@dataclass(frozen=True)
class Drop:
    """What dropping a cluster would remove, and what would stay."""

    schedules: list[Schedule]
    lost: list[Backup]
    kept: list[Backup]

    @property
    def lost_copy_count(self) -> int:
        return sum(len(backup.copies.all()) for backup in self.lost)


def preview_drop(cluster: Cluster) -> Drop:
    """In four queries, however many backups there are."""
    backups = list(Backup.objects.filter(cluster=cluster).existing().for_list())
    return Drop(
        schedules=list(cluster.schedules.order_by("name")),
        lost=[backup for backup in backups if backup.origin == Origin.AUTO],
        kept=[backup for backup in backups if backup.origin == Origin.MANUAL],
    )


@refusals_as(Action.CLUSTER_REMOVED, of="cluster")
@transaction.atomic
def drop_cluster(*, user: User, cluster: Cluster) -> list[Job]:
    """Remove `cluster` from this site, with its automatic backups and their copies; returns the jobs that remove them.

    Nothing is done to the cluster itself, and no job needs it to answer. Automatic backups that are being made are
    canceled, and removed once they have stopped. Refused while something that a person asked for talks to the cluster.
    """
    require(user, Privilege.CLUSTER_MANAGE, cluster.project)
    require(user, Privilege.BACKUP_MANAGE, cluster.project)
    cluster = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    if cluster.dropped_at is not None:
        raise JobRefused(f"{cluster.name} was dropped already.")
    active = Job.objects.active().filter(cluster=cluster).select_related("project", "copy__backup", "backup")
    by_hand = active.filter(type__in=[JobType.BACKUP, JobType.RESTORE], origin=Origin.MANUAL).first()
    if by_hand:
        raise JobRefused(f"{cluster.name} is in use by {by_hand}. Wait until that has finished or cancel it first.")
    automatic = active.filter(type__in=WRITERS, origin=Origin.AUTO)
    for job in automatic.exclude(state=JobState.CANCELING):
        cancel_job(user=user, job=job)
    cluster.schedules.update(is_enabled=False, next_due_at=None)
    mark_dropped(cluster)
    record(Action.CLUSTER_REMOVED, user=user, target=cluster)
    return expire_copies_of(cluster.pk, timezone.now())
