"""Rows of the other rooms in the words of the API."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from backups.models import Backup, Copy
from backups.states import BackupState, CopyState, Origin, Scope
from clusters.models import Cluster, Plan
from jobs.models import Job
from jobs.states import JobState, JobType

from .schemas import BackupType, CreationMethod, JobStatus

PLAN = {Plan.FREE: "Free", Plan.SERVERLESS: "Serverless", Plan.DEDICATED: "Enterprise"}
OPTION = {Plan.FREE: "Free", Plan.SERVERLESS: "Serverless", Plan.DEDICATED: "Dedicated"}

BACKUP_STATUS = {BackupState.CREATING: "CREATING", BackupState.AVAILABLE: "AVAILABLE"}
# What a list shows: a backup that failed or was canceled is a job that ended, not something to restore from.
LISTED = tuple(BACKUP_STATUS)

JOB_STATUS = {
    JobState.PENDING: JobStatus.PENDING,
    JobState.IN_PROGRESS: JobStatus.IN_PROGRESS,
    JobState.VERIFYING: JobStatus.IN_PROGRESS,
    JobState.CANCELING: JobStatus.CANCELING,
    JobState.SUCCESSFUL: JobStatus.SUCCESSFUL,
    JobState.FAILED: JobStatus.FAILED,
    JobState.CRASHED: JobStatus.FAILED,
    JobState.CANCELED: JobStatus.CANCELED,
}
# A copy to a region is a backup job to existing clients; the rest are words of ours.
JOB_TYPE = {JobType.COPY: "BACKUP"}


def states_of(status: JobStatus) -> list[JobState]:
    return [state for state, shown in JOB_STATUS.items() if shown == status]


def cluster_out(cluster: Cluster) -> dict[str, Any]:
    """`cluster` comes with `backup_count` and `is_being_restored`."""
    plan = Plan(cluster.plan)
    return {
        "cluster_id": cluster.code,
        "cluster_name": cluster.name,
        "status": "RESTORE_BACKUP" if cluster.is_being_restored else "RUNNING",  # type: ignore[attr-defined]
        "plan": PLAN[plan],
        "deployment_option": OPTION[plan],
        "region_id": cluster.region_id,
        "project_id": cluster.project.code,
        "cu_size": cluster.cu_size,
        "create_time": cluster.created_at,
        "connect_address": cluster.endpoint,
        "snapshot_number": cluster.backup_count,  # type: ignore[attr-defined]
    }


def backup_out(backup: Backup) -> dict[str, Any]:
    """`backup` comes from `for_list()` with its project."""
    original = next((copy for copy in backup.copies.all() if copy.is_original), None)
    return {
        "backup_id": backup.code,
        "backup_name": backup.name,
        "status": BACKUP_STATUS.get(BackupState(backup.state), backup.state.upper()),
        "backup_type": BackupType.CLUSTER if backup.scope == Scope.CLUSTER else BackupType.COLLECTION,
        "creation_method": CreationMethod.AUTO if backup.origin == Origin.AUTO else CreationMethod.MANUAL,
        "size": backup.size_bytes or 0,
        "create_time": backup.created_at,
        "expire_time": original.expires_at if original else None,
        "cluster_id": backup.cluster.code,
        "cluster_name": backup.cluster.name,
        "project_id": backup.project.code,
        "restore_new_instance_policies": ["LATEST"],
    }


def backup_detail(backup: Backup) -> dict[str, Any]:
    collections = backup.collections.order_by("database", "name")
    return backup_out(backup) | {
        "region_id": backup.cluster.region_id,
        "db_collections": [
            {"db_name": database, "collections": [{"collection_name": row.name} for row in rows]}
            for database, rows in groupby(collections, key=lambda row: row.database)
        ],
        "copies": [copy_out(copy) for copy in backup.copies.all()],
    }


def copy_out(copy: Copy) -> dict[str, Any]:
    return {
        "region_id": copy.region_id,
        "is_original": copy.is_original,
        "status": CopyState(copy.state).upper(),
        "size": copy.size_bytes or 0,
        "expire_time": copy.expires_at,
        "proven_time": copy.verified_at,
        "reason": copy.reason or copy.held_reason,
    }


def job_out(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.code,
        "type": JOB_TYPE.get(JobType(job.type), job.type.upper()),
        "status": JOB_STATUS[JobState(job.state)],
        "progress": str(job.progress_percent),
        "start_time": job.started_at,
        "end_time": job.finished_at,
        "reason": job.reason,
        "cluster_id": job.cluster.code,
        "backup_id": job.backup.code,
        "region_id": job.target_region_id,
    }
