import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from accounts.append_only import allow_changes, forbid_changes


def forbid(apps, schema_editor):
    forbid_changes(schema_editor, "pricing_ledgerentry")


def allow(apps, schema_editor):
    allow_changes(schema_editor, "pricing_ledgerentry")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_audit_log_without_replace"),
        ("pricing", "0004_currency_and_unit_of_sheets"),
    ]

    operations = [
        migrations.CreateModel(
            name="DailyUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("project", models.CharField(max_length=40)),
                ("cluster", models.CharField(max_length=40)),
                ("region", models.CharField(max_length=40)),
                ("source", models.CharField(blank=True, max_length=40)),
                ("schedule", models.CharField(blank=True, max_length=40)),
                ("kind", models.CharField(choices=[("storage", "storage"), ("transfer", "transfer")], max_length=8)),
                ("size_bytes", models.BigIntegerField(help_text="What is charged.")),
                ("whole_bytes", models.BigIntegerField(help_text="What it would be if backups shared nothing.")),
                ("retry_bytes", models.BigIntegerField(default=0, help_text="Of transfer: what had been sent before.")),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "daily usage",
                "indexes": [
                    models.Index(fields=["organization", "day"], name="usage_of_organization"),
                    models.Index(fields=["project", "day"], name="usage_of_project"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("cluster", "region", "day", "kind", "source", "schedule"), name="daily_usage_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=250, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("sent", "bytes that travelled from one region to another"),
                            ("held", "change of the bytes that lie in a region"),
                            ("kept", "change of the whole size of the copies kept there, as if nothing were shared"),
                        ],
                        max_length=4,
                    ),
                ),
                ("at", models.DateTimeField(help_text="When it happened; decides the day it is charged for.")),
                ("noted_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("project", models.CharField(max_length=40)),
                ("cluster", models.CharField(max_length=40)),
                ("region", models.CharField(max_length=40)),
                ("source", models.CharField(blank=True, help_text="Where sent bytes came from.", max_length=40)),
                (
                    "schedule",
                    models.CharField(blank=True, help_text="Empty for what a person asked for.", max_length=40),
                ),
                ("backup", models.CharField(blank=True, max_length=60)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("backup", "a backup was taken"),
                            ("copy", "a copy was made"),
                            ("repair", "a copy was repaired"),
                            ("delete", "a copy was deleted"),
                            ("expire", "the days of a copy were over"),
                            ("collect", "leftovers were collected"),
                            ("correction", "the store was looked at and held something else than the ledger said"),
                        ],
                        max_length=10,
                    ),
                ),
                ("size_bytes", models.BigIntegerField()),
                ("whole_bytes", models.BigIntegerField(default=0)),
                ("retry_bytes", models.BigIntegerField(default=0)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "ordering": ["at", "pk"],
                "indexes": [
                    models.Index(fields=["cluster", "region", "at"], name="ledger_of_place"),
                    models.Index(fields=["backup", "region"], name="ledger_of_backup"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["sent", "held", "kept"])), name="ledger_kind_is_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cause__in", ["backup", "copy", "repair", "delete", "expire", "collect", "correction"])
                        ),
                        name="ledger_cause_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("kind", "sent"),
                                ("retry_bytes__gte", 0),
                                ("size_bytes__gte", 0),
                                ("whole_bytes__gte", 0),
                                models.Q(("source", ""), _negated=True),
                            ),
                            models.Q(
                                models.Q(("kind", "sent"), _negated=True),
                                ("retry_bytes", 0),
                                ("source", ""),
                                ("whole_bytes", 0),
                            ),
                            _connector="OR",
                        ),
                        name="ledger_sent_bytes_came_from_somewhere",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TransferAllowance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(help_text="Its first day.")),
                (
                    "amount",
                    models.DecimalField(decimal_places=2, help_text="Nothing from this month on: 0.", max_digits=12),
                ),
                (
                    "currency",
                    models.CharField(
                        choices=[
                            ("USD", "US dollar"),
                            ("EUR", "Euro"),
                            ("GBP", "Pound sterling"),
                            ("CNY", "Chinese yuan"),
                            ("JPY", "Japanese yen"),
                            ("AED", "UAE dirham"),
                            ("ARS", "Argentine peso"),
                            ("AUD", "Australian dollar"),
                            ("BRL", "Brazilian real"),
                            ("CAD", "Canadian dollar"),
                            ("CHF", "Swiss franc"),
                            ("CLP", "Chilean peso"),
                            ("COP", "Colombian peso"),
                            ("CZK", "Czech koruna"),
                            ("DKK", "Danish krone"),
                            ("EGP", "Egyptian pound"),
                            ("HKD", "Hong Kong dollar"),
                            ("HUF", "Hungarian forint"),
                            ("IDR", "Indonesian rupiah"),
                            ("ILS", "Israeli new shekel"),
                            ("INR", "Indian rupee"),
                            ("KRW", "South Korean won"),
                            ("MXN", "Mexican peso"),
                            ("MYR", "Malaysian ringgit"),
                            ("NOK", "Norwegian krone"),
                            ("NZD", "New Zealand dollar"),
                            ("PEN", "Peruvian sol"),
                            ("PHP", "Philippine peso"),
                            ("PLN", "Polish zloty"),
                            ("RON", "Romanian leu"),
                            ("SAR", "Saudi riyal"),
                            ("SEK", "Swedish krona"),
                            ("SGD", "Singapore dollar"),
                            ("THB", "Thai baht"),
                            ("TRY", "Turkish lira"),
                            ("TWD", "New Taiwan dollar"),
                            ("UAH", "Ukrainian hryvnia"),
                            ("VND", "Vietnamese dong"),
                            ("ZAR", "South African rand"),
                        ],
                        max_length=3,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="transfer_allowances",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "ordering": ["month"],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "month"), name="transfer_allowance_once_per_month"),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)), name="transfer_allowance_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("month__day", 1)), name="transfer_allowance_begins_with_a_month"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "currency__in",
                                [
                                    "AED",
                                    "ARS",
                                    "AUD",
                                    "BRL",
                                    "CAD",
                                    "CHF",
                                    "CLP",
                                    "CNY",
                                    "COP",
                                    "CZK",
                                    "DKK",
                                    "EGP",
                                    "EUR",
                                    "GBP",
                                    "HKD",
                                    "HUF",
                                    "IDR",
                                    "ILS",
                                    "INR",
                                    "JPY",
                                    "KRW",
                                    "MXN",
                                    "MYR",
                                    "NOK",
                                    "NZD",
                                    "PEN",
                                    "PHP",
                                    "PLN",
                                    "RON",
                                    "SAR",
                                    "SEK",
                                    "SGD",
                                    "THB",
                                    "TRY",
                                    "TWD",
                                    "UAH",
                                    "USD",
                                    "VND",
                                    "ZAR",
                                ],
                            )
                        ),
                        name="transfer_allowance_currency_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsagePlace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("project", models.CharField(max_length=40)),
                ("cluster", models.CharField(max_length=40)),
                ("region", models.CharField(max_length=40)),
                (
                    "day",
                    models.DateField(help_text="The newest day rolled up; empty before the first fact.", null=True),
                ),
                ("held_bytes", models.BigIntegerField(default=0)),
                ("kept_bytes", models.JSONField(blank=True, default=dict)),
                ("shares", models.JSONField(blank=True, default=dict)),
                ("level_bytes", models.BigIntegerField(default=0)),
                (
                    "is_carried",
                    models.BooleanField(default=False, help_text="Whether something is charged on the next day, too."),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("is_carried", True)), fields=["day"], name="usage_place_carried"),
                    models.Index(fields=["organization", "day"], name="usage_place_of_organization"),
                ],
                "constraints": [models.UniqueConstraint(fields=("cluster", "region"), name="usage_place_once")],
            },
        ),
        migrations.RunPython(forbid, allow),
    ]
