"""Every named way to read schedules and their runs.

QuerySets take `Any` for their model: named, the model would be looked up before mypy's Django plugin knows it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Prefetch

from accounts.access import projects_with
from accounts.models import User
from accounts.privileges import Privilege

from .schedule_states import RunState
from .states import JobState


class ScheduleQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> ScheduleQuerySet:
        """Schedules of the projects in which `user` may look at backups."""
        return self.filter(project__in=projects_with(user, Privilege.BACKUP_VIEW))

    def due(self, now: datetime) -> ScheduleQuerySet:
        """Enabled schedules whose time has come, the longest due first; found by an index of the enabled ones."""
        return self.filter(is_enabled=True, next_due_at__lte=now).order_by("next_due_at")

    def for_page(self) -> ScheduleQuerySet:
        """A schedule with what its rules need to know, in one query."""
        return self.select_related("cluster__region", "cluster__project__organization", "project")

    def for_list(self) -> ScheduleQuerySet:
        """Everything one row of a list of schedules shows, in four queries however many rows.

        `newest_runs` holds the newest run, with its job and the copies of its backup, or nothing.
        """
        from jobs.schedule_models import ScheduledRun, ScheduleTarget

        return self.select_related("cluster__region").prefetch_related(
            Prefetch("targets", queryset=ScheduleTarget.objects.select_related("region")),
            Prefetch("runs", queryset=ScheduledRun.objects.for_list()[:1], to_attr="newest_runs"),
        )


class ScheduledRunQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> ScheduledRunQuerySet:
        """Runs of schedules in the projects in which `user` may look at backups."""
        return self.filter(schedule__project__in=projects_with(user, Privilege.BACKUP_VIEW))

    def for_list(self) -> ScheduledRunQuerySet:
        """Everything one row of a list of runs shows, in three queries however many rows."""
        from backups.models import Copy

        copies = Copy.objects.select_related("region")
        return self.select_related("job__backup").prefetch_related(Prefetch("job__backup__copies", queryset=copies))

    def missed_with_none_since(self) -> ScheduledRunQuerySet:
        """Missed runs of enabled schedules that have made no backup since that succeeded, the newest first."""
        from jobs.schedule_models import ScheduledRun

        later = ScheduledRun.objects.filter(
            schedule=OuterRef("schedule"), due_at__gt=OuterRef("due_at"), job__state=JobState.SUCCESSFUL
        )
        return (
            self.filter(~Exists(later), state=RunState.MISSED, schedule__is_enabled=True)
            .select_related("schedule__cluster")
            .order_by("schedule", "-due_at")
        )
