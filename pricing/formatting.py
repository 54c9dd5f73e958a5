"""How amounts and sizes are written on the screen; the only place where money is rounded."""

from decimal import ROUND_HALF_UP, Context, Decimal

NO_PRICE = "no price set"
UNKNOWN_SIZE = "–"

_CENT = Decimal("0.01")
# Wide enough for any stored amount, so that rounding to cents never overflows.
_ROUNDING = Context(prec=120, rounding=ROUND_HALF_UP)
_TWO_DIGITS = Context(prec=2, rounding=ROUND_HALF_UP)
_SIZE_UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def format_money(amount: Decimal | int | None) -> str:
    """ "$2.80"; below a cent the first two digits that are not zero ("$0.0042"); None is "no price set"."""
    if amount is None:
        return NO_PRICE
    exact = Decimal(amount)
    size = abs(exact)
    shown = _at_least_cents(_TWO_DIGITS.plus(size)) if 0 < size < _CENT else size.quantize(_CENT, context=_ROUNDING)
    return f"{'-' if exact < 0 else ''}${shown:,f}"


def format_total(amount: Decimal | None, is_complete: bool) -> str:
    """A sum that may lack some prices: "at least $2.80" then, and plainly "$2.80" when it is complete."""
    text = format_money(amount)
    return text if is_complete or amount is None else f"at least {text}"


def format_unit_price(price: Decimal | None) -> str:
    """A price with every digit it has and at least two of them after the point: "$0.02", "$0.025"."""
    if price is None:
        return NO_PRICE
    return f"${_at_least_cents(price):,f}"


def format_gb(size_bytes: int | None) -> str:
    """ "20.00 GB" with a GB of 10^9 bytes; smaller sizes as MB, kB or bytes. None, a size not known yet, is a dash."""
    if size_bytes is None:
        return UNKNOWN_SIZE
    for unit, unit_bytes in _SIZE_UNITS:
        size = (Decimal(size_bytes) / unit_bytes).quantize(_CENT, context=_ROUNDING)
        if size >= 1:
            return f"{size:,f} {unit}"
    return f"{size_bytes} B"


def _at_least_cents(amount: Decimal) -> Decimal:
    """The same amount with its trailing zeros gone, except those that fill up the cents."""
    in_cents = amount.quantize(_CENT, context=_ROUNDING)
    return in_cents if in_cents == amount else amount.normalize(_ROUNDING)
