"""What people asked to be done again and again, and what came of each time."""

from __future__ import annotations

from datetime import time

from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.models import Project, User
from backups.states import Scope
from clusters.models import Cluster, Region

from .codes import schedule_code
from .schedule_querysets import ScheduledRunQuerySet, ScheduleQuerySet
from .schedule_states import RunCause, RunState, ScheduleKind
from .schedules import BasicRule, CronRule, Rule, end_of_window, find_zone, spread_of


class Schedule(models.Model):
    """When backups of one cluster are made by themselves, what they hold, where copies go, how long each is kept."""

    code = models.CharField(max_length=40, unique=True, default=schedule_code, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="schedules")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="schedules")
    name = models.CharField(max_length=80)
    is_enabled = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=400, blank=True, help_text="Why it is off, in one sentence.")
    kind = models.CharField(max_length=10, choices=ScheduleKind.choices, default=ScheduleKind.BASIC)
    days = models.CharField(max_length=7, blank=True, help_text="Digits from 1 (Monday) to 7 (Sunday).")
    window_start = models.TimeField(null=True, blank=True)
    cron = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    scope = models.CharField(max_length=12, choices=Scope.choices, default=Scope.CLUSTER)
    # [database, name] of each chosen collection; empty for the whole cluster.
    collections = models.JSONField(default=list, blank=True)
    kept_days = models.PositiveSmallIntegerField(help_text="Of the original.")
    # What a client of the API said of it, word for word: such a client takes another spelling for a change.
    told = models.JSONField(null=True, blank=True)
    next_due_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "name"], name="schedule_name_unique_in_cluster"),
            # R9: no automatic original without an end.
            models.CheckConstraint(condition=Q(kept_days__gte=1), name="schedule_keeps_at_least_a_day"),
            models.CheckConstraint(
                condition=Q(kind=ScheduleKind.BASIC, window_start__isnull=False, cron="") & ~Q(days="")
                | Q(kind=ScheduleKind.CRON, window_start__isnull=True, days="") & ~Q(cron=""),
                name="schedule_has_the_parts_of_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(is_enabled=True, next_due_at__isnull=False) | Q(is_enabled=False, next_due_at__isnull=True),
                name="schedule_is_due_exactly_while_enabled",
            ),
        ]
        indexes = [models.Index(fields=["next_due_at"], condition=Q(is_enabled=True), name="schedule_due")]
        ordering = ["cluster", "name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("jobs:schedule-detail", args=[self.code])

    @property
    def rule(self) -> Rule:
        """RuleInvalid if its time zone has been abolished since."""
        zone = find_zone(self.time_zone)
        if self.kind == ScheduleKind.CRON or self.window_start is None:
            return CronRule(self.cron, zone)
        return BasicRule(self.day_numbers, self.window_start, zone, spread_of(self.code))

    @property
    def day_numbers(self) -> frozenset[int]:
        return frozenset(map(int, self.days))

    @property
    def window_end(self) -> time | None:
        """What the clock shows at the end of the window, when it was not set meanwhile."""
        return end_of_window(self.window_start) if self.window_start else None

    @property
    def chosen_collections(self) -> list[tuple[str, str]] | None:
        """(database, name) pairs; None for the whole cluster."""
        if self.scope == Scope.CLUSTER:
            return None
        return [(database, name) for database, name in self.collections]


class ScheduleTarget(models.Model):
    """One region to which a schedule's backups are copied, and how long they stay there."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="targets")
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+")
    kept_days = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "region"], name="region_once_per_schedule"),
            models.CheckConstraint(condition=Q(kept_days__gte=1), name="schedule_target_keeps_at_least_a_day"),
        ]
        ordering = ["region"]

    def __str__(self) -> str:
        return f"{self.schedule} to {self.region_id}"


class ScheduledRun(models.Model):
    """One time at which a schedule was due, and whether a backup came of it. Each due time has one run at most."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="runs")
    due_at = models.DateTimeField()
    cause = models.CharField(max_length=10, choices=RunCause.choices, default=RunCause.DUE)
    state = models.CharField(max_length=10, choices=RunState.choices)
    reason = models.CharField(max_length=1000, blank=True, help_text="Why it was missed, in one sentence.")
    job = models.OneToOneField("jobs.Job", null=True, blank=True, on_delete=models.PROTECT, related_name="run")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScheduledRunQuerySet.as_manager()

    class Meta:
        constraints = [
            # However many schedulers run, one of them fires a due time.
            models.UniqueConstraint(fields=["schedule", "due_at"], name="one_run_per_due_time"),
            models.CheckConstraint(
                condition=Q(state=RunState.STARTED, job__isnull=False)
                | Q(state=RunState.MISSED, job__isnull=True) & ~Q(reason=""),
                name="run_has_a_job_or_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["schedule"], condition=Q(state=RunState.MISSED), name="run_missed_by_schedule")]
        ordering = ["-due_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.schedule} at {self.due_at:%Y-%m-%d %H:%M:%S}"
