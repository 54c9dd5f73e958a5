"""All price sheets of one organization, to ask for the prices of any day without asking the database again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from pricing.calculator import Rates
from pricing.currencies import USD
from pricing.models import PriceSheet
from pricing.services import rates_of


@dataclass(frozen=True)
class RateBook:
    """The sheets by provider; of each day the organization's own newest one prices it, else the newest shipped one."""

    _sheets: Mapping[str, tuple[tuple[date, bool, Rates], ...]]

    def rates_on(self, provider: str, day: date) -> Rates:
        """Without any price if no sheet is valid yet."""
        begun = [sheet for sheet in self._sheets.get(provider, ()) if sheet[0] <= day]
        newest = max(begun, key=lambda sheet: (sheet[1], sheet[0]), default=None)
        return newest[2] if newest else Rates(provider=provider, currency=USD, source="", valid_from=None)

    def changes_between(self, first: date, last: date) -> list[date]:
        """The days after `first`, up to `last`, on which some sheet begins."""
        begins = {begin for sheets in self._sheets.values() for begin, _, _ in sheets}
        return sorted(day for day in begins if first < day <= last)


def read_rate_book(organization_id: int) -> RateBook:
    """In three queries, however many sheets there are."""
    return _book(PriceSheet.objects.of(organization_id).filter(is_default=True).with_prices())


def _book(sheets: Iterable[PriceSheet]) -> RateBook:
    by_provider: dict[str, list[tuple[date, bool, Rates]]] = {}
    for sheet in sheets:
        of_provider = by_provider.setdefault(sheet.provider, [])
        of_provider.append((sheet.valid_from, sheet.organization_id is not None, rates_of(sheet)))
    return RateBook({provider: tuple(found) for provider, found in by_provider.items()})
