"""What storing and moving a backup costs: pure `Decimal` arithmetic over a table of prices.

Nothing here rounds to cents; `pricing.formatting` does that when an amount is shown. A price nobody has set is
`None` all the way to the screen, because a missing price shown as zero would be a promise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, localcontext
from enum import StrEnum

from pricing.currencies import SizeUnit

DAYS_PER_MONTH = 30
FREE = Decimal(0)

# The caller's decimal context must not change a bill. Sums carry more digits than any product or quotient can
# need, so they are exact and the order of the lines cannot move the last digit.
_PART = Context(prec=80)
_SUM = Context(prec=120)


@dataclass(frozen=True)
class Place:
    """A region as prices see it: its code ("gcp-us-west1") and its continent ("North America")."""

    region: str
    continent: str


class Scope(StrEnum):
    """How much of the world one side of a transfer price covers, widest first."""

    ANY = "any"
    CONTINENT = "continent"
    REGION = "region"


@dataclass(frozen=True)
class Area:
    """One side of a transfer price; `name` is a region code or a continent, and empty for `Scope.ANY`."""

    scope: Scope
    name: str = ""

    def covers(self, place: Place) -> bool:
        if self.scope is Scope.ANY:
            return True
        return self.name == (place.region if self.scope is Scope.REGION else place.continent)

    @property
    def precision(self) -> int:
        """0 for any place, 1 for a continent, 2 for one region."""
        return list(Scope).index(self.scope)


ANYWHERE = Area(Scope.ANY)


@dataclass(frozen=True)
class StorageRate:
    """Price of keeping one GB, or GiB, for a month (30 days) in `region`; an empty region means any of the provider."""

    region: str
    price_per_gb_month: Decimal

    def __post_init__(self) -> None:
        _require_price(self.price_per_gb_month)


@dataclass(frozen=True)
class TransferRate:
    """Price of moving one GB (or GiB, as the sheet says) from `source` to `target`."""

    source: Area
    target: Area
    price_per_gb: Decimal

    def __post_init__(self) -> None:
        _require_price(self.price_per_gb)


@dataclass(frozen=True)
class Rates:
    """Every price one provider's sheet sets; without a sheet there are no prices and `valid_from` is None."""

    provider: str
    currency: str
    source: str
    valid_from: date | None
    storage: tuple[StorageRate, ...] = ()
    transfer: tuple[TransferRate, ...] = ()
    unit: SizeUnit = SizeUnit.GB
    # The code of the sheet; empty for one that is not stored.
    sheet: str = ""

    def storage_price(self, region: str) -> Decimal | None:
        """Price per GB-month: the region's own, else the provider's any-region price, else None."""
        prices = {rate.region: rate.price_per_gb_month for rate in self.storage}
        return prices.get(region, prices.get(""))

    def transfer_price(self, source: Place, target: Place) -> Decimal | None:
        """Price per GB, zero within one region. The most specific source wins, then the most specific target."""
        if source.region == target.region:
            return FREE
        matches = [rate for rate in self.transfer if rate.source.covers(source) and rate.target.covers(target)]
        if not matches:
            return None
        return max(matches, key=lambda rate: (rate.source.precision, rate.target.precision)).price_per_gb


class LineKind(StrEnum):
    STORAGE = "storage"
    TRANSFER = "transfer"


@dataclass(frozen=True)
class EstimateLine:
    """One amount on an estimate, its quantity in the unit of the sheet.

    `days` is set for storage only; `amount` is None while no price is set.
    """

    region: str
    kind: LineKind
    quantity: Decimal
    unit_price: Decimal | None
    days: int | None
    amount: Decimal | None


@dataclass(frozen=True)
class RegionTotal:
    """What one region adds to an estimate; None where nothing in it has a price."""

    region: str
    storage: Decimal | None
    transfer: Decimal | None
    total: Decimal | None


@dataclass(frozen=True)
class Estimate:
    """The lines of a quote and what they add up to.

    Every total adds the lines that have a price: a lower bound while `is_complete` is False, and None when not one
    of its lines has a price. Nothing to pay for adds up to zero.
    """

    source: Place
    rates: Rates
    lines: tuple[EstimateLine, ...]

    @property
    def storage_total(self) -> Decimal | None:
        return _total(self._of_kind(LineKind.STORAGE))

    @property
    def transfer_total(self) -> Decimal | None:
        return _total(self._of_kind(LineKind.TRANSFER))

    @property
    def total(self) -> Decimal | None:
        return _total(self.lines)

    @property
    def is_complete(self) -> bool:
        return self.storage_is_complete and self.transfer_is_complete

    @property
    def storage_is_complete(self) -> bool:
        """Whether every storage line has a price; `monthly_total` is complete exactly when this is."""
        return all(line.amount is not None for line in self._of_kind(LineKind.STORAGE))

    @property
    def transfer_is_complete(self) -> bool:
        return all(line.amount is not None for line in self._of_kind(LineKind.TRANSFER))

    @property
    def missing(self) -> tuple[str, ...]:
        """One sentence for each price that would have to be set to complete the estimate."""
        return tuple(self._missing_price(line) for line in self.lines if line.unit_price is None)

    @property
    def by_region(self) -> tuple[RegionTotal, ...]:
        """Sub totals in the order in which the regions first appear in `lines`."""
        totals = []
        for region in dict.fromkeys(line.region for line in self.lines):
            lines = [line for line in self.lines if line.region == region]
            storage = [line for line in lines if line.kind is LineKind.STORAGE]
            transfer = [line for line in lines if line.kind is LineKind.TRANSFER]
            totals.append(RegionTotal(region, _total(storage), _total(transfer), _total(lines)))
        return tuple(totals)

    @property
    def monthly_total(self) -> Decimal | None:
        """What keeping the same files for 30 more days costs; nothing is transferred again."""
        return _total(
            _storage_line(line.region, line.quantity, DAYS_PER_MONTH, self.rates)
            for line in self._of_kind(LineKind.STORAGE)
        )

    def _of_kind(self, kind: LineKind) -> list[EstimateLine]:
        return [line for line in self.lines if line.kind is kind]

    def _missing_price(self, line: EstimateLine) -> str:
        if line.kind is LineKind.STORAGE:
            return f"No storage price is set for {line.region}."
        return f"No transfer price is set for {self.source.region} -> {line.region}."


def billable_days(started: datetime | date, ended: datetime | date) -> int:
    """Days to pay for between two moments: every started 24 hours count, and there is always at least one.

    A plain date is its midnight in UTC; date-times must carry a zone. ValueError if `ended` comes before `started`.
    """
    elapsed = _instant(ended) - _instant(started)
    if elapsed < timedelta(0):
        raise ValueError(f"The end ({ended}) comes before the start ({started}).")
    return max(1, -(-elapsed // timedelta(days=1)))


def quantity_of(size_bytes: int, unit: SizeUnit) -> Decimal:
    """The bytes in the unit that prices are per, exactly."""
    if size_bytes < 0:
        raise ValueError(f"A size cannot be negative: {size_bytes} bytes.")
    return _PART.divide(Decimal(size_bytes), Decimal(unit.size_bytes))


def storage_cost(size_bytes: int, price_per_gb_month: Decimal, days: int, unit: SizeUnit = SizeUnit.GB) -> Decimal:
    """Size x price x days/30; the price is per `unit` and month."""
    return _storage_amount(quantity_of(size_bytes, unit), price_per_gb_month, days)


def transfer_cost(size_bytes: int, price_per_gb: Decimal, unit: SizeUnit = SizeUnit.GB) -> Decimal:
    """Size x price of sending the bytes once; the price is per `unit`."""
    return _PART.multiply(quantity_of(size_bytes, unit), price_per_gb)


def estimate(
    size_bytes: int,
    *,
    source: Place,
    targets: Sequence[Place],
    days: int,
    rates: Rates,
    include_original: bool = False,
) -> Estimate:
    """Price one copy of `size_bytes` in each target, kept for `days`; the original itself only when asked for.

    ValueError for a negative size, fewer than one day, and a target that is the source or is named twice.
    """
    _require_distinct(source, targets)
    _require_days(days)
    quantity = quantity_of(size_bytes, rates.unit)
    lines = [_storage_line(source.region, quantity, days, rates)] if include_original else []
    for target in targets:
        lines.append(_storage_line(target.region, quantity, days, rates))
        lines.append(_transfer_line(source, target, quantity, rates))
    return Estimate(source=source, rates=rates, lines=tuple(lines))


def add_up(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum, whatever the order and the caller's decimal context."""
    with localcontext(_SUM):
        return sum(amounts, start=Decimal(0))


def _storage_line(region: str, quantity: Decimal, days: int, rates: Rates) -> EstimateLine:
    price = rates.storage_price(region)
    amount = None if price is None else _storage_amount(quantity, price, days)
    return EstimateLine(region, LineKind.STORAGE, quantity, price, days, amount)


def _transfer_line(source: Place, target: Place, quantity: Decimal, rates: Rates) -> EstimateLine:
    price = rates.transfer_price(source, target)
    amount = None if price is None else _PART.multiply(quantity, price)
    return EstimateLine(target.region, LineKind.TRANSFER, quantity, price, None, amount)


def _storage_amount(quantity: Decimal, price_per_gb_month: Decimal, days: int) -> Decimal:
    _require_days(days)
    gb_days = _PART.multiply(quantity, Decimal(days))
    return _PART.divide(_PART.multiply(gb_days, price_per_gb_month), Decimal(DAYS_PER_MONTH))


def _total(lines: Iterable[EstimateLine]) -> Decimal | None:
    amounts = [line.amount for line in lines]
    priced = [amount for amount in amounts if amount is not None]
    return None if amounts and not priced else add_up(priced)


def _instant(moment: datetime | date) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), tzinfo=UTC)
    if moment.tzinfo is None:
        raise ValueError(f"A date-time needs a zone: {moment}.")
    # Two moments in one zone subtract as wall clocks, which a change to summer time falsifies by an hour.
    return moment.astimezone(UTC)


def _require_price(price: Decimal) -> None:
    if not price.is_finite() or price < 0:
        raise ValueError(f"A price cannot be negative: {price}.")


def _require_days(days: int) -> None:
    if days < 1:
        raise ValueError(f"Storage is billed for at least one day, not {days}.")


def _require_distinct(source: Place, targets: Sequence[Place]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target.region == source.region:
            raise ValueError(f"{target.region} holds the original; choose another region for the copy.")
        if target.region in seen:
            raise ValueError(f"{target.region} is chosen twice; a region takes one copy of a backup.")
        seen.add(target.region)
