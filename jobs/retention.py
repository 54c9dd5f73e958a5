"""The end of what schedules have made: each copy expires by itself, the original and every region independently.

A copy is removed when its days since it was stored are over, by a job of its own. It stays while something may read
it, and it stays, with the reason written down, while its cluster would have no proven copy without it: both are asked
when the job is made, and again when it begins. What people made by hand never expires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.audit import record
from accounts.audit_actions import Action
from backups.models import BackupCollection, Copy
from backups.services import clear_reason, move_copy
from backups.states import REMOVABLE, CopyState, Origin, Scope
from clusters.models import Cluster

from .models import Job, Schedule
from .moves import create_job
from .states import ACTIVE, BESIDE_THE_COPY, REMOVERS, JobType

LAST_PROVEN = "last proven copy of this cluster"
LAST_PROVEN_OF_CHOSEN = "last proven copy of these collections"
# A store that was away comes back; a removal that failed is asked for again after this.
AGAIN_AFTER = timedelta(days=1)

_ON_THEIR_WAY = [CopyState.PLANNED, CopyState.TRANSFERRING, CopyState.VERIFYING]
_MAY_STILL_HELP = frozenset({CopyState.AVAILABLE, CopyState.DAMAGED})


@dataclass(frozen=True)
class EarlierEnd:
    """A copy that would be removed earlier than it was to be."""

    copy: Copy
    before: datetime
    after: datetime


def request_expiries(now: datetime) -> list[Job]:
    """Queue the removal of every copy whose time is over and that nothing holds; returns the new jobs.

    Idempotent, for any number of schedulers at any time. Copies that schedules made of a cluster that was dropped go
    with it, whatever their retention (R12).
    """
    jobs = []
    for cluster_id in set(_over(now).order_by().values_list("backup__cluster", flat=True)):
        jobs += expire_copies_of(cluster_id, now)
    _release(now)
    return jobs


@transaction.atomic
def expire_copies_of(cluster_id: int, now: datetime) -> list[Job]:
    """`request_expiries` for one cluster."""
    # Whoever holds this row decides next: two at once could each leave the last proven copy to the other.
    cluster = Cluster.objects.select_for_update(no_key=True).get(pk=cluster_id)
    ready = _not_in_use(_over(now).filter(backup__cluster=cluster))
    copies = list(ready.select_related("backup__project", "backup__cluster", "region"))
    jobs = []
    # What was to end last stays if only one can; of several, the original.
    for copy in sorted(copies, key=lambda copy: (_end_of(copy), copy.is_original)):
        if cluster.dropped_at is None and _is_last_proven(copy):
            _hold(copy)
        elif job := _expire(copy):
            jobs.append(job)
    return jobs


@transaction.atomic
def begin_expiry(job: Job, *, now: datetime) -> str:
    """Mark the copy of an expiry as being removed, or say why it stays: much may have happened while the job waited.

    Somebody may keep it longer now or restore from it, and the copy that was to outlive it may be damaged.
    """
    cluster = Cluster.objects.select_for_update(no_key=True).get(pk=job.backup.cluster_id)
    copy = Copy.objects.select_for_update(of=("self",), no_key=True).select_related("backup").get(pk=job.copy_id)
    if copy.state == CopyState.DELETING:
        return ""  # an earlier attempt began, and part of it may be gone
    if copy.state not in REMOVABLE:
        return f"the copy is {copy.get_state_display().lower()}."
    if cluster.dropped_at is None and not Copy.objects.expired(now).filter(pk=copy.pk).exists():
        return "it is kept longer now."
    readers = Job.objects.active().filter(copy=copy).exclude(type=JobType.COLLECT).exclude(pk=job.pk)
    if readers.exists() or not _not_in_use(Copy.objects.filter(pk=copy.pk)).exists():
        return "another job needs the copy. It is looked at again when that has ended."
    if cluster.dropped_at is None and _is_last_proven(copy):
        _hold(copy)
        return f"it is the {LAST_PROVEN} now."
    move_copy(copy, CopyState.DELETING, reason="", held_reason="")
    job.copy = copy
    return ""


def earlier_ends(schedule: Schedule, *, kept_days: int, kept_days_by_region: Mapping[str, int]) -> list[EarlierEnd]:
    """The copies of `schedule` that these retentions would remove earlier than now, the first to go first."""
    ends = []
    for copy in _copies_of(schedule).select_related("region", "backup"):
        wanted = kept_days if copy.is_original else kept_days_by_region.get(copy.region_id)
        if wanted is None or copy.kept_days is None or copy.stored_at is None or wanted >= copy.kept_days:
            continue
        before, after = (copy.stored_at + timedelta(days=days) for days in (copy.kept_days, wanted))
        ends.append(EarlierEnd(copy, before, after))
    return sorted(ends, key=lambda end: end.after)


def change_retention(schedule: Schedule, *, kept_days: int, kept_days_by_region: Mapping[str, int]) -> None:
    """Keep what `schedule` has made for so long; in regions that are not named, for as long as before."""
    copies = _copies_of(schedule)
    copies.filter(is_original=True).update(kept_days=kept_days)
    for code, days in kept_days_by_region.items():
        copies.filter(is_original=False, region=code).update(kept_days=days)


def _copies_of(schedule: Schedule) -> QuerySet[Copy]:
    made = Job.objects.filter(schedule=schedule, type=JobType.BACKUP).values("backup")
    return Copy.objects.filter(backup__in=made).exclude(state__in=[CopyState.DELETING, CopyState.DELETED])


def _over(now: datetime) -> QuerySet[Copy]:
    """Copies whose time is over and that can be removed now, or whose removal failed a day ago."""
    of_dropped = Copy.objects.filter(origin=Origin.AUTO, deleted_at=None, backup__cluster__dropped_at__isnull=False)
    over = Q(pk__in=Copy.objects.expired(now).values("pk")) | Q(pk__in=of_dropped.values("pk"))
    jobs = Job.objects.filter(copy=OuterRef("pk"))
    lately = jobs.filter(type__in=REMOVERS, finished_at__gt=now - AGAIN_AFTER)
    removable = Q(state__in=REMOVABLE) | (Q(state=CopyState.DELETING) & ~Exists(lately))
    in_use = jobs.filter(state__in=ACTIVE).exclude(type=JobType.COLLECT)
    return Copy.objects.filter(over & removable & ~Exists(in_use))


def _not_in_use(copies: QuerySet[Copy]) -> QuerySet[Copy]:
    """Without those that a job of the same backup reads, or may have to: any copy may become its source.

    A repair may read whatever lies of its cluster in any region.
    """
    active = Job.objects.filter(state__in=ACTIVE)
    reads_any = active.filter(backup=OuterRef("backup")).exclude(type__in=[*REMOVERS, *BESIDE_THE_COPY, JobType.VERIFY])
    mends = active.filter(cluster=OuterRef("backup__cluster"), type=JobType.REPAIR)
    to_be_made = Copy.objects.filter(backup=OuterRef("backup"), state__in=_ON_THEIR_WAY)
    return copies.exclude(Exists(reads_any) | Exists(mends) | Exists(to_be_made))


def _is_last_proven(copy: Copy) -> bool:
    """Whether nothing proven is left without `copy` of what it holds; a damaged one may still be mended.

    A backup of chosen collections stands for no whole cluster, and for another such only if it holds them all.
    """
    if copy.state not in _MAY_STILL_HELP:
        return False
    going = Job.objects.filter(copy=OuterRef("pk"), type__in=REMOVERS, state__in=ACTIVE)
    others = Copy.objects.available().filter(backup__cluster=copy.backup.cluster_id).exclude(pk=copy.pk)
    others = others.exclude(Exists(going))
    if others.filter(backup__scope=Scope.CLUSTER).exists():
        return False
    if copy.backup.scope == Scope.CLUSTER:
        return True
    for database, name in copy.backup.collections.values_list("database", "name"):
        holds_it = BackupCollection.objects.filter(backup=OuterRef("backup"), database=database, name=name)
        others = others.filter(Exists(holds_it))
    return not others.exists()


def _end_of(copy: Copy) -> datetime:
    return copy.expires_at or copy.backup.created_at


def _hold(copy: Copy) -> str:
    reason = LAST_PROVEN if copy.backup.scope == Scope.CLUSTER else LAST_PROVEN_OF_CHOSEN
    Copy.objects.filter(pk=copy.pk).exclude(held_reason=reason).update(held_reason=reason)
    return reason


def _expire(copy: Copy) -> Job | None:
    """The job that removes `copy`; None if somebody has just begun to work on it, and it is looked at again."""
    made_by = Job.objects.filter(backup=copy.backup_id, type=JobType.BACKUP).select_related("schedule").first()
    try:
        with transaction.atomic():
            job = create_job(
                JobType.EXPIRE,
                copy=copy,
                origin=Origin.AUTO,
                created_by=None,
                schedule=made_by.schedule if made_by else None,
            )
    except IntegrityError:
        return None
    if copy.state == CopyState.DELETING:
        clear_reason(copy)
    Copy.objects.filter(pk=copy.pk).exclude(held_reason="").update(held_reason="")
    details = {"job": job.code, "kept_days": copy.kept_days}
    record(Action.COPY_EXPIRED, user=None, target=copy, details=details)
    return job


def _release(now: datetime) -> None:
    """Take the mark from copies that are held no more: kept longer now, or no longer the last one."""
    Copy.objects.held_past_retention().exclude(pk__in=Copy.objects.expired(now).values("pk")).update(held_reason="")
