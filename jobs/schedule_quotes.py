"""What a schedule costs in a month once the first of its backups begin to expire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from clusters.models import Cluster, Region
from pricing.calculator import DAYS_PER_MONTH, Estimate, LineKind, Place, add_up, estimate
from pricing.currencies import SizeUnit
from pricing.services import rates_for


@dataclass(frozen=True)
class SteadyLine:
    """One region: how many copies lie there at a time, and what that and sending them costs in 30 days."""

    region: Region
    kept_days: int
    copy_count: Decimal
    sent_count: Decimal
    storage: Decimal | None
    transfer: Decimal | None


@dataclass(frozen=True)
class SteadyQuote:
    size_bytes: int
    is_measured: bool
    per_day: Decimal
    lines: tuple[SteadyLine, ...]
    missing: tuple[str, ...]
    currency: str
    unit: SizeUnit

    @property
    def total(self) -> Decimal | None:
        """What has a price; None if nothing has one."""
        parts = [part for line in self.lines for part in (line.storage, line.transfer) if part is not None]
        return add_up(parts) if parts else None

    @property
    def is_complete(self) -> bool:
        return not self.missing


def quote_schedule(
    cluster: Cluster,
    *,
    per_day: Decimal,
    kept_days: Mapping[Region, int],
    size: tuple[int, bool],
    on: date,
) -> SteadyQuote:
    """The steady month of `per_day` backups of so many bytes (and whether they were measured).

    `kept_days` names the cluster's own region and every target. Each copy is counted with its whole size, and each is
    taken to be sent whole: chunks that a region holds already are not sent again, so transfer can only be less.
    """
    size_bytes, is_measured = size
    places = {region.code: Place(region.code, region.continent) for region in kept_days}
    one_of_each = estimate(
        size_bytes,
        source=places[cluster.region_id],
        targets=[place for code, place in places.items() if code != cluster.region_id],
        days=DAYS_PER_MONTH,
        rates=rates_for(cluster.region.provider, on, cluster.project.organization_id),
        include_original=True,
    )
    lines = tuple(
        SteadyLine(
            region=region,
            kept_days=days,
            copy_count=per_day * days,
            sent_count=Decimal(0) if region.code == cluster.region_id else per_day * DAYS_PER_MONTH,
            storage=_times(per_day * days, one_of_each, region, LineKind.STORAGE),
            transfer=_times(per_day * DAYS_PER_MONTH, one_of_each, region, LineKind.TRANSFER),
        )
        for region, days in kept_days.items()
    )
    rates = one_of_each.rates
    return SteadyQuote(size_bytes, is_measured, per_day, lines, one_of_each.missing, rates.currency, rates.unit)


def _times(count: Decimal, one: Estimate, region: Region, kind: LineKind) -> Decimal | None:
    """What `count` of the region's line cost; None where it has no such line, or no price."""
    amounts = [line.amount for line in one.lines if line.region == region.code and line.kind is kind]
    return amounts[0] * count if amounts and amounts[0] is not None else None
