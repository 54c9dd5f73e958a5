"""Organizations get price sheets of their own, and every sheet a code."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import Q

import pricing.models


def give_codes(apps, schema_editor):
    sheets = apps.get_model("pricing", "PriceSheet").objects
    for pk in sheets.values_list("pk", flat=True):
        sheets.filter(pk=pk).update(code=pricing.models.sheet_code())


def _code(**options):
    return models.CharField(max_length=40, default=pricing.models.sheet_code, editable=False, **options)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_longest_retention"), ("pricing", "0002_shipped_prices")]

    operations = [
        migrations.RemoveConstraint("pricesheet", "price_sheet_name_once_per_provider"),
        migrations.RemoveConstraint("pricesheet", "price_sheet_one_default_per_provider_and_day"),
        migrations.AddField(
            "pricesheet", "created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)
        ),
        migrations.AddField(
            "pricesheet",
            "organization",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="price_sheets",
                to="accounts.organization",
            ),
        ),
        # Rows that are there get one default for all; only after each has its own can they be unique.
        migrations.AddField("pricesheet", "code", _code()),
        migrations.RunPython(give_codes, migrations.RunPython.noop),
        migrations.AlterField("pricesheet", "code", _code(unique=True)),
        *[
            migrations.AddConstraint(
                "pricesheet",
                models.UniqueConstraint(
                    condition=condition & Q(organization__isnull=is_shipped),
                    fields=["provider", field] if is_shipped else ["organization", "provider", field],
                    name=f"{'shipped' if is_shipped else 'own'}_{name}",
                ),
            )
            for field, name, condition in [
                ("name", "price_sheet_name_once_per_provider", Q()),
                ("valid_from", "price_sheet_one_default_per_provider_and_day", Q(is_default=True)),
            ]
            for is_shipped in [True, False]
        ],
    ]
