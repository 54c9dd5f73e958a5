"""Every named way to read jobs.

QuerySets take `Any` for their model: named, the model would be looked up before mypy's Django plugin knows it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Prefetch, Q

from accounts.access import projects_with
from accounts.models import User
from accounts.privileges import Privilege
from backups.states import Origin

from .states import ACTIVE, HELD, JobState, JobType


class JobQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> JobQuerySet:
        """Jobs of the projects in which `user` may look at backups."""
        return self.filter(project__in=projects_with(user, Privilege.BACKUP_VIEW))

    def active(self) -> JobQuerySet:
        return self.filter(state__in=ACTIVE)

    def for_row(self) -> JobQuerySet:
        """Everything one row of the job table shows, in one query."""
        return self.select_related("cluster__region", "target_region", "backup", "created_by", "copy")

    def for_list(self) -> JobQuerySet:
        """Originals and other first jobs, newest first, each with its copy jobs; two queries however many rows."""
        from jobs.models import Job

        children = Job.objects.for_row().order_by("pk")
        return self.filter(parent__isnull=True).for_row().prefetch_related(Prefetch("children", queryset=children))

    def backups_running_in(self, cluster_id: int, origin: Origin) -> JobQuerySet:
        return self.active().filter(cluster=cluster_id, type=JobType.BACKUP, origin=origin)

    def claimable(self, now: datetime) -> JobQuerySet:
        """Pending jobs whose time has come, most urgent first.

        Removing and writing never meet in one cluster's part of one region: a removal decides which chunks nobody
        needs, and a writer may be relying on just those (rule R16). Nor is a copy removed while a restore or another
        copy of its backup is read from it.
        """
        from jobs.models import Job

        neighbours = Job.objects.filter(
            cluster=OuterRef("cluster"), target_region=OuterRef("target_region"), state__in=HELD
        ).exclude(pk=OuterRef("pk"))
        writers = neighbours.filter(type__in=[JobType.BACKUP, JobType.COPY])
        removers = neighbours.filter(type=JobType.DELETE)
        of_this_backup = Job.objects.filter(backup=OuterRef("backup"), state__in=HELD).exclude(pk=OuterRef("pk"))
        readers = of_this_backup.filter(type__in=[JobType.RESTORE, JobType.COPY])
        removers_of_it = of_this_backup.filter(type=JobType.DELETE)
        return (
            self.filter(Q(not_before__isnull=True) | Q(not_before__lte=now), state=JobState.PENDING)
            .exclude(Q(type=JobType.DELETE) & (Exists(writers) | Exists(removers) | Exists(readers)))
            .exclude(Q(type__in=[JobType.BACKUP, JobType.COPY]) & Exists(removers))
            .exclude(Q(type__in=[JobType.RESTORE, JobType.COPY]) & Exists(removers_of_it))
            .order_by("priority", "pk")
        )

    def failed_with_none_since(self, since: datetime) -> JobQuerySet:
        """Restores and deletions that failed or crashed after `since`, and for which no later one succeeded.

        Later ones count that restore the same backup into the same cluster, or delete the same copy.
        """
        from jobs.models import Job

        later = Job.objects.filter(
            type=OuterRef("type"), backup=OuterRef("backup"), pk__gt=OuterRef("pk"), state=JobState.SUCCESSFUL
        )
        return (
            self.filter(finished_at__gte=since, state__in=[JobState.FAILED, JobState.CRASHED])
            .filter(type__in=[JobType.RESTORE, JobType.DELETE])
            .exclude(Q(type=JobType.RESTORE) & Exists(later.filter(cluster=OuterRef("cluster"))))
            .exclude(Q(type=JobType.DELETE) & Exists(later.filter(copy=OuterRef("copy"))))
        )

    def with_expired_lease(self, now: datetime) -> JobQuerySet:
        """Jobs whose worker stopped renewing its lease."""
        return self.filter(state__in=HELD, lease_until__lt=now)
