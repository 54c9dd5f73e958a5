"""From the facts about one place to what it used on each day: pure, and the same whatever was rolled up before.

A place is one cluster's part of one region; a day is one of UTC's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from pricing.calculator import LineKind

SENT, HELD, KEPT = "sent", "held", "kept"
CORRECTION = "correction"
MANUAL = ""


@dataclass(frozen=True)
class Fact:
    """What a line of the ledger says of one day; `pricing.ledger_models` names the fields."""

    kind: str
    day: date
    size_bytes: int
    schedule: str = MANUAL
    source: str = ""
    cause: str = ""
    whole_bytes: int = 0
    retry_bytes: int = 0


@dataclass(frozen=True)
class Carried:
    """What a place takes over from the days before: what lies in it, the copies kept, and who shared it last."""

    held_bytes: int = 0
    kept_bytes: Mapping[str, int] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_anything(self) -> bool:
        """Whether a day without any fact has something to be charged."""
        return self.held_bytes > 0 or any(size > 0 for size in self.kept_bytes.values())


@dataclass(frozen=True)
class Used:
    """What one schedule used of the place on one day."""

    day: date
    kind: LineKind
    source: str
    schedule: str
    size_bytes: int
    whole_bytes: int
    retry_bytes: int = 0


@dataclass(frozen=True)
class RollUp:
    """`before` is what the last day began with, `after` what it left."""

    rows: tuple[Used, ...]
    before: Carried
    after: Carried


def roll_up(begun: Carried, facts: Iterable[Fact], *, first: date, last: date) -> RollUp:
    """What was used on each day from `first`, which began with `begun`, to `last`; all `facts` are of these days."""
    by_day: dict[date, list[Fact]] = defaultdict(list)
    for fact in facts:
        if not first <= fact.day <= last:
            raise ValueError(f"A fact of {fact.day} does not belong to {first} - {last}.")
        by_day[fact.day].append(fact)
    rows: list[Used] = []
    before = after = begun
    day = first
    while day <= last:
        before = after
        used, after = _roll_up_day(day, before, by_day.get(day, []))
        rows += used
        begins_last, day = day == last, _next_day(day, by_day, after)
        if not begins_last and day > last:
            before = after
    return RollUp(tuple(rows), before, after)


def _next_day(day: date, by_day: Mapping[date, list[Fact]], after: Carried) -> date:
    """The next day on which anything is used."""
    if after.is_anything:
        return day + timedelta(days=1)
    return min((other for other in by_day if other > day), default=date.max)


def _roll_up_day(day: date, begun: Carried, facts: list[Fact]) -> tuple[list[Used], Carried]:
    """A started day counts: charged is what lay there when it began, and what was added; a correction counts at once,
    for what it takes away was not there."""
    held = [fact for fact in facts if fact.kind == HELD]
    kept: dict[str, list[int]] = defaultdict(list)
    for fact in facts:
        if fact.kind == KEPT:
            kept[fact.schedule].append(fact.size_bytes)
    charged = begun.held_bytes + sum(
        fact.size_bytes for fact in held if fact.size_bytes > 0 or fact.cause == CORRECTION
    )
    whole = {
        schedule: begun.kept_bytes.get(schedule, 0) + sum(change for change in kept[schedule] if change > 0)
        for schedule in {*begun.kept_bytes, *kept}
    }
    added: dict[str, int] = defaultdict(int)
    for fact in held:
        added[fact.schedule] += max(fact.size_bytes, 0)
    shares = _first_of_any(whole, added, begun.shares)
    rows = list(_storage(day, max(charged, 0), whole, shares))
    rows += _transfer(day, [fact for fact in facts if fact.kind == SENT])
    after = Carried(
        begun.held_bytes + sum(fact.size_bytes for fact in held),
        _without_nothing({name: begun.kept_bytes.get(name, 0) + sum(kept[name]) for name in whole}),
        shares,
    )
    # Nobody shares nothing: so it makes no difference whether days without anything are gone through one by one.
    return rows, after if after.is_anything else replace(after, shares={})


def _storage(day: date, charged: int, whole: Mapping[str, int], shares: Mapping[str, int]) -> Iterator[Used]:
    parts = split(charged, shares)
    for schedule in sorted({*parts, *whole}):
        part, kept = parts.get(schedule, 0), max(whole.get(schedule, 0), 0)
        if part or kept:
            yield Used(day, LineKind.STORAGE, "", schedule, part, kept)


def _transfer(day: date, sent: Iterable[Fact]) -> Iterator[Used]:
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for fact in sent:
        total = sums[fact.source, fact.schedule]
        for number, size_bytes in enumerate((fact.size_bytes, fact.whole_bytes, fact.retry_bytes)):
            total[number] += size_bytes
    for (source, schedule), (size_bytes, whole_bytes, retry_bytes) in sorted(sums.items()):
        if size_bytes or whole_bytes:
            yield Used(day, LineKind.TRANSFER, source, schedule, size_bytes, whole_bytes, retry_bytes)


def split(total: int, shares: Mapping[str, int]) -> dict[str, int]:
    """`total` in whole bytes in proportion to `shares`; the parts add up to it exactly.

    What is left over goes where the fractions are largest, and among equal ones by name.
    """
    of_all = sum(shares.values())
    if not of_all:
        return {MANUAL: total}
    parts = {name: divmod(total * share, of_all) for name, share in shares.items()}
    left = total - sum(part for part, _ in parts.values())
    nearest = sorted(parts, key=lambda name: (-parts[name][1], name))
    return {name: part + (name in nearest[:left]) for name, (part, _) in parts.items()}


def _first_of_any(*candidates: Mapping[str, int]) -> dict[str, int]:
    """Who shares what lies there: whose copies are kept, else who just added something, else as the day before."""
    for candidate in candidates:
        shares = {schedule: size for schedule, size in sorted(candidate.items()) if size > 0}
        if shares:
            return shares
    return {}


def _without_nothing(sizes: Mapping[str, int]) -> dict[str, int]:
    return {schedule: size for schedule, size in sorted(sizes.items()) if size}
