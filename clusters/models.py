from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.encryption import EncryptedTextField
from accounts.errors import SecretUnreadable
from accounts.models import Organization, Project
from dataplane.errors import ClusterDenied, StoreDenied
from dataplane.stores.base import ObjectStore
from dataplane.stores.open import open_store

from .codes import cluster_code
from .querysets import ClusterQuerySet, StoreQuerySet
from .reach import reach
from .store_options import parse_options


class Provider(models.TextChoices):
    AWS = "aws", "AWS"
    GCP = "gcp", "Google Cloud"
    AZURE = "azure", "Azure"


class Plan(models.TextChoices):
    FREE = "free", "Free"
    SERVERLESS = "serverless", "Serverless"
    DEDICATED = "dedicated", "Dedicated"


class Region(models.Model):
    """One region of one cloud provider. The rows are shipped; `code` is the id that every other room uses."""

    code = models.CharField(max_length=40, primary_key=True)
    provider = models.CharField(max_length=10, choices=Provider.choices)
    location = models.CharField(max_length=80)
    continent = models.CharField(max_length=40)

    class Meta:
        ordering = ["provider", "continent", "code"]

    def __str__(self) -> str:
        return f"{self.location} ({self.code})"

    @property
    def city(self) -> str:
        """The location's first word or two, as people call the region: “Frankfurt”."""
        return self.location.split(",")[0]


class Store(models.Model):
    """Where an organization keeps backups in one region: a bucket, or a folder."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="stores")
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="stores")
    url = models.CharField(max_length=500, help_text="s3://bucket/prefix, gs://bucket/prefix or file:///folder")
    options = EncryptedTextField(blank=True, default="", help_text="One NAME=value per line; encrypted.")
    checked_at = models.DateTimeField(null=True, blank=True)
    check_failure = models.CharField(max_length=1000, blank=True)

    objects = StoreQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "region"], name="one_store_per_region")]
        ordering = ["region"]

    def __str__(self) -> str:
        return f"{self.region_id} at {self.url}"

    @property
    def audit_code(self) -> str:
        """What an organization calls its store in a region by."""
        return self.region_id

    def open(self) -> ObjectStore:
        """The adapter for this store; raises dataplane.errors.StoreMisconfigured or StoreDenied."""
        return open_store(self.url, options=self.read_options(), name=self.region_id, reach=reach())

    def read_options(self) -> dict[str, str]:
        """The options by name; raises dataplane.errors.StoreDenied if they cannot be decrypted any more."""
        try:
            text = self.options.reveal()
        except SecretUnreadable as error:
            raise StoreDenied(
                f"The stored options of {self.region_id} cannot be read: ENCRYPTION_KEYS has changed. "
                "Enter them again under Settings > Regions."
            ) from error
        return parse_options(text)


class Cluster(models.Model):
    """A Milvus-compatible database that a project owns."""

    code = models.CharField(max_length=40, unique=True, default=cluster_code, editable=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="clusters")
    name = models.CharField(max_length=64)
    plan = models.CharField(max_length=20, choices=Plan.choices, default=Plan.DEDICATED)
    cu_size = models.PositiveIntegerField("CU size", default=1)
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="clusters")
    endpoint = models.CharField(max_length=300, blank=True)
    token = EncryptedTextField(blank=True, default="")
    # An embedded cluster is a Milvus Lite database in our own folder; its endpoint changes with every start.
    is_embedded = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    dropped_at = models.DateTimeField(null=True, blank=True)

    objects = ClusterQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"], condition=Q(dropped_at__isnull=True), name="cluster_name_unique_in_project"
            ),
            models.CheckConstraint(condition=Q(cu_size__gte=1, cu_size__lte=1024), name="cu_size_1_to_1024"),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("clusters:cluster-detail", args=[self.code])

    def read_token(self) -> str:
        """The token in the clear; raises dataplane.errors.ClusterDenied if it cannot be decrypted any more."""
        try:
            return self.token.reveal()
        except SecretUnreadable as error:
            raise ClusterDenied(
                f"The stored token of {self.name} cannot be read: ENCRYPTION_KEYS has changed. "
                "Enter it again under Settings."
            ) from error

    @property
    def data_dir(self) -> Path:
        """Where an embedded cluster keeps its data."""
        return Path(settings.VAR_DIR) / "milvus" / self.code
