"""The ledger and its roll-up by day: written together, so that they agree after every transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.db import transaction
from django.db.models import Max, QuerySet

from pricing.ledger_models import DailyUsage, LedgerEntry, UsagePlace
from pricing.rollup import Carried, Fact, RollUp, Used, roll_up


@dataclass(frozen=True, order=True)
class PlaceName:
    """One cluster's part of one region, and who pays for it."""

    organization_id: int
    project: str
    cluster: str
    region: str


def day_of(moment: datetime) -> date:
    """The day it belongs to, in UTC like every day that is charged for."""
    return moment.astimezone(UTC).date()


@transaction.atomic
def lock_place(name: PlaceName) -> UsagePlace:
    """The row of the place, ours until the transaction ends; made if there is none."""
    UsagePlace.objects.get_or_create(
        cluster=name.cluster,
        region=name.region,
        defaults={"organization_id": name.organization_id, "project": name.project},
    )
    return UsagePlace.objects.select_for_update(no_key=True).get(cluster=name.cluster, region=name.region)


@transaction.atomic
def note_facts(name: PlaceName, entries: Iterable[LedgerEntry]) -> int:
    """Write down those of `entries`, all about this place, whose keys are not known yet; returns how many these are.

    Whose place it is, is filled in. The roll-up has them in the same transaction.
    """
    place = lock_place(name)
    wanted = {entry.key: entry for entry in entries}
    # The lock makes everybody who knows of the same facts come here one after the other.
    known = set(LedgerEntry.objects.filter(key__in=wanted).values_list("key", flat=True))
    new = [entry for key, entry in wanted.items() if key not in known]
    if not new:
        return 0
    for entry in new:
        entry.organization_id, entry.project = place.organization_id, place.project
        entry.cluster, entry.region = place.cluster, place.region
    LedgerEntry.objects.bulk_create(new)
    days = [day_of(entry.at) for entry in new]
    _roll_up_since(place, min(days), until=max(days))
    return len(new)


def places_behind(day: date) -> QuerySet[UsagePlace]:
    """Places in which something lay on the newest day that is rolled up, where that is before `day`."""
    return UsagePlace.objects.filter(day__lt=day, is_carried=True)


@transaction.atomic
def carry_forward(place_id: int, today: date) -> None:
    """Roll up the days that began since the newest one of a place. Safe to repeat, and for several at once."""
    place = UsagePlace.objects.select_for_update(no_key=True).get(pk=place_id)
    if place.day is not None and place.day < today:
        _roll_up_since(place, place.day, until=today)


def usage_to_come(
    organization_id: int, until: date, *, projects: Collection[str] | None
) -> Iterator[tuple[UsagePlace, Used]]:
    """What `carry_forward` to `until` would write, reckoned without writing.

    In two queries; in one while nothing is behind, which it is only for the first minutes of a day.
    """
    behind = places_behind(until).filter(organization=organization_id)
    if projects is not None:
        behind = behind.filter(project__in=projects)
    places = list(behind)
    if not places:
        return
    # Facts are rolled up when they are noted, so there is none after a place's newest day.
    newest_days = _midnight(min(place.day for place in places if place.day is not None))
    entries = LedgerEntry.objects.filter(cluster__in=behind.values("cluster"), at__gte=newest_days).order_by()
    facts: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for entry in entries.iterator():
        facts[entry.cluster, entry.region].append(_fact_of(entry))
    for place in places:
        for used in _continued(place, facts[place.cluster, place.region], until).rows:
            if place.day is not None and used.day > place.day:
                yield place, used


def differences(place: UsagePlace) -> list[str]:
    """In words, what is rolled up for a place otherwise than the ledger says."""
    expected = _whole(place)
    stored = {
        (row.day, row.kind, row.source, row.schedule): (row.size_bytes, row.whole_bytes, row.retry_bytes)
        for row in DailyUsage.objects.filter(**_in(place))
    }
    wanted = {
        (used.day, used.kind.value, used.source, used.schedule): (used.size_bytes, used.whole_bytes, used.retry_bytes)
        for used in expected.rows
    }
    found = [
        f"{place}, {key[0]}, {key[1]}, schedule {key[3] or 'none'}: {stored.get(key, 'nothing')} rolled up, "
        f"{wanted.get(key, 'nothing')} by the ledger"
        for key in sorted(stored.keys() | wanted.keys())
        if stored.get(key) != wanted.get(key)
    ]
    if (_carried_into(place), place.level_bytes) != (expected.before, expected.after.held_bytes):
        found.append(f"{place}: what is carried into {place.day} is not what the ledger says")
    return found


@transaction.atomic
def rebuild_place(name: PlaceName, *, check_only: bool = False) -> list[str]:
    """Make the roll-up of a place anew from the ledger alone; returns in what it differed, and writes only then."""
    locked = UsagePlace.objects.select_for_update(no_key=True).filter(cluster=name.cluster, region=name.region)
    place = locked.first() or UsagePlace(
        organization_id=name.organization_id, project=name.project, cluster=name.cluster, region=name.region
    )
    newest = LedgerEntry.objects.filter(**_in(place)).aggregate(newest=Max("at"))["newest"]
    if newest is not None:
        place.day = max(place.day or day_of(newest), day_of(newest))
    found = differences(place)
    if found and not check_only:
        DailyUsage.objects.filter(**_in(place)).delete()
        _write(place, _whole(place))
    return found


def places_of_ledger() -> Iterator[PlaceName]:
    """Every place that the ledger or the roll-up knows."""
    names = ("organization_id", "project", "cluster", "region")
    known = UsagePlace.objects.order_by().values_list(*names)
    noted = LedgerEntry.objects.order_by().values_list(*names).distinct()
    for values in sorted({*known, *noted}):
        yield PlaceName(*values)


def _roll_up_since(place: UsagePlace, since: date, *, until: date) -> None:
    """Roll up the days from `since` on, to `until` or the newest there is. The caller holds the lock of the place."""
    last = max(until, place.day or until)
    if place.day is not None and place.day <= since:
        since = place.day
        result = _continued(place, _facts_of(place, since=since), last)
    else:
        # Older than what is carried along: rare, so everything before is counted once more.
        result = roll_up(_before(place, since), _facts_of(place, since=since), first=since, last=last)
    DailyUsage.objects.filter(**_in(place), day__gte=since).delete()
    place.day = last
    _write(place, result)


def _continued(place: UsagePlace, facts: Iterable[Fact], last: date) -> RollUp:
    """From the newest day of the place on, which is reckoned once more."""
    first = place.day or last
    return roll_up(_carried_into(place), [fact for fact in facts if fact.day >= first], first=first, last=last)


def _before(place: UsagePlace, day: date) -> Carried:
    facts = [fact for fact in _facts_of(place) if fact.day < day]
    return roll_up(Carried(), facts, first=min((fact.day for fact in facts), default=day), last=day).before


def _whole(place: UsagePlace) -> RollUp:
    """All that the ledger says of the place, from the beginning to its newest day."""
    facts = _facts_of(place)
    if not facts or place.day is None:
        return RollUp((), Carried(), Carried())
    return roll_up(Carried(), facts, first=min(fact.day for fact in facts), last=place.day)


def _write(place: UsagePlace, result: RollUp) -> None:
    DailyUsage.objects.bulk_create(
        DailyUsage(
            **_in(place),
            organization_id=place.organization_id,
            project=place.project,
            day=used.day,
            kind=used.kind.value,
            source=used.source,
            schedule=used.schedule,
            size_bytes=used.size_bytes,
            whole_bytes=used.whole_bytes,
            retry_bytes=used.retry_bytes,
        )
        for used in result.rows
    )
    place.held_bytes, place.level_bytes = result.before.held_bytes, result.after.held_bytes
    place.kept_bytes, place.shares = dict(result.before.kept_bytes), dict(result.before.shares)
    place.is_carried = result.after.is_anything
    place.save()


def _carried_into(place: UsagePlace) -> Carried:
    return Carried(place.held_bytes, place.kept_bytes, place.shares)


def _facts_of(place: UsagePlace, *, since: date | None = None) -> list[Fact]:
    entries = LedgerEntry.objects.filter(**_in(place)).order_by()
    if since is not None:
        entries = entries.filter(at__gte=_midnight(since))
    return [_fact_of(entry) for entry in entries.iterator()]


def _fact_of(entry: LedgerEntry) -> Fact:
    return Fact(
        kind=entry.kind,
        day=day_of(entry.at),
        size_bytes=entry.size_bytes,
        schedule=entry.schedule,
        source=entry.source,
        cause=entry.cause,
        whole_bytes=entry.whole_bytes,
        retry_bytes=entry.retry_bytes,
    )


def _in(place: UsagePlace) -> dict[str, str]:
    return {"cluster": place.cluster, "region": place.region}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
