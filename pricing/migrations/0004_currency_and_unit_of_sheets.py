"""Sheets may be in any of the usual currencies, and their prices per GB or per GiB."""

from django.db import migrations, models
from django.db.models import Q

CURRENCIES = {
    "USD": "US dollar",
    "EUR": "Euro",
    "GBP": "Pound sterling",
    "CNY": "Chinese yuan",
    "JPY": "Japanese yen",
    "AED": "UAE dirham",
    "ARS": "Argentine peso",
    "AUD": "Australian dollar",
    "BRL": "Brazilian real",
    "CAD": "Canadian dollar",
    "CHF": "Swiss franc",
    "CLP": "Chilean peso",
    "COP": "Colombian peso",
    "CZK": "Czech koruna",
    "DKK": "Danish krone",
    "EGP": "Egyptian pound",
    "HKD": "Hong Kong dollar",
    "HUF": "Hungarian forint",
    "IDR": "Indonesian rupiah",
    "ILS": "Israeli new shekel",
    "INR": "Indian rupee",
    "KRW": "South Korean won",
    "MXN": "Mexican peso",
    "MYR": "Malaysian ringgit",
    "NOK": "Norwegian krone",
    "NZD": "New Zealand dollar",
    "PEN": "Peruvian sol",
    "PHP": "Philippine peso",
    "PLN": "Polish zloty",
    "RON": "Romanian leu",
    "SAR": "Saudi riyal",
    "SEK": "Swedish krona",
    "SGD": "Singapore dollar",
    "THB": "Thai baht",
    "TRY": "Turkish lira",
    "TWD": "New Taiwan dollar",
    "UAH": "Ukrainian hryvnia",
    "VND": "Vietnamese dong",
    "ZAR": "South African rand",
}


class Migration(migrations.Migration):
    dependencies = [("pricing", "0003_own_price_sheets")]

    operations = [
        migrations.RemoveConstraint("pricesheet", "price_sheet_currency_known"),
        migrations.AddField(
            "pricesheet",
            "unit",
            models.CharField(choices=[("GB", "GB"), ("GiB", "GiB")], default="GB", max_length=3),
        ),
        migrations.AlterField(
            "pricesheet",
            "currency",
            models.CharField(choices=list(CURRENCIES.items()), default="USD", max_length=3),
        ),
        migrations.AddConstraint(
            "pricesheet",
            models.CheckConstraint(condition=Q(currency__in=list(CURRENCIES)), name="price_sheet_currency_known"),
        ),
        migrations.AddConstraint(
            "pricesheet",
            models.CheckConstraint(condition=Q(unit__in=["GB", "GiB"]), name="price_sheet_unit_known"),
        ),
    ]
