"""What was used on each day, and what that costs at the prices of that day: what a bill is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from backups.models import Copy
from pricing.calculator import DAYS_PER_MONTH, LineKind, Rates, add_up, billable_days, quantity_of
from pricing.services import rates_by_day

from .savings import source_of, transfer_price_of


@dataclass(frozen=True)
class UsageLine:
    """One kind of use on one day, of one cluster in one region; `source` is set for transfer only.

    `quantity` is in GB-months (a day is a thirtieth) for storage and in GB for transfer; `amount` is None while no
    price is set.
    """

    day: date
    kind: LineKind
    project: str
    cluster: str
    region: str
    source: str
    quantity: Decimal
    unit_price: Decimal | None
    currency: str

    @property
    def amount(self) -> Decimal | None:
        return None if self.unit_price is None else self.quantity * self.unit_price


def usage_between(copies: Iterable[Copy], first: date, last: date, *, now: datetime) -> list[UsageLine]:
    """Every day from `first` to `last`, both included, in UTC; in order of day.

    `copies` come from `that_cost()`. A copy is charged for each day that it began to be kept for, so that the days of a
    copy are as many as `billable_days` says, however they are cut into bills. Three queries per provider and
    organization.
    """
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    used: dict[tuple[date, LineKind, str, str, str, str], int] = defaultdict(int)
    prices: dict[tuple[str, int], dict[date, Rates]] = {}
    places: dict[tuple[LineKind, str, str, str, str], Copy] = {}
    for copy in copies:
        payer = (copy.region.provider, copy.backup.project.organization_id)
        if payer not in prices:
            prices[payer] = rates_by_day(payer[0], days, payer[1])
        for day, kind, size_bytes in _uses(copy, first, last, now):
            source = source_of(copy).code if kind is LineKind.TRANSFER else ""
            what = (kind, copy.backup.project.code, copy.backup.cluster.code, copy.region_id, source)
            used[(day, *what)] += size_bytes
            places[what] = copy
    lines = []
    for (day, *rest), size_bytes in sorted(used.items()):
        kind, project, cluster, region, source = what = tuple(rest)  # type: ignore[assignment]
        copy = places[what]
        rates = prices[copy.region.provider, copy.backup.project.organization_id][day]
        is_storage = kind is LineKind.STORAGE
        size_gb = quantity_of(size_bytes, rates.unit)
        lines.append(
            UsageLine(
                day=day,
                kind=kind,
                project=project,
                cluster=cluster,
                region=region,
                source=source,
                quantity=size_gb / DAYS_PER_MONTH if is_storage else size_gb,
                unit_price=rates.storage_price(region) if is_storage else transfer_price_of(copy, rates),
                currency=rates.currency,
            )
        )
    return lines


def total_of(lines: Iterable[UsageLine]) -> Decimal:
    """Of the lines that have a price."""
    return add_up(line.amount for line in lines if line.amount is not None)


def _uses(copy: Copy, first: date, last: date, now: datetime) -> Iterator[tuple[date, LineKind, int]]:
    if copy.stored_at is None:
        return
    stored_on = copy.stored_at.astimezone(UTC).date()
    if copy.size_bytes:
        count = billable_days(copy.stored_at, max(copy.deleted_at or now, copy.stored_at))
        begin, end = max(stored_on, first), min(stored_on + timedelta(days=count - 1), last)
        for number in range((end - begin).days + 1):
            yield begin + timedelta(days=number), LineKind.STORAGE, copy.size_bytes
    if copy.sent_bytes and first <= stored_on <= last:
        yield stored_on, LineKind.TRANSFER, copy.sent_bytes
