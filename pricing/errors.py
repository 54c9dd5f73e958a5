"""The ways this room says no."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.errors import Refused
from pricing.drafts import Mistake


class CurrenciesMixed(ValueError):
    """Somebody wanted one number for money in several currencies: our bug, for pages show one total for each."""


class AllowanceRefused(Refused):
    """A transfer allowance cannot be so."""


class SheetRefused(Refused):
    """A rule about one price sheet said no."""


class PricesRefused(SheetRefused):
    """Price sheets with mistakes: (which of the drafts, what is wrong), all there are. Nothing was stored."""

    def __init__(self, found: Sequence[tuple[int, Mistake]]) -> None:
        super().__init__(" ".join(mistake.sentence for _, mistake in found))
        self.found = found
