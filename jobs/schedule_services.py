"""What people ask of schedules. Each call checks the right and the rules; nothing here waits for a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import require
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.models import User
from accounts.privileges import Privilege
from backups.services import check_collections
from backups.states import Scope
from clusters.models import Cluster, Region
from clusters.rules import check_copy_targets, why_not_backed_up
from clusters.services import region_facts, stores_for

from .errors import JobRefused
from .firing import running_backup_of, start_run
from .models import Schedule, ScheduledRun, ScheduleTarget
from .retention import change_retention, earlier_ends
from .schedule_states import RunCause, ScheduleKind
from .schedule_wording import describe_rule
from .schedules import BasicRule, CronRule, Rule, RuleInvalid, due_times, find_zone

MAX_NAME_LENGTH = 80


@dataclass(frozen=True)
class ScheduleRequest:
    """Everything a person says about a schedule; `collections` are (database, name) pairs, None the whole cluster."""

    name: str
    kind: ScheduleKind
    time_zone: str
    kept_days: int
    days: frozenset[int] = frozenset()
    window_start: time | None = None
    cron: str = ""
    collections: Sequence[tuple[str, str]] | None = None
    kept_days_by_region: Mapping[str, int] = field(default_factory=dict)

    def make_rule(self) -> Rule:
        """The rule without its place in the window; JobRefused, with the field, if there is none."""
        try:
            return self._rule(find_zone(self.time_zone))
        except RuleInvalid as invalid:
            raise JobRefused(str(invalid), field=invalid.part) from invalid

    def _rule(self, zone: ZoneInfo) -> Rule:
        if self.kind == ScheduleKind.CRON:
            return CronRule(self.cron, zone)
        if self.window_start is None:
            raise RuleInvalid("Choose when the window begins.", part="window_start")
        return BasicRule(self.days, self.window_start, zone)

    def check(self, cluster: Cluster) -> None:
        """Raise Refused if R1, R2, R3 or R9 forbid this for `cluster`, or a store is missing."""
        if reason := why_not_backed_up(cluster.plan):
            raise JobRefused(reason)
        if not 1 <= len(self.name.strip()) <= MAX_NAME_LENGTH:
            raise JobRefused(f"A schedule needs a name of 1 to {MAX_NAME_LENGTH} characters.", field="name")
        self.make_rule()
        check_collections(self.collections)
        targets = list(Region.objects.filter(code__in=self.kept_days_by_region))
        if unknown := self.kept_days_by_region.keys() - {region.code for region in targets}:
            raise JobRefused(f"There is no region called {sorted(unknown)[0][:60]}.", field="regions")
        check_copy_targets(cluster.plan, region_facts(cluster.region), [region_facts(region) for region in targets])
        self._check_retention(cluster.project.organization.max_retention_days)
        stores_for(cluster.project.organization_id, [cluster.region_id, *self.kept_days_by_region])

    def _check_retention(self, longest: int) -> None:
        asked = {"kept_days": self.kept_days} | {
            f"kept-{code}": kept_days for code, kept_days in self.kept_days_by_region.items()
        }
        for name, kept_days in asked.items():
            if not 1 <= kept_days <= longest:
                raise JobRefused(
                    f"What a schedule makes is kept for 1 to {longest} days, not {kept_days:,}.", field=name
                )

    def write_to(self, schedule: Schedule) -> None:
        """Take this over into the row; its targets are rows of their own."""
        is_cron = self.kind == ScheduleKind.CRON
        schedule.name = self.name.strip()
        schedule.kind, schedule.time_zone, schedule.kept_days = self.kind, self.time_zone, self.kept_days
        schedule.days = "" if is_cron else "".join(map(str, sorted(self.days)))
        schedule.window_start = None if is_cron else self.window_start
        schedule.cron = " ".join(self.cron.split()) if is_cron else ""
        schedule.scope = Scope.CLUSTER if self.collections is None else Scope.COLLECTION
        schedule.collections = [list(pair) for pair in self.collections or ()]


@refusals_as(Action.SCHEDULE_CREATED, of="cluster")
@transaction.atomic
def create_schedule(
    *,
    user: User,
    cluster: Cluster,
    request: ScheduleRequest,
    is_enabled: bool = True,
    told: dict[str, Any] | None = None,
) -> Schedule:
    """Write down a schedule; an enabled one makes a backup at once (R11). Refused with the sentence of the rule.

    `told` are a client's own words for the same, to be given back to it.
    """
    require(user, Privilege.BACKUP_MANAGE, cluster.project)
    cluster = _lock(cluster)
    request.check(cluster)
    schedule = Schedule(project=cluster.project, cluster=cluster, created_by=user, is_enabled=False, told=told)
    schedule.off_reason = f"{user} made it switched off, and nobody has switched it on since."
    _save(schedule, request)
    record(Action.SCHEDULE_CREATED, user=user, target=schedule, details=_details(schedule, request))
    if is_enabled:
        record(Action.SCHEDULE_ENABLED, user=user, target=schedule)
        _enable(schedule)
    return schedule


@refusals_as(Action.SCHEDULE_CHANGED, of="schedule")
@transaction.atomic
def update_schedule(
    *,
    user: User,
    schedule: Schedule,
    request: ScheduleRequest,
    accepts_earlier_ends: bool = False,
    told: dict[str, Any] | None = None,
) -> None:
    """Change a schedule and how long the copies are kept that it has made.

    JobRefused if copies would be removed earlier than they were to be and `accepts_earlier_ends` does not say that
    somebody has seen which (`retention.earlier_ends` lists them).
    """
    require(user, Privilege.BACKUP_MANAGE, schedule.project)
    cluster = _lock(schedule.cluster)
    request.check(cluster)
    ends = earlier_ends(schedule, kept_days=request.kept_days, kept_days_by_region=request.kept_days_by_region)
    if ends and not accepts_earlier_ends:
        raise JobRefused(
            f"This would end {len(ends):,} {'copy' if len(ends) == 1 else 'copies'} earlier than before. Look at the "
            "list, and confirm it if that is meant.",
            field="accepts_earlier_ends",
        )
    schedule = _lock_schedule(schedule)
    schedule.told = told
    _save(schedule, request)
    change_retention(schedule, kept_days=request.kept_days, kept_days_by_region=request.kept_days_by_region)
    details = _details(schedule, request) | {"copies that end earlier": len(ends)}
    record(Action.SCHEDULE_CHANGED, user=user, target=schedule, details=details)


@transaction.atomic
def set_enabled(*, user: User, schedule: Schedule, is_enabled: bool) -> ScheduledRun | None:
    """Turn a schedule on or off. Turning it on makes one backup at once (R11) and returns its run.

    None if nothing was to be done, or if the schedule's own backup is still running: that one will do.
    """
    require(user, Privilege.BACKUP_MANAGE, schedule.project)
    _lock(schedule.cluster)
    schedule = _lock_schedule(schedule)
    if schedule.is_enabled == is_enabled:
        return None
    if is_enabled:
        record(Action.SCHEDULE_ENABLED, user=user, target=schedule)
        return _enable(schedule)
    record(Action.SCHEDULE_DISABLED, user=user, target=schedule)
    schedule.is_enabled, schedule.next_due_at = False, None
    schedule.off_reason = f"Switched off by {user}, {timezone.now():%Y-%m-%d %H:%M} UTC."
    schedule.save(update_fields=["is_enabled", "next_due_at", "off_reason", "updated_at"])
    return None


@refusals_as(Action.SCHEDULE_DELETED, of="schedule")
@transaction.atomic
def delete_schedule(*, user: User, schedule: Schedule) -> None:
    """Remove a schedule and the list of its runs. Its backups stay as long as they were to stay."""
    require(user, Privilege.BACKUP_MANAGE, schedule.project)
    # In this order, as whoever fires it: a run that begins at this moment is there before the rows are gathered.
    Cluster.objects.select_for_update(no_key=True).get(pk=schedule.cluster_id)
    schedule = _lock_schedule(schedule)
    record(Action.SCHEDULE_DELETED, user=user, target=schedule)
    schedule.delete()


def _details(schedule: Schedule, request: ScheduleRequest) -> dict[str, object]:
    """What a reader of the audit log wants to know of a schedule besides its name."""
    return {
        "cluster": schedule.cluster.code,
        "rule": describe_rule(schedule.rule),
        "kept_days": request.kept_days,
        "regions": dict(request.kept_days_by_region),
    }


def _lock(cluster: Cluster) -> Cluster:
    """The cluster as it is now and stays until this is committed; JobRefused if it was dropped."""
    rows = Cluster.objects.select_for_update(of=("self",), no_key=True).select_related(
        "region", "project__organization"
    )
    cluster = rows.get(pk=cluster.pk)
    if cluster.dropped_at is not None:
        raise JobRefused(f"{cluster.name} was dropped and cannot be backed up any more.")
    return cluster


def _lock_schedule(schedule: Schedule) -> Schedule:
    """The schedule as it is now and stays until this is committed; JobRefused if it was deleted."""
    now = Schedule.objects.select_for_update(of=("self",), no_key=True).for_page().filter(pk=schedule.pk).first()
    if now is None:
        raise JobRefused(f"The schedule {schedule.name} has just been deleted.")
    return now


def _rule_of(schedule: Schedule) -> Rule | None:
    try:
        return schedule.rule
    except RuleInvalid:  # its time zone was abolished, which is why somebody changes it
        return None


def _save(schedule: Schedule, request: ScheduleRequest) -> None:
    before = _rule_of(schedule) if schedule.is_enabled else None
    request.write_to(schedule)
    # A rule that stays keeps its next time: it may have come, and not been dealt with yet.
    if schedule.is_enabled and schedule.rule != before:
        schedule.next_due_at = _next(schedule, timezone.now())
    try:
        with transaction.atomic():
            schedule.save()
    except IntegrityError as clash:
        raise JobRefused(
            f"{schedule.cluster.name} already has a schedule called {schedule.name}.", field="name"
        ) from clash
    schedule.targets.all().delete()
    ScheduleTarget.objects.bulk_create(
        ScheduleTarget(schedule=schedule, region_id=code, kept_days=kept_days)
        for code, kept_days in request.kept_days_by_region.items()
    )


def _enable(schedule: Schedule) -> ScheduledRun | None:
    now = timezone.now()
    schedule.is_enabled, schedule.next_due_at, schedule.off_reason = True, _next(schedule, now), ""
    schedule.save(update_fields=["is_enabled", "next_due_at", "off_reason", "updated_at"])
    if running_backup_of(schedule):
        return None
    return start_run(schedule, due_at=now, cause=RunCause.ENABLED)


def _next(schedule: Schedule, after: datetime) -> datetime:
    return due_times(schedule.rule, after, 1)[0]
