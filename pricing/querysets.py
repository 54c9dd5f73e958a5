"""Every named way to read the price sheets."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, ExpressionWrapper, OuterRef, Q

if TYPE_CHECKING:
    from pricing.models import PriceSheet


class PriceSheetQuerySet(models.QuerySet["PriceSheet"]):
    def with_prices(self) -> PriceSheetQuerySet:
        """Sheets with all their rows, in three queries however many there are."""
        return self.prefetch_related("storage_prices", "transfer_prices")

    def with_in_force(self, day: date) -> PriceSheetQuerySet:
        """Sheets with `is_in_force`: whether the sheet is the one that prices its provider on `day`.

        That is the newest default sheet that has begun; a provider has at most one.
        """
        begun = Q(is_default=True, valid_from__lte=day)
        newer = self.model._base_manager.filter(
            begun, provider=OuterRef("provider"), valid_from__gt=OuterRef("valid_from")
        )
        is_in_force = ExpressionWrapper(begun & ~Exists(newer), output_field=models.BooleanField())
        return self.annotate(is_in_force=is_in_force)

    def valid_on(self, day: date, provider: str) -> PriceSheet | None:
        """The sheet that prices `provider` on `day`, or None."""
        return self.with_in_force(day).filter(provider=provider, is_in_force=True).first()
