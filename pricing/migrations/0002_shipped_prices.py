"""The prices known from public documentation. What is not known is left out, never guessed."""

from datetime import date
from decimal import Decimal

from django.db import migrations

# Early enough that every backup of an installation falls under a sheet.
VALID_FROM = date(2025, 1, 1)

NORTH_AMERICA = ("continent", "North America")
EUROPE = ("continent", "Europe")

SHEETS = [
    {
        "provider": "gcp",
        "name": "Google Cloud, cross-region backup example",
        "is_default": True,
        "source_note": (
            'The example on the documentation page "Copy To Other Regions": backup storage at $0.02 per GB and month, '
            "transfer at $0.02 per GB within North America and $0.08 per GB from North America to Europe. "
            "Prices between other continents are not known."
        ),
        "storage": [("", Decimal("0.02"))],
        "transfer": [
            (NORTH_AMERICA, NORTH_AMERICA, Decimal("0.02")),
            (NORTH_AMERICA, EUROPE, Decimal("0.08")),
        ],
    },
    {
        "provider": "gcp",
        "name": "Google Cloud, data transfer page",
        "is_default": False,
        "source_note": (
            'The documentation page "Data Transfer Cost" gives $0.05 per GB from North America to Europe and so '
            "contradicts the $0.08 of the backup example. Kept for comparison; it prices nothing."
        ),
        "storage": [],
        "transfer": [
            (NORTH_AMERICA, NORTH_AMERICA, Decimal("0.02")),
            (NORTH_AMERICA, EUROPE, Decimal("0.05")),
        ],
    },
    {
        "provider": "aws",
        "name": "AWS, backup storage",
        "is_default": True,
        "source_note": (
            'The documentation page "Storage Cost": backup storage in us-east-1 at $0.025 per GB and month. '
            "Storage prices of other AWS regions and all AWS transfer prices are not known."
        ),
        "storage": [("aws-us-east-1", Decimal("0.025"))],
        "transfer": [],
    },
]


def add_shipped_prices(apps, schema_editor):
    price_sheet = apps.get_model("pricing", "PriceSheet")
    for row in SHEETS:
        sheet = price_sheet.objects.create(
            provider=row["provider"],
            name=row["name"],
            currency="USD",
            valid_from=VALID_FROM,
            source_note=row["source_note"],
            is_default=row["is_default"],
        )
        for region, price in row["storage"]:
            sheet.storage_prices.create(region=region, price_per_gb_month=price)
        for (source_kind, source), (target_kind, target), price in row["transfer"]:
            sheet.transfer_prices.create(
                source_kind=source_kind, source=source, target_kind=target_kind, target=target, price_per_gb=price
            )


def remove_shipped_prices(apps, schema_editor):
    price_sheet = apps.get_model("pricing", "PriceSheet")
    for row in SHEETS:
        price_sheet.objects.filter(provider=row["provider"], name=row["name"]).delete()


class Migration(migrations.Migration):
    dependencies = [("pricing", "0001_price_sheets")]

    operations = [migrations.RunPython(add_shipped_prices, remove_shipped_prices)]
