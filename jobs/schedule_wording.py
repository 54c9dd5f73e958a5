"""Sentences about schedules, and their times as the clock in their zone shows them. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

from .schedules import WEEKDAYS, BasicRule, Rule, due_times, end_of_window

SHOWN_RUNS = 5


@dataclass(frozen=True)
class NextRun:
    """One time at which a rule is due: in its own zone, where the window ends, and what the clock does about it."""

    starts_at: datetime
    ends_at: datetime | None
    note: str = ""

    def __str__(self) -> str:
        """ "Tue 2026-11-24 01:00 to 03:00 CET"."""
        end = f" to {self.ends_at:%H:%M}" if self.ends_at else ""
        return f"{self.starts_at:%a %Y-%m-%d %H:%M}{end} {self.starts_at:%Z}"


def next_runs(rule: Rule, after: datetime, count: int = SHOWN_RUNS) -> list[NextRun]:
    """The next times of `rule` as its zone's clock shows them. Of a basic rule without its place in the window, the
    window; otherwise the moment."""
    return [_shown(rule, due_at) for due_at in due_times(rule, after, count)]


def _shown(rule: Rule, due_at: datetime) -> NextRun:
    local = due_at.astimezone(rule.zone)
    if not isinstance(rule, BasicRule):
        return NextRun(local, None, _repeated(local))
    began = (due_at - rule.offset).astimezone(rule.zone)
    if rule.offset:
        return NextRun(local, None)
    is_moved = began.replace(tzinfo=None).time() != rule.window_start
    note = f"the clock skips {rule.window_start:%H:%M} on this day" if is_moved else _repeated(began)
    return NextRun(local, rule.latest_start(due_at).astimezone(rule.zone), note)


def _repeated(local: datetime) -> str:
    twice = local.replace(fold=1).utcoffset() != local.replace(fold=0).utcoffset()
    return "the clock shows this time twice; it runs the first time" if twice else ""


def describe_days(days: Collection[int]) -> str:
    """ "Every day", "Monday to Friday", "Saturday and Sunday", "Monday, Thursday"."""
    chosen = sorted(days)
    if len(chosen) == 7:
        return "Every day"
    if chosen == [1, 2, 3, 4, 5]:
        return "Monday to Friday"
    names = [WEEKDAYS[day] for day in chosen]
    return " and ".join(names) if len(names) < 3 else ", ".join(names)


def describe_window(start: time) -> str:
    return f"{start:%H:%M} to {end_of_window(start):%H:%M}"


def describe_rule(rule: Rule) -> str:
    """ "Every day, 01:00 to 03:00, Europe/Berlin" or "Cron 30 2 * * 1-5, UTC"."""
    if isinstance(rule, BasicRule):
        return f"{describe_days(rule.days)}, {describe_window(rule.window_start)}, {rule.zone_name}"
    return f"Cron {rule.expression}, {rule.zone_name}"


def describe_pace(per_day: Decimal) -> str:
    """ "24 a day", "7 a week", "2.5 a month"; how often, in the unit in which the number is not below one."""
    units = (("day", 1), ("week", 7), ("month", 30), ("year", 365))
    unit, days = next((found for found in units if per_day * found[1] >= Decimal("0.95")), units[-1])
    return f"{float(round(per_day * days, 1)):,g} a {unit}"
