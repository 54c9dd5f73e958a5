"""What the copies that exist cost: facts from the catalogue, prices from the sheets, arithmetic from the calculator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from backups.models import Copy
from jobs.savings import source_of, transfer_price_of
from pricing.calculator import DAYS_PER_MONTH, Rates, add_up, billable_days, storage_cost, transfer_cost
from pricing.services import rates_for


@dataclass(frozen=True)
class RegionStorage:
    """What lies in one region now, and what it has cost since it was stored. None: no price is set."""

    region: str
    label: str
    copy_count: int
    size_bytes: int
    price_per_gb_month: Decimal | None
    cost_per_month: Decimal | None
    cost_so_far: Decimal | None


@dataclass(frozen=True)
class TransferFlow:
    """What travelled from one region to another; `skipped_bytes` did not have to."""

    source: str
    target: str
    copy_count: int
    sent_bytes: int
    skipped_bytes: int
    price_per_gb: Decimal | None
    cost: Decimal | None
    saved_this_month: Decimal | None
    """By sending only what changed, for copies that arrived in this calendar month (UTC)."""


@dataclass(frozen=True)
class Costs:
    storage: tuple[RegionStorage, ...]
    transfer: tuple[TransferFlow, ...]

    @property
    def per_month(self) -> Decimal:
        return add_up(row.cost_per_month for row in self.storage if row.cost_per_month is not None)

    @property
    def storage_so_far(self) -> Decimal:
        return add_up(row.cost_so_far for row in self.storage if row.cost_so_far is not None)

    @property
    def transfer_so_far(self) -> Decimal:
        return add_up(row.cost for row in self.transfer if row.cost is not None)

    @property
    def saved_this_month(self) -> Decimal:
        return add_up(row.saved_this_month for row in self.transfer if row.saved_this_month is not None)

    @property
    def total_so_far(self) -> Decimal:
        return add_up([self.storage_so_far, self.transfer_so_far])

    @property
    def missing(self) -> tuple[str, ...]:
        """One sentence for each price that would have to be set to make the totals complete."""
        storage = [f"No storage price is set for {row.region}." for row in self.storage if row.cost_so_far is None]
        transfer = [
            f"No transfer price is set for {row.source} to {row.target}." for row in self.transfer if row.cost is None
        ]
        return (*storage, *transfer)

    @property
    def is_complete(self) -> bool:
        return not self.missing


def costs_of(copies: Iterable[Copy], *, now: datetime) -> Costs:
    """Costs of `copies` (from `Copy.objects.that_cost()`) up to `now`, at the prices valid now."""
    rates: dict[tuple[str, int], Rates] = {}
    by_region: dict[tuple[str, int], list[Copy]] = defaultdict(list)
    by_flow: dict[tuple[str, str, int], list[Copy]] = defaultdict(list)
    for copy in copies:
        provider, organization_id = _payer(copy)
        if (provider, organization_id) not in rates:
            rates[provider, organization_id] = rates_for(provider, now.date(), organization_id)
        if copy.stored_at is not None:
            by_region[copy.region_id, organization_id].append(copy)
        # An original travels only when parts of it are mended from another region.
        if not copy.is_original or copy.sent_bytes:
            by_flow[source_of(copy).code, copy.region_id, organization_id].append(copy)
    storage = (_storage(rows, rates[_payer(rows[0])], now) for _, rows in sorted(by_region.items()))
    transfer = (_flow(rows, rates[_payer(rows[0])], now) for _, rows in sorted(by_flow.items()))
    return Costs(tuple(storage), tuple(transfer))


def _payer(copy: Copy) -> tuple[str, int]:
    """Who is paid, and the organization that pays: two organizations may have agreed on different prices."""
    return copy.region.provider, copy.backup.project.organization_id


def _storage(copies: list[Copy], rates: Rates, now: datetime) -> RegionStorage:
    region = copies[0].region
    price = rates.storage_price(region.code)
    held = [copy for copy in copies if copy.deleted_at is None]
    size_bytes = sum(copy.size_bytes or 0 for copy in held)
    per_month = so_far = None
    if price is not None:
        per_month = storage_cost(size_bytes, price, DAYS_PER_MONTH)
        so_far = add_up(
            # A copy stored after `now` was taken, or by a worker whose clock runs ahead, has just begun its first day.
            storage_cost(
                copy.size_bytes or 0, price, billable_days(copy.stored_at, max(copy.deleted_at or now, copy.stored_at))
            )
            for copy in copies
            if copy.stored_at is not None
        )
    return RegionStorage(region.code, str(region), len(held), size_bytes, price, per_month, so_far)


def _flow(copies: list[Copy], rates: Rates, now: datetime) -> TransferFlow:
    price = transfer_price_of(copies[0], rates)
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    saved_bytes = sum(copy.saved_bytes for copy in copies if copy.stored_at is not None and copy.stored_at >= month)
    sent_bytes = sum(copy.sent_bytes for copy in copies)
    return TransferFlow(
        source=source_of(copies[0]).code,
        target=copies[0].region_id,
        copy_count=len(copies),
        sent_bytes=sent_bytes,
        skipped_bytes=sum(copy.skipped_bytes for copy in copies),
        price_per_gb=price,
        cost=None if price is None else transfer_cost(sent_bytes, price),
        saved_this_month=None if price is None else transfer_cost(saved_bytes, price),
    )
