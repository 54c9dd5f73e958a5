"""How amounts and sizes are written on the screen; the only place where money is rounded."""

from decimal import ROUND_HALF_UP, Context, Decimal

from pricing.amounts import Amounts
from pricing.currencies import SYMBOLS, USD, WITHOUT_CENTS, SizeUnit

NO_PRICE = "no price set"
UNKNOWN_SIZE = "–"

_CENT = Decimal("0.01")
# Wide enough for any stored amount, so that rounding to cents never overflows.
_ROUNDING = Context(prec=120, rounding=ROUND_HALF_UP)
_TWO_DIGITS = Context(prec=2, rounding=ROUND_HALF_UP)
_SIZE_UNITS = {
    SizeUnit.GB: (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)),
    SizeUnit.GIB: (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)),
}


def format_money(amount: Decimal | int | None, currency: str) -> str:
    """ "$2.80", "€2.80", "CNY 2.80", "JPY 280"; None is "no price set".

    Below the smallest coin the first two digits that are not zero: "$0.0042".
    """
    if amount is None:
        return NO_PRICE
    exact = Decimal(amount)
    size, coin = abs(exact), _smallest_coin(currency)
    is_small = 0 < size < coin
    shown = _with_coins(_TWO_DIGITS.plus(size), coin) if is_small else size.quantize(coin, context=_ROUNDING)
    return f"{'-' if exact < 0 else ''}{_before(currency)}{shown:,f}"


def format_total(amount: Decimal | None, is_complete: bool, currency: str) -> str:
    """A sum that may lack some prices: "at least $2.80" then, and plainly "$2.80" when it is complete."""
    return at_least(format_money(amount, currency), is_complete)


def at_least(text: str, is_complete: bool) -> str:
    """Say of an amount, as text, that it is a lower bound; there is none where no price is set."""
    return text if is_complete or text == NO_PRICE else f"at least {text}"


def format_amounts(amounts: Amounts) -> str:
    """One total for each currency: "$2.80", "$2.80 and €1.20", "at least $2.80" where a price is missing."""
    sums = list(amounts)
    if not sums:
        return format_money(Decimal(0), USD) if amounts.is_complete else NO_PRICE
    return at_least(" and ".join(format_money(amount, currency) for amount, currency in sums), amounts.is_complete)


def format_range(low: Decimal | None, high: Decimal | None, currency: str) -> str:
    """ "$0.40 to $3.20", and "$0.40" where both read the same."""
    first, last = format_money(low, currency), format_money(high, currency)
    return first if first == last else f"{first} to {last}"


def format_unit_price(price: Decimal | None, currency: str) -> str:
    """A price with every digit it has and at least its coins: "$0.02", "$0.025", "CNY 0.50"."""
    if price is None:
        return NO_PRICE
    return f"{_before(currency)}{_with_coins(price, _smallest_coin(currency)):,f}"


def format_gb(size_bytes: int | None) -> str:
    """ "20.00 GB" with a GB of 10^9 bytes; smaller sizes as MB, kB or bytes. None, a size not known yet, is a dash."""
    return format_size(size_bytes, SizeUnit.GB)


def format_size(size_bytes: int | None, unit: str) -> str:
    """In the unit that prices are per: "18.63 GiB" where `format_gb` says "20.00 GB"."""
    if size_bytes is None:
        return UNKNOWN_SIZE
    for name, unit_bytes in _SIZE_UNITS[SizeUnit(unit)]:
        size = (Decimal(size_bytes) / unit_bytes).quantize(_CENT, context=_ROUNDING)
        if size >= 1:
            return f"{size:,f} {name}"
    return f"{size_bytes} B"


def _before(currency: str) -> str:
    return SYMBOLS.get(currency, f"{currency} ")


def _smallest_coin(currency: str) -> Decimal:
    return Decimal(1) if currency in WITHOUT_CENTS else _CENT


def _with_coins(amount: Decimal, coin: Decimal) -> Decimal:
    """The same amount with its trailing zeros gone, except those that fill up the coins."""
    in_coins = amount.quantize(coin, context=_ROUNDING)
    return in_coins if in_coins == amount else amount.normalize(_ROUNDING)
