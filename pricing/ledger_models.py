"""What was really used: the ledger, to which facts are only added, and its roll-up by day, which can be made anew.

Projects, clusters, regions, schedules and backups are plain codes here, so that what was used stays known when they are
long gone.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.append_only import AppendOnlyModel
from accounts.models import Organization
from pricing.calculator import LineKind
from pricing.currencies import CURRENCIES


class FactKind(models.TextChoices):
    """What a line of the ledger says."""

    SENT = "sent", "bytes that travelled from one region to another"
    HELD = "held", "change of the bytes that lie in a region"
    KEPT = "kept", "change of the whole size of the copies kept there, as if nothing were shared"


class Cause(models.TextChoices):
    """Why."""

    BACKUP = "backup", "a backup was taken"
    COPY = "copy", "a copy was made"
    REPAIR = "repair", "a copy was repaired"
    DELETE = "delete", "a copy was deleted"
    EXPIRE = "expire", "the days of a copy were over"
    COLLECT = "collect", "leftovers were collected"
    CORRECTION = "correction", "the store was looked at and held something else than the ledger said"


class LedgerEntry(AppendOnlyModel):
    """One metered fact. The database itself refuses to change or remove it (`accounts.append_only`)."""

    # Says what is noted, so that nothing is noted twice however often a worker or a sweep tries.
    key = models.CharField(max_length=250, unique=True)
    kind = models.CharField(max_length=4, choices=FactKind.choices)
    at = models.DateTimeField(help_text="When it happened; decides the day it is charged for.")
    noted_at = models.DateTimeField(default=timezone.now)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    project = models.CharField(max_length=40)
    cluster = models.CharField(max_length=40)
    region = models.CharField(max_length=40)
    source = models.CharField(max_length=40, blank=True, help_text="Where sent bytes came from.")
    schedule = models.CharField(max_length=40, blank=True, help_text="Empty for what a person asked for.")
    backup = models.CharField(max_length=60, blank=True)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    size_bytes = models.BigIntegerField()
    # Of sent bytes: what would have travelled had the region held nothing, and what had been sent before.
    whole_bytes = models.BigIntegerField(default=0)
    retry_bytes = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=FactKind.values), name="ledger_kind_is_known"),
            models.CheckConstraint(condition=Q(cause__in=Cause.values), name="ledger_cause_is_known"),
            models.CheckConstraint(
                condition=Q(kind=FactKind.SENT, size_bytes__gte=0, whole_bytes__gte=0, retry_bytes__gte=0)
                & ~Q(source="")
                | ~Q(kind=FactKind.SENT) & Q(source="", whole_bytes=0, retry_bytes=0),
                name="ledger_sent_bytes_came_from_somewhere",
            ),
        ]
        indexes = [
            models.Index(fields=["cluster", "region", "at"], name="ledger_of_place"),
            models.Index(fields=["backup", "region"], name="ledger_of_backup"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.size_bytes} bytes in {self.region}"


class UsagePlace(models.Model):
    """One cluster's part of one region: up to which day its usage is rolled up, and what lay there when that day began.

    Whoever adds a fact about the place locks this row first, so facts and roll-up agree after every transaction.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    project = models.CharField(max_length=40)
    cluster = models.CharField(max_length=40)
    region = models.CharField(max_length=40)
    day = models.DateField(null=True, help_text="The newest day rolled up; empty before the first fact.")
    # At the beginning of that day: bytes that lay here, whole sizes of the copies kept by schedule ("" for manual
    # ones), and in which proportion the schedules shared what lay here on the day before.
    held_bytes = models.BigIntegerField(default=0)
    kept_bytes = models.JSONField(default=dict, blank=True)
    shares = models.JSONField(default=dict, blank=True)
    # After the newest fact.
    level_bytes = models.BigIntegerField(default=0)
    is_carried = models.BooleanField(default=False, help_text="Whether something is charged on the next day, too.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "region"], name="usage_place_once"),
        ]
        indexes = [
            models.Index(fields=["day"], condition=Q(is_carried=True), name="usage_place_carried"),
            models.Index(fields=["organization", "day"], name="usage_place_of_organization"),
        ]

    def __str__(self) -> str:
        return f"{self.cluster} in {self.region}"


class DailyUsage(models.Model):
    """What one schedule of one cluster used of one region on one day in UTC: made from the ledger, never by hand."""

    day = models.DateField()
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    project = models.CharField(max_length=40)
    cluster = models.CharField(max_length=40)
    region = models.CharField(max_length=40)
    source = models.CharField(max_length=40, blank=True)
    schedule = models.CharField(max_length=40, blank=True)
    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in LineKind])
    size_bytes = models.BigIntegerField(help_text="What is charged.")
    whole_bytes = models.BigIntegerField(help_text="What it would be if backups shared nothing.")
    retry_bytes = models.BigIntegerField(default=0, help_text="Of transfer: what had been sent before.")

    class Meta:
        verbose_name_plural = "daily usage"
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "region", "day", "kind", "source", "schedule"], name="daily_usage_once"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "day"], name="usage_of_organization"),
            models.Index(fields=["project", "day"], name="usage_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.region} on {self.day}: {self.size_bytes} bytes"


class TransferAllowance(models.Model):
    """What an organization need not pay of its transfer in each calendar month, from one month to the next row."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="transfer_allowances")
    month = models.DateField(help_text="Its first day.")
    amount = models.DecimalField(max_digits=12, decimal_places=2, help_text="Nothing from this month on: 0.")
    currency = models.CharField(max_length=3, choices=list(CURRENCIES.items()))

    class Meta:
        ordering = ["month"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "month"], name="transfer_allowance_once_per_month"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="transfer_allowance_not_negative"),
            models.CheckConstraint(condition=Q(month__day=1), name="transfer_allowance_begins_with_a_month"),
            models.CheckConstraint(
                condition=Q(currency__in=sorted(CURRENCIES)), name="transfer_allowance_currency_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} from {self.month:%B %Y} on"
