"""Turning due times into backups: each due time into one run at most, however many schedulers look at it.

After a downtime the newest due time still runs if it may still start (until the end of its window, or two hours after
the time a cron expression names). Older ones are written down as missed, and so is one that meets the backup before it
still at work.
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timedelta

from django.db import transaction

from accounts.errors import Refused
from backups.states import Origin
from clusters.models import Cluster

from .errors import DATABASE_TROUBLE
from .models import Job, Schedule, ScheduledRun
from .schedule_states import RunCause, RunState
from .schedules import Rule, RuleInvalid, due_times, due_until
from .services import request_backup
from .states import JobType

log = logging.getLogger(__name__)

# A schedule that is due every minute, and a scheduler that was away for a month: the newest ones tell the story.
MOST_LISTED = 50
_LOOK_BACK = timedelta(days=31)
_AT_ONCE = 1_000
KEEP_RUNS = timedelta(days=400)
"""So long the list of runs tells what came of each time: a year can be looked back at, and compared with the next."""


def fire_due(now: datetime) -> int:
    """Start the backups that are due, the longest due first; returns how many schedules were dealt with.

    Idempotent, for any number of schedulers at any time. What one schedule does wrong does not hold up the others.
    """
    due = list(Schedule.objects.due(now).values_list("pk", flat=True)[:_AT_ONCE])
    return sum(_fire_safely(schedule_id, now) for schedule_id in due)


def _fire_safely(schedule_id: int, now: datetime) -> bool:
    try:
        return _fire(schedule_id, now)
    except DATABASE_TROUBLE:
        raise
    except Exception:
        log.exception("Schedule %s could not be fired", schedule_id)
        return False


def correct_due_times(now: datetime) -> int:
    """Put schedules right that wait for another time than their rule names next; returns how many.

    A clock that ran ahead for a while made everything due and the next times lie in a future nobody will see; and the
    laws that make the time of a zone change. No due time is fired twice by this: each has one run.
    """
    corrected = 0
    for schedule in Schedule.objects.filter(is_enabled=True, next_due_at__gt=now).iterator():
        try:
            [next_due_at] = due_times(schedule.rule, now, 1)
        except RuleInvalid:
            continue  # said when it is due
        if next_due_at != schedule.next_due_at:
            # Somebody may have changed the rule, or fired it, meanwhile.
            unchanged = Schedule.objects.filter(pk=schedule.pk, next_due_at=schedule.next_due_at)
            corrected += unchanged.filter(updated_at=schedule.updated_at).update(next_due_at=next_due_at)
    return corrected


def forget_old_runs(now: datetime) -> int:
    """Remove the runs that were due longer ago than KEEP_RUNS; returns how many. Their jobs and backups stay."""
    return ScheduledRun.objects.filter(due_at__lt=now - KEEP_RUNS).delete()[0]


@transaction.atomic
def _fire(schedule_id: int, now: datetime) -> bool:
    # The cluster first, as everywhere: what is about to be backed up may be dropped at this moment.
    Cluster.objects.select_for_update(of=("self",), no_key=True).filter(schedules=schedule_id).first()
    # Read again under the lock: another scheduler may have been faster.
    mine = Schedule.objects.due(now).filter(pk=schedule_id).select_for_update(of=("self",), no_key=True)
    schedule = mine.for_page().first()
    if schedule is None:
        return False
    try:
        rule = schedule.rule
    except RuleInvalid as invalid:
        _miss_without_rule(schedule, schedule.next_due_at, invalid, now)
        return True
    *older, newest = _due_times(rule, schedule.next_due_at, now)
    missed = [_missed(schedule, due_at, _passed_over(rule, due_at, newest, now)) for due_at in older]
    ScheduledRun.objects.bulk_create(missed, ignore_conflicts=True)
    if not schedule.runs.filter(due_at=newest).exists():
        _run_or_miss(schedule, newest, _why_not_now(schedule, rule, newest, now))
    schedule.next_due_at = due_times(rule, now, 1)[0]
    schedule.save(update_fields=["next_due_at"])
    return True


def start_run(schedule: Schedule, *, due_at: datetime, cause: RunCause) -> ScheduledRun:
    """Queue the backup that `schedule` describes and write down that it was this run's. Refused if a rule says no."""
    targets = list(schedule.targets.select_related("region"))
    with transaction.atomic():
        job = request_backup(
            user=None,
            cluster=schedule.cluster,
            origin=Origin.AUTO,
            collections=schedule.chosen_collections,
            regions=[target.region for target in targets],
            kept_days=schedule.kept_days,
            kept_days_by_region={target.region_id: target.kept_days for target in targets},
            schedule=schedule,
        )
        return ScheduledRun.objects.create(
            schedule=schedule, due_at=due_at, cause=cause, state=RunState.STARTED, job=job
        )


def running_backup_of(schedule: Schedule) -> Job | None:
    """The original that `schedule` is still making; its copies may take longer than the next one can wait."""
    return Job.objects.active().filter(schedule=schedule, type=JobType.BACKUP).first()


def _due_times(rule: Rule, first: datetime, now: datetime) -> list[datetime]:
    """The newest due times from `first` until `now`, at least one, oldest first."""
    newest: deque[datetime] = deque([first], maxlen=MOST_LISTED)
    newest.extend(due_until(rule, max(first, now - _LOOK_BACK), now))
    return list(newest)


def _why_not_now(schedule: Schedule, rule: Rule, due_at: datetime, now: datetime) -> str:
    if now > rule.latest_start(due_at):
        return _away(rule, due_at)
    running = running_backup_of(schedule)
    return f"The backup before it ({running.code}) had not finished." if running else ""


def _passed_over(rule: Rule, due_at: datetime, newest: datetime, now: datetime) -> str:
    if now > rule.latest_start(due_at):
        return _away(rule, due_at)
    return (
        f"The scheduler was not running at this time. When it ran again, {newest:%Y-%m-%d %H:%M} UTC was due as well, "
        "and one backup stands for both."
    )


def _miss_without_rule(schedule: Schedule, due_at: datetime, invalid: RuleInvalid, now: datetime) -> None:
    """Nobody knows when it is due. It is said once a day, so that somebody does something about it, and not every
    few seconds."""
    reason = f"{invalid} Choose another one for this schedule; until then it makes no backup."
    ScheduledRun.objects.bulk_create([_missed(schedule, due_at, reason)], ignore_conflicts=True)
    schedule.next_due_at = now + timedelta(days=1)
    schedule.save(update_fields=["next_due_at"])


def _away(rule: Rule, due_at: datetime) -> str:
    latest = rule.latest_start(due_at)
    return f"The scheduler was not running until {latest:%Y-%m-%d %H:%M} UTC, by when this backup had to start."


def _run_or_miss(schedule: Schedule, due_at: datetime, reason: str) -> None:
    if not reason:
        try:
            start_run(schedule, due_at=due_at, cause=RunCause.DUE)
        except Refused as refusal:
            reason = str(refusal)
    if reason:
        _missed(schedule, due_at, reason).save()


def _missed(schedule: Schedule, due_at: datetime, reason: str) -> ScheduledRun:
    return ScheduledRun(schedule=schedule, due_at=due_at, state=RunState.MISSED, reason=reason[:1000])
