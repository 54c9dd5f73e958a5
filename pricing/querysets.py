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

    def of(self, organization_id: int | None) -> PriceSheetQuerySet:
        """The sheets an organization can see: its own, and those that came with the site."""
        return self.filter(Q(organization__isnull=True) | Q(organization=organization_id))

    def in_force_on(self, day: date, organization_id: int | None = None) -> PriceSheetQuerySet:
        """The sheets that price `day` for an organization, at most one per provider.

        Its own newest default sheet that has begun; where it has none, the newest of those that came with the site.
        """
        return self.filter(self._is_in_force(day, organization_id))

    def with_in_force(self, day: date, organization_id: int | None = None) -> PriceSheetQuerySet:
        """Sheets with `is_in_force`: whether `in_force_on` holds this sheet."""
        is_in_force = ExpressionWrapper(self._is_in_force(day, organization_id), output_field=models.BooleanField())
        return self.annotate(is_in_force=is_in_force)

    def valid_on(self, day: date, provider: str, organization_id: int | None = None) -> PriceSheet | None:
        """The sheet that prices `provider` on `day`, or None."""
        return self.in_force_on(day, organization_id).filter(provider=provider).first()

    def _is_in_force(self, day: date, organization_id: int | None) -> Q:
        begun = Q(is_default=True, valid_from__lte=day)
        rivals = self.model._base_manager.filter(begun, provider=OuterRef("provider"))
        own = rivals.filter(organization=organization_id, organization__isnull=False)
        shipped = rivals.filter(organization__isnull=True)
        newer = Q(valid_from__gt=OuterRef("valid_from"))
        is_own = Q(organization__isnull=False, organization=organization_id) & ~Q(Exists(own.filter(newer)))
        is_shipped = Q(organization__isnull=True) & ~Q(Exists(own)) & ~Q(Exists(shipped.filter(newer)))
        return begun & (is_own | is_shipped)
