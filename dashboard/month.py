"""What this calendar month (UTC) costs: so far, and until its end if what is kept now stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField, F, Func, Q, Sum, Value
from django.db.models.functions import Coalesce, Greatest

from backups.querysets import CopyQuerySet
from pricing.calculator import Place, Rates, add_up, storage_cost, transfer_cost
from pricing.services import rates_for

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class MonthCosts:
    """Sums of what has a price; lower bounds unless `is_complete`."""

    so_far: Decimal
    forecast: Decimal
    ends_at: datetime
    is_complete: bool


class _Seconds(Func):
    """Whole seconds since 1970, reckoned by the database itself and not row by row in Python."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)")

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint")


def costs_of_month(copies: CopyQuerySet, *, now: datetime) -> MonthCosts:
    """What `copies` cost in the month of `now`, at the prices valid now; three queries, and three for each price sheet.

    By the days of rule R13: each copy pays for every started 24 hours since it was stored, and of these the month has
    those that start in it.
    """
    begin = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    so_far, forecast, is_complete = [], [], True
    rates: dict[tuple[str, int], Rates] = {}

    def rates_of(provider: str, organization_id: int) -> Rates:
        if (provider, organization_id) not in rates:
            rates[provider, organization_id] = rates_for(provider, now.date(), organization_id)
        return rates[provider, organization_id]

    for (region, provider, organization_id), (byte_days, to_end) in _byte_days(copies, begin, now, end).items():
        price = rates_of(provider, organization_id).storage_price(region)
        is_complete &= price is not None
        if price is not None:
            # Bytes times days cost the same as so many bytes on one day.
            so_far.append(storage_cost(byte_days, price, 1))
            forecast.append(storage_cost(to_end, price, 1))
    for provider, organization_id, source, target, sent_bytes in _sent(copies, begin):
        price = rates_of(provider, organization_id).transfer_price(source, target)
        is_complete &= price is not None
        if price is not None:
            so_far.append(transfer_cost(int(sent_bytes), price))
            forecast.append(transfer_cost(int(sent_bytes), price))
    return MonthCosts(add_up(so_far), add_up(forecast), end, is_complete)


def _byte_days(
    copies: CopyQuerySet, begin: datetime, now: datetime, end: datetime
) -> dict[tuple[str, str, int], tuple[int, int]]:
    """Bytes times days, so far and to the end of the month, by (region, provider, organization)."""
    place = ("region_id", "region__provider", "backup__project__organization_id")
    stored = copies.filter(stored_at__isnull=False).order_by().values(*place)
    size, is_older = F("size_bytes"), Q(stored_at__lt=begin)
    before = Coalesce(Sum(size * _days_until(begin), filter=is_older), 0)
    there = stored.filter(deleted_at__isnull=True).annotate(
        so_far=Sum(size * _days_until(now)) - before, to_end=Sum(size * _days_until(end)) - before
    )
    gone = stored.filter(deleted_at__gt=begin).annotate(so_far=Sum(size * _days_until(F("deleted_at"))) - before)
    sums: dict[tuple[str, str, int], tuple[int, int]] = {}
    for *key, so_far, to_end in there.values_list(*place, "so_far", "to_end"):
        sums[tuple(key)] = (int(so_far), int(to_end))
    for *key, so_far in gone.values_list(*place, "so_far"):
        held, held_to_end = sums.get(tuple(key), (0, 0))
        sums[tuple(key)] = (held + int(so_far), held_to_end + int(so_far))
    return sums


def _days_until(moment: datetime | F) -> Any:
    """Started days since a copy was stored; one by a worker whose clock runs ahead has just begun its first."""
    until = Value(int(moment.timestamp())) if isinstance(moment, datetime) else _Seconds(moment)
    started = (until - _Seconds("stored_at") + Value(DAY_SECONDS - 1)) / Value(DAY_SECONDS)
    return Greatest(Value(1), started, output_field=BigIntegerField())


def _sent(copies: CopyQuerySet, begin: datetime) -> Iterable[tuple[str, int, Place, Place, int]]:
    """(provider, organization, from where, to where, bytes) of the copies that arrived this month."""
    sent = copies.filter(stored_at__gte=begin, sent_bytes__gt=0).annotate(
        came_from=Coalesce("source_region", "backup__cluster__region"),
        came_from_continent=Coalesce("source_region__continent", "backup__cluster__region__continent"),
    )
    payer = ("region__provider", "backup__project__organization_id")
    way = (*payer, "came_from", "came_from_continent", "region_id", "region__continent")
    rows = sent.order_by().values(*way).annotate(total=Sum("sent_bytes")).values_list(*way, "total")
    for provider, organization_id, source_code, continent, code, own_continent, sent_bytes in rows:
        yield provider, organization_id, Place(source_code, continent), Place(code, own_continent), sent_bytes
