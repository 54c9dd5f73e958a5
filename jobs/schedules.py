"""When a schedule is due. Pure: rules in, moments in UTC out.

A rule speaks of the clock on the wall in its zone. Where that clock jumps ahead, a time it skips is due at the first
moment after the gap; where it jumps back, a time it shows twice is due once, when it shows it first. Whatever several
skipped times come to, one moment is due once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

WINDOW = timedelta(hours=2)
"""From the chosen start of a basic rule; the backup begins somewhere inside, and never after its end."""
SPREAD = timedelta(minutes=90)
"""Over so much of the window the starts are spread; the rest is left for a scheduler that was away."""
CATCH_UP = timedelta(hours=2)
"""How long after its time a cron rule may still start."""
WEEKDAYS = {1: "Monday", 2: "Tuesday", 3: "Wednesday", 4: "Thursday", 5: "Friday", 6: "Saturday", 7: "Sunday"}

# From these many next times the steady pace of a rule is reckoned.
_PACE_SAMPLE = 366


class RuleInvalid(ValueError):
    """No schedule can be made of this: one sentence, and the name of the part it is about."""

    def __init__(self, sentence: str, *, part: str) -> None:
        super().__init__(sentence)
        self.part = part


@dataclass(frozen=True)
class BasicRule:
    """On some days of the week, within two hours from `window_start`."""

    days: frozenset[int]  # 1 is Monday, 7 is Sunday
    window_start: time
    zone: ZoneInfo
    # How far into the window this schedule starts; see `spread_of`.
    offset: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if not self.days:
            raise RuleInvalid("Choose at least one day of the week.", part="days")
        if not self.days <= WEEKDAYS.keys():
            raise RuleInvalid("A day of the week is a number from 1 (Monday) to 7 (Sunday).", part="days")
        if not timedelta(0) <= self.offset < WINDOW:
            raise ValueError("the offset lies outside the window")

    @property
    def zone_name(self) -> str:
        return self.zone.key

    def latest_start(self, due_at: datetime) -> datetime:
        """Until when a backup due at `due_at` may begin: the end of its window."""
        return due_at - self.offset + WINDOW

    def _upcoming(self, after: datetime) -> Iterator[datetime]:
        # A window may have begun, in this zone, on the day before the one on which it is due.
        day = after.astimezone(self.zone).date() - timedelta(days=2)
        while day < date.max - timedelta(days=2):
            day += timedelta(days=1)
            if day.isoweekday() in self.days:
                yield instant_of(datetime.combine(day, self.window_start), self.zone) + self.offset


@dataclass(frozen=True)
class CronRule:
    """At exactly the times that a cron expression of five fields names."""

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if len(self.expression.split()) != 5:
            raise RuleInvalid(
                "A cron expression has five fields: minute, hour, day of month, month, day of week (0 is Sunday). "
                "For example 30 2 * * 1-5.",
                part="cron",
            )
        try:
            # Without a zone: the library's own handling of clock changes leaves out times that a rule with a star
            # names, and repeats others.
            comes = next(CronSim(self.expression, datetime(2024, 1, 1)), None)  # noqa: DTZ001
        except CronSimError as error:
            raise RuleInvalid(f"This is no cron expression: {str(error).lower()}.", part="cron") from error
        if comes is None:
            raise RuleInvalid("This cron expression names a time that never comes.", part="cron")

    @property
    def zone_name(self) -> str:
        return self.zone.key

    def latest_start(self, due_at: datetime) -> datetime:
        """Until when a backup due at `due_at` may begin."""
        return due_at + CATCH_UP

    def _upcoming(self, after: datetime) -> Iterator[datetime]:
        # Whatever the clock does: a time that it showed, or skipped, by now is not due any more.
        local = after.astimezone(self.zone).replace(tzinfo=None)
        for wall in CronSim(self.expression, local):
            yield instant_of(wall, self.zone)


Rule = BasicRule | CronRule


def times_after(rule: Rule, after: datetime) -> Iterator[datetime]:
    """Every due time of `rule` later than `after`, in UTC and in order, each once; without end for most rules."""
    last = after.astimezone(UTC)
    for due_at in rule._upcoming(after):
        if due_at > last:
            yield due_at
            last = due_at


def due_times(rule: Rule, after: datetime, count: int) -> list[datetime]:
    """The next `count` due times later than `after`, in UTC; fewer only if there are no more."""
    return list(islice(times_after(rule, after), count))


def due_until(rule: Rule, after: datetime, until: datetime) -> Iterator[datetime]:
    """The due times later than `after` and not later than `until`."""
    return takewhile(lambda due_at: due_at <= until, times_after(rule, after))


def per_day(rule: Rule, after: datetime) -> Decimal:
    """How many backups a day `rule` makes in the long run, reckoned from its next times."""
    if isinstance(rule, BasicRule):
        return Decimal(len(rule.days)) / 7
    times = due_times(rule, after, _PACE_SAMPLE)
    if len(times) < 2:
        return Decimal(0)
    span = times[-1] - times[0]
    return Decimal(len(times) - 1) * Decimal(86_400) / Decimal(int(span.total_seconds()))


def spread_of(code: str) -> timedelta:
    """How far into its window the schedule called `code` starts: always the same, and different from most others."""
    number = int.from_bytes(hashlib.sha256(code.encode()).digest()[:8], "big")
    return timedelta(seconds=number % int(SPREAD.total_seconds()))


def end_of_window(start: time) -> time:
    """What the clock shows two hours after `start`, on a day on which nobody sets it."""
    return time((start.hour + int(WINDOW.total_seconds()) // 3600) % 24, start.minute)


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which the clock in `zone` first shows `wall`, or first shows a later time."""
    early, late = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    if early >= late or late.astimezone(zone).replace(tzinfo=None) == wall:
        return late
    # Skipped. With the offset of after the jump `wall` lies before it, with that of before the jump after it; in
    # between, to the second, lies the jump itself.
    offset_after = late.astimezone(zone).utcoffset()
    low, high = early, late
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset_after:
            high = middle
        else:
            low = middle
    return high


@cache
def zone_names() -> tuple[str, ...]:
    """The names of zones that people may choose, in order: those of places, and UTC."""
    return tuple(
        sorted(
            name
            for name in available_timezones()
            if name == "UTC" or ("/" in name and not name.startswith(("Etc/", "SystemV/", "posix/", "right/")))
        )
    )


def find_zone(name: str) -> ZoneInfo:
    """The zone called `name`; RuleInvalid if there is none."""
    if name not in zone_names():
        raise RuleInvalid(f"There is no time zone called {name[:60]}.", part="time_zone")
    return ZoneInfo(name)
