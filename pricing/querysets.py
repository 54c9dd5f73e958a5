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

    def in_force_on(self, day: date) -> PriceSheetQuerySet:
        """The sheets that price `day`, at most one per provider: its newest default sheet that has begun."""
        return self.filter(self._is_in_force(day))

    def with_in_force(self, day: date) -> PriceSheetQuerySet:
        """Sheets with `is_in_force`: whether `in_force_on(day)` holds this sheet."""
        is_in_force = ExpressionWrapper(self._is_in_force(day), output_field=models.BooleanField())
        return self.annotate(is_in_force=is_in_force)

    def valid_on(self, day: date, provider: str) -> PriceSheet | None:
        """The sheet that prices `provider` on `day`, or None."""
        return self.in_force_on(day).filter(provider=provider).first()

    def _is_in_force(self, day: date) -> Q:
        begun = Q(is_default=True, valid_from__lte=day)
        newer = self.model._base_manager.filter(
            begun, provider=OuterRef("provider"), valid_from__gt=OuterRef("valid_from")
        )
        return begun & ~Q(Exists(newer))
