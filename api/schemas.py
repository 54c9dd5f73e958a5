"""What calls are asked with and answered with. Field order is what a client's table shows: ids, names, states first."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from .envelope import Model, Moment
from .paging import PageOf

Id = Annotated[str, Field(max_length=80)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
ClusterName = Annotated[str, Field(max_length=64, pattern="^[A-Za-z0-9][A-Za-z0-9-]*$")]


class Cloud(Model):
    cloud_id: str = Field(examples=["gcp"])
    description: str


class RegionOut(Model):
    cloud_id: str
    region_id: str = Field(examples=["gcp-us-west1"])
    domain: str = Field("", description="Always empty: clusters have addresses of their own here.")
    supported_cluster_types: list[str]
    location: str = Field(description="Ours.")
    continent: str = Field(description="Ours.")


class ProjectOut(Model):
    project_id: str
    project_name: str
    description: str = ""
    region_ids: list[str] = Field(description="Regions in which its organization has a store.")
    instance_count: int
    create_time: Moment
    plan: str = Field("Enterprise", description="Always Enterprise: every feature is there.")


class ClusterOut(Model):
    cluster_id: str
    cluster_name: str
    status: str
    plan: str
    deployment_option: str
    region_id: str
    project_id: str
    cu_size: int
    create_time: Moment
    connect_address: str
    cu_type: str | None = Field(None, description="Not known here.")
    description: str = ""
    private_link_address: str = ""
    snapshot_number: int = Field(description="Backups of the cluster that exist.")
    storage_size: int = Field(0, description="Not known here.")
    create_progress: int = 100


class ClusterPage(PageOf):
    clusters: list[ClusterOut]


class ClusterDropped(Model):
    cluster_id: str
    prompt: str


class ClusterRegistered(Model):
    cluster_id: str
    prompt: str


class RegisterCluster(Model):
    project_id: Id
    cluster_name: ClusterName
    region_id: Id
    plan: Literal["Dedicated", "Serverless", "Free"] = "Dedicated"
    cu_size: Annotated[int, Field(ge=1, le=1024)] = 1
    endpoint: Annotated[str, Field(min_length=1, max_length=300)]
    token: Annotated[str, Field(max_length=500)] = ""


class CreateCluster(Model):
    project_id: Id
    cluster_name: ClusterName
    region_id: Id
    cu_size: Annotated[int, Field(ge=1, le=1024)] = 1


class ClusterCreated(Model):
    cluster_id: str
    username: str | None
    password: str | None
    prompt: str


class BackupType(StrEnum):
    CLUSTER = "CLUSTER"
    COLLECTION = "COLLECTION"


class CreationMethod(StrEnum):
    MANUAL = "MANUAL"
    AUTO = "AUTO"


class DbCollections(Model):
    db_name: Annotated[str, Field(max_length=255)] = "default"
    collection_names: Annotated[list[Name], Field(min_length=1, max_length=1000)]

    @field_validator("db_name")
    @classmethod
    def _default(cls, name: str) -> str:
        return database_of(name)


def database_of(name: str | None) -> str:
    """A client that is told no database sends an empty one, or the literal placeholder of its own address."""
    return "default" if name in {None, "", "{dbName}"} else str(name)


class TargetRegion(Model):
    region_id: Id


class CreateBackup(Model):
    backup_type: BackupType
    db_collections: Annotated[list[DbCollections], Field(max_length=100)] | None = None
    cross_region_copies: Annotated[list[TargetRegion], Field(max_length=100)] | None = None


class BackupCreated(Model):
    backup_id: str
    backup_name: str
    job_id: str


class BackupOut(Model):
    backup_id: str
    backup_name: str
    status: str
    backup_type: str
    creation_method: str
    size: int = Field(description="Bytes of the original; 0 until it is there.")
    create_time: Moment
    expire_time: Moment | None = Field(description="Of the original; null if it is kept until deleted.")
    cluster_id: str
    cluster_name: str
    project_id: str
    restore_new_instance_policies: list[str] = Field(["LATEST"])


class BackupPage(PageOf):
    backups: list[BackupOut]


class CollectionOut(Model):
    collection_name: str
    description: str = ""
    status: str | None = Field(None, description="Not known here: a backup says it per manifest.")


class DatabaseOut(Model):
    db_name: str
    collections: list[CollectionOut]


class CopyOut(Model):
    """Ours: one region in which the backup's bytes lie."""

    region_id: str
    is_original: bool
    status: str
    size: int
    expire_time: Moment | None
    proven_time: Moment | None = Field(description="When every byte was last read back.")
    reason: str


class BackupDetail(BackupOut):
    region_id: str
    db_collections: list[DatabaseOut]
    copies: list[CopyOut] = Field(description="Ours: every region that holds a copy.")


class BackupDeleted(Model):
    backup_id: str
    backup_name: str


class PolicyCopy(Model):
    region_id: Id
    retention_days: Annotated[int, Field(ge=-(10**9), le=10**9)]


class SetPolicy(Model):
    """With `enabled` false the other fields are ignored, whatever they hold."""

    enabled: bool
    frequency: Annotated[str, Field(max_length=100)] | None = None
    start_time: Annotated[str, Field(max_length=100)] | None = None
    retention_days: Annotated[int, Field(ge=-(10**9), le=10**9)] | None = None
    cross_region_copies: Annotated[list[PolicyCopy], Field(max_length=100)] | None = None


class PolicyOut(Model):
    cluster_id: str
    status: str
    start_time: str | None
    frequency: str | None
    retention_days: int
    cross_region_copies: list[PolicyCopy]


class PolicySet(Model):
    cluster_id: str
    status: str


class RestoreCluster(Model):
    project_id: Id
    cluster_name: ClusterName
    cu_size: Annotated[int, Field(ge=1, le=1024)]
    collection_status: Literal["KEEP", "LOADED", "RELEASE", "NOT_LOADED"]


class ClusterRestored(Model):
    cluster_id: str
    username: str | None
    password: str | None
    job_id: str


class RestoredCollection(Model):
    collection_name: Name
    dest_collection_name: Annotated[str, Field(max_length=255)] | None = None
    target_collection_name: Annotated[str, Field(max_length=255)] | None = None
    dest_collection_status: Literal["LOADED", "UNLOADED"] | None = None
    target_collection_status: Literal["LOADED", "UNLOADED"] | None = None


class RestoredDatabase(Model):
    db_name: Annotated[str, Field(max_length=255)] = "default"
    dest_db_name: Annotated[str, Field(max_length=255)] | None = None
    collections: Annotated[list[RestoredCollection], Field(max_length=1000)] | None = None


class RestoreCollections(Model):
    dest_cluster_id: Id
    db_collections: Annotated[list[RestoredDatabase], Field(max_length=100)] | None = None


class JobStarted(Model):
    job_id: str


class CopyTo(Model):
    region_id: Id
    retention_days: Annotated[int, Field(ge=-(10**9), le=10**9)] | None = None


class CopyBackup(Model):
    copies: Annotated[list[CopyTo], Field(min_length=1, max_length=100)]


class JobsStarted(Model):
    job_ids: list[str]


class JobOut(Model):
    job_id: str
    type: str = Field(examples=["BACKUP"])
    status: str = Field(examples=["SUCCESSFUL"])
    progress: str = Field(description="Percent, as text.", examples=["100"])
    start_time: Moment | None
    end_time: Moment | None
    reason: str
    cluster_id: str = Field(description="Ours.")
    backup_id: str = Field(description="Ours.")
    region_id: str = Field(description="Ours: where the copy lies that the job makes, reads or removes.")


class JobPage(PageOf):
    jobs: list[JobOut]


class JobStatus(StrEnum):
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"


class ListedFilters(Model):
    project_id: Id | None = None
    cluster_id: Id | None = None


class BackupFilters(ListedFilters):
    creation_method: CreationMethod | None = None
    backup_type: BackupType | None = None
    start: datetime | None = None
    end: datetime | None = None
    start_time: datetime | None = Field(None, description="The older name of start.")
    end_time: datetime | None = Field(None, description="The older name of end.")


class JobFilters(ListedFilters):
    status: JobStatus | None = None


class VerifyCopy(Model):
    region_id: Id | None = Field(None, description="Left out: the original.")
    depth: Literal["quick", "full"] = "full"
