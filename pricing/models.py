"""Dated price sheets: what one provider charges for keeping a GB and for moving it, and where we know it from."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.codes import letter_code
from accounts.models import Organization
from pricing.calculator import Scope
from pricing.currencies import CURRENCIES, USD, SizeUnit
from pricing.ledger_models import DailyUsage, LedgerEntry, TransferAllowance, UsagePlace
from pricing.querysets import PriceSheetQuerySet

__all__ = [
    "DailyUsage",
    "LedgerEntry",
    "PriceSheet",
    "StoragePrice",
    "TransferAllowance",
    "TransferPrice",
    "UsagePlace",
]

_UNITS = [(unit.value, unit.value) for unit in SizeUnit]


def sheet_code() -> str:
    return letter_code("sheet-", 16)


class AreaKind(models.TextChoices):
    ANY = Scope.ANY, "anywhere"
    CONTINENT = Scope.CONTINENT, "continent"
    REGION = Scope.REGION, "region"


def _is_named_unless_any(side: str) -> Q:
    """A continent or a region has a name, and "anywhere" has none."""
    is_named = Q(**{f"{side}_kind__in": [AreaKind.CONTINENT, AreaKind.REGION]}) & ~Q(**{side: ""})
    return is_named | Q(**{f"{side}_kind": AreaKind.ANY, side: ""})


def _once(fields: list[str], name: str, condition: Q | None = None) -> list[models.UniqueConstraint]:
    """Unique among an organization's own sheets, and among those that came with the site: a null equals no other."""
    condition = condition or Q()
    return [
        models.UniqueConstraint(
            fields=fields, condition=condition & Q(organization__isnull=True), name=f"shipped_{name}"
        ),
        models.UniqueConstraint(
            fields=["organization", *fields], condition=condition & Q(organization__isnull=False), name=f"own_{name}"
        ),
    ]


class PriceSheet(models.Model):
    """The prices of one provider from a day on, until a newer default sheet of that provider takes over.

    A sheet without an organization came with the site; an organization's own sheets go before it.
    """

    code = models.CharField(max_length=40, unique=True, default=sheet_code, editable=False)
    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="price_sheets"
    )
    provider = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3, choices=list(CURRENCIES.items()), default=USD)
    # What its prices are per.
    unit = models.CharField(
        max_length=3, choices=[(unit.value, unit.value) for unit in SizeUnit], default=SizeUnit.GB.value
    )
    valid_from = models.DateField()
    source_note = models.TextField(blank=True)
    # Sheets that are not the default, or were replaced, are kept for comparison and price nothing.
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PriceSheetQuerySet.as_manager()

    class Meta:
        ordering = ["provider", "-is_default", "-valid_from", "name"]
        constraints = [
            *_once(["provider", "name"], "price_sheet_name_once_per_provider"),
            *_once(["provider", "valid_from"], "price_sheet_one_default_per_provider_and_day", Q(is_default=True)),
            models.CheckConstraint(condition=Q(currency__in=list(CURRENCIES)), name="price_sheet_currency_known"),
            models.CheckConstraint(condition=Q(unit__in=[unit for unit, _ in _UNITS]), name="price_sheet_unit_known"),
            models.CheckConstraint(condition=~Q(provider=""), name="price_sheet_has_a_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.name}"

    @property
    def size_unit(self) -> SizeUnit:
        return SizeUnit(self.unit)


class StoragePrice(models.Model):
    """For keeping one GB for a month of 30 days, in the currency and unit of the sheet."""

    sheet = models.ForeignKey(PriceSheet, on_delete=models.CASCADE, related_name="storage_prices")
    # Empty: every region of the provider that has no price of its own.
    region = models.CharField(max_length=60, blank=True)
    price_per_gb_month = models.DecimalField(max_digits=12, decimal_places=6)

    class Meta:
        ordering = ["region"]
        constraints = [
            models.UniqueConstraint(fields=["sheet", "region"], name="storage_price_once_per_region"),
            models.CheckConstraint(condition=Q(price_per_gb_month__gte=0), name="storage_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.region or 'any region'}: {self.price_per_gb_month} per GB-month"


class TransferPrice(models.Model):
    """For moving one GB from one area of the world to another, in the currency and unit of the sheet."""

    sheet = models.ForeignKey(PriceSheet, on_delete=models.CASCADE, related_name="transfer_prices")
    source_kind = models.CharField(max_length=10, choices=AreaKind.choices)
    source = models.CharField(max_length=60, blank=True)
    target_kind = models.CharField(max_length=10, choices=AreaKind.choices)
    target = models.CharField(max_length=60, blank=True)
    price_per_gb = models.DecimalField(max_digits=12, decimal_places=6)

    class Meta:
        ordering = ["source_kind", "source", "target_kind", "target"]
        constraints = [
            models.UniqueConstraint(
                fields=["sheet", "source_kind", "source", "target_kind", "target"],
                name="transfer_price_once_per_pair_of_areas",
            ),
            models.CheckConstraint(condition=Q(price_per_gb__gte=0), name="transfer_price_not_negative"),
            models.CheckConstraint(
                condition=_is_named_unless_any("source"), name="transfer_price_source_named_unless_any"
            ),
            models.CheckConstraint(
                condition=_is_named_unless_any("target"), name="transfer_price_target_named_unless_any"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source_label} -> {self.target_label}: {self.price_per_gb} per GB"

    @property
    def source_label(self) -> str:
        return self.source or "anywhere"

    @property
    def target_label(self) -> str:
        return self.target or "anywhere"
