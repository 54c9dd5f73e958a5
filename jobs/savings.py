"""What sending only what changed has saved: bytes a region held already, at the price of the way they did not go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from backups.models import Copy
from clusters.models import Region
from pricing.calculator import Place, Rates, transfer_cost
from pricing.services import rates_for


@dataclass(frozen=True)
class Saving:
    sent_bytes: int
    saved_bytes: int
    amount: Decimal | None
    """None while no price is set for the way."""
    currency: str


def savings_of(copies: Iterable[Copy], *, on: date) -> dict[int, Saving]:
    """By row number, for those of `copies` that saved something, at the prices valid `on` that day.

    Copies come from `for_facts()`. Three queries per provider and organization.
    """
    rates: dict[tuple[str, int], Rates] = {}
    savings = {}
    for copy in copies:
        if not copy.saved_bytes:
            continue
        payer = (copy.region.provider, copy.backup.project.organization_id)
        if payer not in rates:
            rates[payer] = rates_for(payer[0], on, payer[1])
        price = transfer_price_of(copy, rates[payer])
        amount = None if price is None else transfer_cost(copy.saved_bytes, price, rates[payer].unit)
        savings[copy.pk] = Saving(copy.sent_bytes, copy.saved_bytes, amount, rates[payer].currency)
    return savings


def transfer_price_of(copy: Copy, rates: Rates) -> Decimal | None:
    """Per GB, from where the copy's bytes came to where it lies."""
    return rates.transfer_price(_place(source_of(copy)), _place(copy.region))


def source_of(copy: Copy) -> Region:
    return copy.source_region or copy.backup.cluster.region


def _place(region: Region) -> Place:
    return Place(region.code, region.continent)
