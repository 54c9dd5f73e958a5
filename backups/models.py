from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from accounts.models import Project, User
from clusters.models import Cluster, Region, Store

from .querysets import BackupQuerySet, CopyQuerySet
from .states import MAY_BE_CHECKED, MAY_BE_MADE_AGAIN, UNSETTLED, BackupState, CopyState, Origin, Scope


class Backup(models.Model):
    """One state of a cluster, taken at one time. Its bytes lie in its copies, the first of which is the original."""

    code = models.CharField(max_length=60, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="backups")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="backups")
    number = models.PositiveIntegerField(help_text="Counts the backups of one cluster, from 1.")
    name = models.CharField(max_length=200)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.MANUAL)
    scope = models.CharField(max_length=12, choices=Scope.choices, default=Scope.CLUSTER)
    state = models.CharField(max_length=12, choices=BackupState.choices, default=BackupState.CREATING)
    reason = models.CharField(max_length=1000, blank=True, help_text="Why it failed, in one sentence.")
    size_bytes = models.BigIntegerField(null=True, blank=True)
    row_count = models.BigIntegerField(null=True, blank=True)
    # Sentences from the manifest: what was left out (R5), and what the server could not give.
    exclusions = models.JSONField(default=list, blank=True)
    notes = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BackupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "number"], name="backup_number_unique_in_cluster"),
            models.CheckConstraint(
                condition=~Q(state=BackupState.AVAILABLE) | Q(size_bytes__isnull=False, row_count__isnull=False),
                name="available_backup_knows_its_size",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-created_at"]),
            # Who may see every project is shown the newest of all.
            models.Index(fields=["-created_at", "-id"], name="backup_newest_first"),
            # Most backups that ever were are deleted; the pages show the others.
            models.Index(fields=["project", "state", "-created_at", "-id"], name="backup_newest_in_project"),
            models.Index(fields=["cluster", "state", "-created_at", "-id"], name="backup_newest_in_cluster"),
        ]
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("backups:backup-detail", args=[self.code])


class BackupCollection(models.Model):
    """One collection that a backup holds (or, while it is being taken, was asked to hold)."""

    backup = models.ForeignKey(Backup, on_delete=models.CASCADE, related_name="collections")
    database = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    row_count = models.BigIntegerField(null=True, blank=True)
    size_bytes = models.BigIntegerField(null=True, blank=True)
    shard_count = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["backup", "database", "name"], name="collection_once_per_backup")
        ]
        ordering = ["database", "name"]

    def __str__(self) -> str:
        return self.name if self.database == "default" else f"{self.database}.{self.name}"


class Copy(models.Model):
    """The bytes of one backup in one region. The original is the copy in the cluster's own region."""

    backup = models.ForeignKey(Backup, on_delete=models.PROTECT, related_name="copies")
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="copies")
    store = models.ForeignKey(Store, on_delete=models.PROTECT, related_name="copies")
    is_original = models.BooleanField(default=False)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    state = models.CharField(max_length=12, choices=CopyState.choices, default=CopyState.PLANNED)
    reason = models.CharField(max_length=1000, blank=True, help_text="Why it failed or was canceled, in one sentence.")
    size_bytes = models.BigIntegerField(null=True, blank=True)
    # Where the bytes came from: not always the original, which may be damaged. Empty for an original never repaired.
    source_region = models.ForeignKey(Region, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    sent_bytes = models.BigIntegerField(default=0, help_text="Bytes that really travelled between regions.")
    skipped_bytes = models.BigIntegerField(default=0, help_text="Bytes the region already held.")
    needed_bytes = models.BigIntegerField(
        null=True, blank=True, help_text="What the region lacked when the first attempt began; empty: not known."
    )
    # How far the ledger knows of this copy; see `jobs.metering`.
    metered_bytes = models.BigIntegerField(default=0, help_text="Of the sent bytes, those in the ledger.")
    kept_noted_at = models.DateTimeField(null=True, blank=True, help_text="When the ledger learned that it is kept.")
    gone_noted_at = models.DateTimeField(null=True, blank=True, help_text="And that it is not any more.")
    kept_days = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: kept until deleted.")
    stored_at = models.DateTimeField(null=True, blank=True, help_text="Since when the region holds the bytes.")
    verified_at = models.DateTimeField(null=True, blank=True, help_text="When every object was last read back.")
    damaged_at = models.DateTimeField(null=True, blank=True, help_text="When damage was last met; empty once proven.")
    deleted_at = models.DateTimeField(null=True, blank=True)
    held_reason = models.CharField(max_length=200, blank=True, help_text="Why it stays although its days are over.")

    objects = CopyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "copies"
        constraints = [
            models.UniqueConstraint(fields=["backup", "region"], name="one_copy_per_region"),
            models.UniqueConstraint(fields=["backup"], condition=Q(is_original=True), name="one_original_per_backup"),
            # R15: available means proven.
            models.CheckConstraint(
                condition=~Q(state=CopyState.AVAILABLE)
                | Q(verified_at__isnull=False, stored_at__isnull=False, size_bytes__isnull=False),
                name="available_copy_was_verified",
            ),
            # R8 and R9: manual copies have no end, automatic ones must have one.
            models.CheckConstraint(
                # `isnull` says it twice because a check passes when it is unknown, and `NULL >= 1` is.
                condition=Q(origin=Origin.MANUAL, kept_days__isnull=True)
                | Q(origin=Origin.AUTO, kept_days__isnull=False, kept_days__gte=1),
                name="manual_copies_are_kept_automatic_ones_expire",
            ),
            models.CheckConstraint(
                condition=Q(state=CopyState.DELETED, deleted_at__isnull=False)
                | (~Q(state=CopyState.DELETED) & Q(deleted_at__isnull=True)),
                name="deleted_copy_knows_when",
            ),
        ]
        indexes = [
            # Retention is looked for among what exists and expires: see `CopyQuerySet.expired`.
            models.Index(
                fields=["kept_days", "stored_at"],
                condition=Q(kept_days__isnull=False, deleted_at__isnull=True),
                name="copy_by_retention",
            ),
            # What could be restored where is asked of all copies that exist: see `CopyQuerySet.usable_by_place`.
            models.Index(
                fields=["state", "backup", "region"], condition=Q(deleted_at__isnull=True), name="copy_by_state"
            ),
            # What the ledger does not know yet is looked for every minute among all copies that ever were, and is rare.
            # Conditions without a value, for SQLite matches no other with a query.
            models.Index(fields=["id"], condition=Q(sent_bytes__gt=F("metered_bytes")), name="copy_sent_more"),
            models.Index(
                fields=["id"],
                condition=Q(verified_at__isnull=False, kept_noted_at__isnull=True),
                name="copy_kept_unnoted",
            ),
            models.Index(
                fields=["id"],
                condition=Q(deleted_at__isnull=False, kept_noted_at__isnull=False, gone_noted_at__isnull=True),
                name="copy_gone_unnoted",
            ),
        ]
        ordering = ["-is_original", "region"]

    def __str__(self) -> str:
        return f"{self.backup} in {self.region_id}"

    @property
    def project(self) -> Project:
        return self.backup.project

    @property
    def audit_code(self) -> str:
        """A copy has no code of its own: people find it by its backup's."""
        return self.backup.code

    @property
    def expires_at(self) -> datetime | None:
        """When its days are over; None for one that is kept until deleted, and for one not stored yet."""
        if self.kept_days is None or self.stored_at is None:
            return None
        return self.stored_at + timedelta(days=self.kept_days)

    @property
    def is_restorable(self) -> bool:
        return self.state == CopyState.AVAILABLE

    @property
    def is_on_its_way(self) -> bool:
        """Will change without anybody's help; a removal that failed waits to be asked for again."""
        return self.state in UNSETTLED and not (self.state == CopyState.DELETING and self.reason)

    @property
    def may_be_checked(self) -> bool:
        return self.state in MAY_BE_CHECKED

    @property
    def saved_bytes(self) -> int:
        """Bytes that did not have to travel because the region held them before this copy was begun.

        What an earlier attempt at this very copy had sent was there too, but was sent and paid for.
        """
        if self.is_original or self.size_bytes is None:
            return 0
        return max(0, min(self.skipped_bytes, self.size_bytes - self.sent_bytes))

    @property
    def may_be_made_again(self) -> bool:
        return not self.is_original and self.state in MAY_BE_MADE_AGAIN
