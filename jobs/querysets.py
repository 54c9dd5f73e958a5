"""Every named way to read jobs.

QuerySets take `Any` for their model: named, the model would be looked up before mypy's Django plugin knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import BigIntegerField, Exists, OuterRef, Prefetch, Q
from django.db.models.functions import Coalesce

from accounts.access import projects_with
from accounts.models import User
from accounts.privileges import Privilege
from backups.states import CopyState, Origin

from .barriers import barriers
from .prepared import Gap
from .states import ACTIVE, BESIDE_THE_COPY, CHECKS, REMOVERS, TAKERS, JobState, JobType

# Processes may differ a little in their clocks and, while an operator changes it, in the length of a lease.
LONGEST_LEASES = 5


class JobQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> JobQuerySet:
        """Jobs of the projects in which `user` may look at backups."""
        return self.filter(project__in=projects_with(user, Privilege.BACKUP_VIEW))

    def active(self) -> JobQuerySet:
        return self.filter(state__in=ACTIVE)

    def for_row(self) -> JobQuerySet:
        """Everything one row of the job table shows, in one query."""
        return self.select_related("cluster__region", "target_region", "backup", "created_by", "copy")

    def first_jobs(self) -> JobQuerySet:
        """Originals and others that followed from no other job, newest first."""
        return self.filter(parent__isnull=True)

    def for_list(self) -> JobQuerySet:
        """First jobs, each with its copy jobs; two queries however many rows."""
        from jobs.models import Job

        children = Job.objects.for_row().order_by("pk")
        return self.first_jobs().for_row().prefetch_related(Prefetch("children", queryset=children))

    def with_family(self) -> JobQuerySet:
        """Each with `family`, the row number of its first job; with `family_at` that is where a list has its place.

        Written as in the indexes of families, so that they give the order.
        """
        return self.annotate(family=Coalesce("parent_id", "id", output_field=BigIntegerField()))

    def in_families(self, first_jobs: Sequence[int]) -> JobQuerySet:
        """These first jobs and all that followed from them."""
        return self.filter(Q(pk__in=first_jobs) | Q(parent__in=first_jobs))

    def working_on(self, copy_ids: Iterable[int]) -> JobQuerySet:
        """Active jobs that make, check, mend or remove one of these copies; at most one for each."""
        at_work = self.active().filter(copy__in=copy_ids).exclude(type__in=BESIDE_THE_COPY)
        return at_work.select_related("cluster", "target_region")

    def backups_running_in(self, cluster_id: int, origin: Origin) -> JobQuerySet:
        return self.active().filter(cluster=cluster_id, type=JobType.BACKUP, origin=origin)

    def due(self, now: datetime | Gap) -> JobQuerySet:
        """Pending jobs whose time has come, whatever holds them back."""
        return self.filter(Q(not_before__isnull=True) | Q(not_before__lte=now), state=JobState.PENDING)

    def claimable(self, now: datetime | Gap, job_type: JobType | None = None) -> JobQuerySet:
        """Pending jobs whose time has come and that no barrier holds back, most urgent first.

        For jobs that are known to be of one type the question is shorter.

        Costs the same however many jobs have ended: pending and held ones have indexes of their own.
        """
        waiting = self.due(now)
        for barrier in barriers(job_type).values():
            waiting = waiting.exclude(barrier)
        return waiting.order_by("priority", "pk")

    def pending(self) -> JobQuerySet:
        return self.filter(state=JobState.PENDING)

    def in_regions(self, regions: Sequence[str]) -> JobQuerySet:
        """Those whose target is one of `regions`; all of them when none is named."""
        return self.filter(target_region__in=regions) if regions else self

    def without_checks(self) -> JobQuerySet:
        return self.exclude(type=JobType.VERIFY)

    def held(self) -> JobQuerySet:
        """Jobs that a worker is carrying out; said by the lease, for which there are indexes."""
        return self.filter(lease_until__isnull=False)

    def failed_with_none_since(self, since: datetime) -> JobQuerySet:
        """Restores, removals and checks that failed or crashed after `since`, and for which no later one succeeded.

        Later ones count that restore the same backup into the same cluster, delete or prove the same copy, or collect
        in the same place. A check that found damage is not among them: its copy is damaged, and broken by itself.
        """
        from jobs.models import Job

        later = Job.objects.filter(
            type=OuterRef("type"), backup=OuterRef("backup"), pk__gt=OuterRef("pk"), state=JobState.SUCCESSFUL
        )
        removed = Job.objects.filter(
            type__in=REMOVERS, copy=OuterRef("copy"), pk__gt=OuterRef("pk"), state=JobState.SUCCESSFUL
        )
        proven = Job.objects.filter(
            type__in=CHECKS,
            copy=OuterRef("copy"),
            pk__gt=OuterRef("pk"),
            state=JobState.SUCCESSFUL,
        )
        collected = Job.objects.filter(
            type=JobType.COLLECT,
            cluster=OuterRef("cluster"),
            target_region=OuterRef("target_region"),
            pk__gt=OuterRef("pk"),
            state=JobState.SUCCESSFUL,
        )
        return (
            self.filter(finished_at__gte=since, state__in=[JobState.FAILED, JobState.CRASHED])
            .filter(type__in=[JobType.RESTORE, JobType.VERIFY, *TAKERS])
            .exclude(Q(type=JobType.RESTORE) & Exists(later.filter(cluster=OuterRef("cluster"))))
            .exclude(Q(type__in=REMOVERS) & Exists(removed))
            .exclude(Q(type=JobType.COLLECT) & Exists(collected))
            .exclude(Q(type=JobType.VERIFY) & (~Q(copy__state=CopyState.AVAILABLE) | Exists(proven)))
        )

    def with_expired_lease(self, now: datetime) -> JobQuerySet:
        """Jobs whose worker stopped renewing its lease.

        Also those with a lease that ends later than any can: it was given before the clock was set back, and if its
        worker lived it would have been renewed since. Nobody shall wait for the hour to come again.
        """
        latest = now + LONGEST_LEASES * timedelta(seconds=settings.JOB_LEASE_SECONDS)
        # In the order of their index: asked for the newest first, SQLite would walk through all that ever ran.
        return self.filter(Q(lease_until__lt=now) | Q(lease_until__gt=latest)).order_by("lease_until")
