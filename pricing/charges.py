"""What an organization used, priced by the sheets of the days on which it used it."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, DateField, F, QuerySet, Sum, Value, When
from django.utils import timezone

from pricing.amounts import Priced, parts_of, thirtieth_of
from pricing.calculator import LineKind, quantity_of
from pricing.currencies import SizeUnit
from pricing.ledger_models import DailyUsage, UsagePlace
from pricing.rate_book import RateBook, read_rate_book
from pricing.regions import RegionChoice, region_choices
from pricing.usage import day_of, usage_to_come

GROUPS = ("project", "cluster", "region", "source", "schedule")
"""What charges can be grouped by. Region and source always are: they make the price."""
_ALWAYS = ("kind", "region", "source")
_SIZES = ("size_bytes", "whole_bytes", "retry_bytes")


@dataclass(frozen=True)
class Charge:
    """What one use of one place costs, on one day or, for `per_day=False`, on all days with these prices from it on.

    Fields that were not grouped by are empty. `schedule` is empty for manual backups, too; what was not grouped by is
    known to who asked.
    """

    day: date
    kind: LineKind
    project: str
    cluster: str
    region: str
    source: str
    schedule: str
    size_bytes: int
    """Of storage: bytes times days."""
    whole_bytes: int
    retry_bytes: int
    unit_price: Decimal | None
    currency: str
    unit: SizeUnit
    sheet: str
    """The code of the sheet that priced it; empty if there was none."""

    @property
    def quantity(self) -> Decimal:
        """GB-months (a day is a thirtieth) of storage, GB of transfer; GiB where the sheet says so."""
        size = quantity_of(self.size_bytes, self.unit)
        return thirtieth_of(size) if self.kind is LineKind.STORAGE else size

    @property
    def amount(self) -> Decimal | None:
        """None while no price is set. To add amounts up without rounding, give the charges to `Amounts`."""
        return self.amount_for(self.size_bytes)

    @property
    def priced(self) -> Priced:
        """As `Amounts` takes it."""
        return self.priced_for(self.size_bytes)

    def amount_for(self, size_bytes: int) -> Decimal | None:
        """What so many bytes would have cost instead, such as `whole_bytes`."""
        parts = self.priced_for(size_bytes).parts
        return None if parts is None else thirtieth_of(parts)

    def priced_for(self, size_bytes: int) -> Priced:
        """The same for `Amounts`."""
        parts = None
        if self.unit_price is not None:
            parts = parts_of(self.kind, size_bytes, self.unit.size_bytes, self.unit_price)
        return Priced(self.kind, self.region, self.source, self.currency, parts)


def charges_between(
    organization_id: int,
    first: date,
    last: date,
    *,
    projects: Collection[str] | None = None,
    by: tuple[str, ...] = (),
    per_day: bool = True,
    today: date | None = None,
) -> list[Charge]:
    """Everything charged from `first` to `last`, both included, in UTC, in order of day; today's counts so far.

    `projects` are codes, None for the whole organization; `by` names fields of `GROUPS`. With `per_day=False` days of
    the same prices are one charge, which is enough for totals and much less to look at. Five queries, and one more
    while a day has just begun.
    """
    today = today or day_of(timezone.now())
    last = min(last, today)
    if first > last:
        return []
    names = tuple(name for name in GROUPS if name in {*by, *_ALWAYS})
    book = read_rate_book(organization_id)
    begins = None if per_day else [first, *book.changes_between(first, last)]
    used: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    stored = DailyUsage.objects.filter(organization=organization_id, day__range=(first, last))
    if projects is not None:
        stored = stored.filter(project__in=projects)
    for row in _sums(stored, names, begins):
        _add(used, (row["begin"], row["kind"], *(row[name] for name in names)), (int(row[size]) for size in _SIZES))
    for place, more in usage_to_come(organization_id, last, projects=projects):
        if more.day >= first:
            begin = more.day if begins is None else max(day for day in begins if day <= more.day)
            fields = {"project": place.project, "cluster": place.cluster, "region": place.region}
            fields |= {"source": more.source, "schedule": more.schedule}
            sizes = (more.size_bytes, more.whole_bytes, more.retry_bytes)
            _add(used, (begin, more.kind.value, *(fields[name] for name in names)), sizes)
    return _priced(used, names, book)


def charges_to_come(
    organization_id: int,
    last: date,
    *,
    projects: Collection[str] | None = None,
    by: tuple[str, ...] = (),
    today: date | None = None,
) -> list[Charge]:
    """What the days after today, up to `last`, will cost in storage if what lies in each place now stays.

    One charge for all days of the same prices; whose schedule it is is not told. Four queries.
    """
    first = (today or day_of(timezone.now())) + timedelta(days=1)
    if first > last:
        return []
    places = UsagePlace.objects.filter(organization=organization_id, level_bytes__gt=0)
    if projects is not None:
        places = places.filter(project__in=projects)
    names = tuple(name for name in ("project", "cluster", "region") if name in {*by, "region"})
    book = read_rate_book(organization_id)
    begins = [first, *book.changes_between(first, last)]
    ends = [*begins[1:], last + timedelta(days=1)]
    used: dict[tuple[Any, ...], list[int]] = {}
    for row in places.order_by().values(*names).annotate(held=Sum("level_bytes")):
        for begin, end in zip(begins, ends, strict=True):
            size_bytes = int(row["held"]) * (end - begin).days
            used[begin, LineKind.STORAGE.value, *(row[name] for name in names)] = [size_bytes, size_bytes, 0]
    return _priced(used, names, book)


def month_of(day: date) -> tuple[date, date]:
    """The first and the last day of its calendar month."""
    return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])


def _sums(stored: QuerySet[DailyUsage], names: tuple[str, ...], begins: list[date] | None) -> Iterable[dict[str, Any]]:
    """Added up by the database, for each day or for each period of `begins`."""
    begin: Any = F("day")
    if begins is not None:
        since = [When(day__gte=day, then=Value(day)) for day in sorted(begins, reverse=True)]
        begin = Case(*since, output_field=DateField())
    grouped = stored.order_by().annotate(begin=begin).values("begin", "kind", *names)
    return grouped.annotate(**{size: Sum(size) for size in _SIZES}).iterator()


def _add(used: dict[tuple[Any, ...], list[int]], key: tuple[Any, ...], sizes: Iterable[int]) -> None:
    total = used[key]
    for number, size_bytes in enumerate(sizes):
        total[number] += size_bytes


def _priced(used: Mapping[tuple[Any, ...], list[int]], names: tuple[str, ...], book: RateBook) -> list[Charge]:
    regions = {region.code: region for region in region_choices()}
    charges = []
    for (day, kind, *values), (size_bytes, whole_bytes, retry_bytes) in sorted(used.items()):
        fields = dict.fromkeys(GROUPS, "") | dict(zip(names, values, strict=True))
        charges.append(
            Charge(
                day=day,
                kind=LineKind(kind),
                **fields,
                size_bytes=size_bytes,
                whole_bytes=whole_bytes,
                retry_bytes=retry_bytes,
                **_price(LineKind(kind), fields["region"], fields["source"], day, regions, book),
            )
        )
    return charges


def _price(
    kind: LineKind, code: str, source_code: str, day: date, regions: Mapping[str, RegionChoice], book: RateBook
) -> dict[str, Any]:
    """A region that nobody knows any more has no price."""
    region, source = regions.get(code), regions.get(source_code)
    rates = book.rates_on(region.provider if region else "", day)
    price: Decimal | None = None
    if region is not None and kind is LineKind.STORAGE:
        price = rates.storage_price(code)
    elif region is not None and source is not None:
        price = rates.transfer_price(source.place, region.place)
    return {
        "unit_price": price,
        "currency": rates.currency,
        "unit": rates.unit,
        "sheet": rates.sheet if price is not None else "",
    }
