"""Price sheets before they are stored: what is in one, and everything that can be wrong with it. Pure; no queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from pricing.calculator import ANYWHERE, Area, LineKind, Rates, Scope, StorageRate, TransferRate
from pricing.currencies import CURRENCIES, SizeUnit
from pricing.regions import RegionChoice

# Far above what any provider charges: a price beyond it is a slip of the finger.
HIGHEST_PRICE = Decimal(1000)
DECIMAL_PLACES = 6
LONGEST_NAME = 120
LONGEST_NOTE = 2000
MOST_LINES = 2000


@dataclass(frozen=True)
class PriceLine:
    """One price: of keeping a GB for a month in `target`, or of sending a GB from `source` to `target`."""

    kind: LineKind
    source: Area
    target: Area
    price: Decimal

    @property
    def place(self) -> tuple[LineKind, Area, Area]:
        """What a sheet may price only once."""
        return self.kind, self.source, self.target


@dataclass(frozen=True)
class SheetDraft:
    """The prices that an organization pays one provider from `valid_from` on, in `currency` per `unit`."""

    provider: str
    name: str
    valid_from: date
    currency: str
    source_note: str
    lines: tuple[PriceLine, ...]
    unit: SizeUnit = SizeUnit.GB

    @property
    def rates(self) -> Rates:
        """What the calculator would reckon with."""
        return Rates(
            provider=self.provider,
            currency=self.currency,
            source=self.name,
            valid_from=self.valid_from,
            storage=tuple(
                StorageRate(line.target.name, line.price) for line in self.lines if line.kind is LineKind.STORAGE
            ),
            transfer=tuple(
                TransferRate(line.source, line.target, line.price)
                for line in self.lines
                if line.kind is LineKind.TRANSFER
            ),
            unit=self.unit,
        )


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong; `line` is the place in the draft's lines, None where the sheet as a whole is meant."""

    line: int | None
    sentence: str


def read_price(text: str) -> Decimal:
    """The price that somebody typed; ValueError with a sentence for anything that cannot be one."""
    try:
        price = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"“{text[:40]}” is not a price. Write it like 0.025.") from None
    if not price.is_finite() or price < 0:
        raise ValueError(f"A price cannot be {text.strip()[:40]}; it is zero or more.")
    if price > HIGHEST_PRICE:
        raise ValueError(
            f"{price:,f} per GB is more than anybody charges. The highest price taken is {HIGHEST_PRICE:,}."
        )
    exponent = price.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -DECIMAL_PLACES:
        raise ValueError(f"A price has at most {DECIMAL_PLACES} digits after the point.")
    return price


def read_area(text: str) -> Area:
    """The area that `write_area` wrote: "any", "continent:Europe" or a region's code. ValueError for an empty one."""
    text = text.strip()
    kind, colon, name = text.partition(":")
    if text.lower() in {"any", "anywhere"}:
        return ANYWHERE
    if colon and kind.strip().lower() == Scope.CONTINENT and name.strip():
        return Area(Scope.CONTINENT, name.strip())
    if colon or not text:
        raise ValueError(f"“{text[:60]}” is no place. Write any, continent:NAME or the code of a region.")
    return Area(Scope.REGION, text)


def write_area(area: Area) -> str:
    if area.scope is Scope.ANY:
        return Scope.ANY.value
    return f"{Scope.CONTINENT.value}:{area.name}" if area.scope is Scope.CONTINENT else area.name


def find_mistakes(draft: SheetDraft, *, regions: Iterable[RegionChoice]) -> list[Mistake]:
    """Everything that is wrong with `draft` by itself, in the order of its lines."""
    known = [region for region in regions if region.provider == draft.provider]
    found = [Mistake(None, sentence) for sentence in _mistakes_of_the_whole(draft, known)]
    codes = {region.code for region in known}
    continents = {region.continent for region in known}
    first: dict[tuple[LineKind, Area, Area], int] = {}
    for index, line in enumerate(draft.lines):
        for area in dict.fromkeys([line.source, line.target]):
            if area.scope is Scope.REGION and area.name not in codes:
                found.append(Mistake(index, f"{area.name[:60]} is no region of {draft.provider}."))
            if area.scope is Scope.CONTINENT and area.name not in continents:
                found.append(Mistake(index, f"{draft.provider} has no region in “{area.name[:60]}”."))
        if line.kind is LineKind.STORAGE and (line.source != ANYWHERE or line.target.scope is Scope.CONTINENT):
            found.append(Mistake(index, "Storage is priced for one region, or for any region; it comes from nowhere."))
        if line.place in first:
            found.append(Mistake(index, f"This repeats price {first[line.place] + 1} of the sheet."))
        first.setdefault(line.place, index)
    return found


def _mistakes_of_the_whole(draft: SheetDraft, known: Sequence[RegionChoice]) -> list[str]:
    found = []
    if not known:
        found.append(f"No region here belongs to a provider called “{draft.provider[:40]}”.")
    if draft.currency not in CURRENCIES:
        found.append(f"“{draft.currency[:40]}” is no currency known here. Write its code, such as USD, EUR or CNY.")
    if not 1 <= len(draft.name.strip()) <= LONGEST_NAME:
        found.append(f"A price sheet needs a name of 1 to {LONGEST_NAME} characters.")
    if len(draft.source_note) > LONGEST_NOTE:
        found.append(f"The note on the source is longer than {LONGEST_NOTE:,} characters.")
    if not draft.lines:
        found.append("A price sheet without any price says nothing. Enter at least one.")
    if len(draft.lines) > MOST_LINES:
        found.append(f"A price sheet has at most {MOST_LINES:,} prices.")
    return found


def find_changed_prices(before: Rates, after: Rates, *, regions: Iterable[RegionChoice]) -> list[str]:
    """One sentence for each price known `before` that differs `after`, over all regions of the provider.

    The same number in another currency, or per another unit, is another price.
    """
    is_same_money = (before.currency, before.unit) == (after.currency, after.unit)
    known = [region for region in regions if region.provider == before.provider]
    found = []
    for region in known:
        old, new = before.storage_price(region.code), after.storage_price(region.code)
        if old is not None and not (is_same_money and new == old):
            found.append(f"Storage in {region.code} has a price already.")
    for source in known:
        for target in known:
            old, new = (rates.transfer_price(source.place, target.place) for rates in (before, after))
            if source != target and old is not None and not (is_same_money and new == old):
                found.append(f"Transfer from {source.code} to {target.code} has a price already.")
    return found
