"""Sums of money that are exact and never mix two currencies. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal

from pricing.calculator import DAYS_PER_MONTH, LineKind, add_up
from pricing.errors import CurrenciesMixed

# Wide enough for any number of bytes times any price; the caller's context must not change a bill.
_EXACT = Context(prec=80)
_DAYS = Decimal(DAYS_PER_MONTH)


def parts_of(kind: LineKind, size_bytes: int, unit_bytes: int, unit_price: Decimal) -> Decimal:
    """What so many bytes cost for a day (storage) or once (transfer), in thirtieths and without rounding.

    A day is a thirtieth of a month, and a third has no end as a decimal: so what is added up stays in thirtieths and is
    divided once, at the end.
    """
    parts = _EXACT.multiply(_EXACT.divide(Decimal(size_bytes), Decimal(unit_bytes)), unit_price)
    return parts if kind is LineKind.STORAGE else _EXACT.multiply(parts, _DAYS)


def thirtieth_of(parts: Decimal) -> Decimal:
    """The amount that so many thirtieths are."""
    return _EXACT.divide(parts, _DAYS)


@dataclass(frozen=True)
class Priced:
    """Something that costs `parts` (see `parts_of`), which are None while no price is set."""

    kind: LineKind
    region: str
    source: str
    currency: str
    parts: Decimal | None

    @property
    def missing(self) -> str:
        """The price that would have to be set, in a sentence; empty if there is one."""
        if self.parts is not None:
            return ""
        if self.kind is LineKind.STORAGE:
            return f"No storage price is set for {self.region}."
        return f"No transfer price is set for {self.source} -> {self.region}."


@dataclass
class Amounts:
    """Sums by currency of what has a price, and what has none."""

    _parts: dict[str, Decimal] = field(default_factory=dict)
    _missing: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, priced: Iterable[Priced]) -> Amounts:
        amounts = cls()
        for one in priced:
            amounts.add(one)
        return amounts

    def add(self, priced: Priced) -> None:
        """Add a charge, or note that its price is missing."""
        if priced.parts is None:
            self._missing[priced.missing] = None
        else:
            self._add_parts(priced.currency, priced.parts)

    def add_amount(self, amount: Decimal, currency: str) -> None:
        """Add money that is no charge: a discount, which is negative, or a forecast."""
        self._add_parts(currency, _EXACT.multiply(amount, _DAYS))

    def add_all(self, other: Amounts) -> None:
        for currency, parts in other._parts.items():
            self._add_parts(currency, parts)
        self._missing |= other._missing

    @property
    def by_currency(self) -> dict[str, Decimal]:
        """Sorted by code. Nothing that cost anything: empty."""
        return {currency: thirtieth_of(self._parts[currency]) for currency in sorted(self._parts)}

    @property
    def currencies(self) -> tuple[str, ...]:
        return tuple(sorted(self._parts))

    @property
    def is_complete(self) -> bool:
        """Whether everything added had a price; else the sums are lower bounds."""
        return not self._missing

    @property
    def missing(self) -> tuple[str, ...]:
        """One sentence for each price that is not set, in order."""
        return tuple(sorted(self._missing))

    def in_currency(self, currency: str) -> Decimal:
        """The sum in one currency; nothing is 0."""
        return self.by_currency.get(currency, Decimal(0))

    @property
    def only(self) -> tuple[Decimal, str] | None:
        """The sum and its currency; None if nothing has a price. CurrenciesMixed if there is more than one currency."""
        if len(self._parts) > 1:
            raise CurrenciesMixed(
                f"Amounts in {' and '.join(self.currencies)} have no sum. Show them apart, one total for each currency."
            )
        return next(((amount, currency) for currency, amount in self.by_currency.items()), None)

    def __iter__(self) -> Iterator[tuple[Decimal, str]]:
        """(amount, currency), as the template filter `money` takes them."""
        return ((amount, currency) for currency, amount in self.by_currency.items())

    def __bool__(self) -> bool:
        return bool(self._parts or self._missing)

    def _add_parts(self, currency: str, parts: Decimal) -> None:
        self._parts[currency] = add_up([self._parts.get(currency, Decimal(0)), parts])
