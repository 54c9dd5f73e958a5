"""Jobs: one by its id, and ours: all of them, cancel, retry, verify."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Query

from accounts.guard import ONE_THING
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from backups.models import Backup, Copy
from jobs import services
from jobs.check_services import request_verification
from jobs.models import Job
from jobs.states import JobType

from . import schemas
from .errors import ApiRefused, Code, refusing_with
from .finding import find_backup, find_job
from .operation import OURS, Example, Operations
from .paging import PagingQuery, paged, projects_seen
from .present import job_out, states_of

ONE_JOB = {"job_id": "$job"}


def add_calls(calls: Operations) -> None:
    calls.add(
        "GET",
        "/jobs/{job_id}",
        answers=schemas.JobOut,
        tag="Jobs",
        needs=Privilege.BACKUP_VIEW,
        of=ONE_THING,
        example=Example(ONE_JOB),
    )(describe_job)
    calls.add(
        "GET",
        "/backupsite/jobs",
        answers=schemas.JobPage,
        tag=OURS,
        example=Example(query={"clusterId": "$cluster", "status": "SUCCESSFUL"}),
    )(list_jobs)
    calls.add(
        "POST",
        "/backupsite/jobs/{job_id}/cancel",
        answers=schemas.JobOut,
        tag=OURS,
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example({"job_id": "$running job"}, body={}),
    )(cancel_job)
    calls.add(
        "POST",
        "/backupsite/jobs/{job_id}/retry",
        answers=schemas.JobStarted,
        tag=OURS,
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example({"job_id": "$failed copy job"}, body={}),
    )(retry_copy)
    calls.add(
        "POST",
        "/backupsite/clusters/{cluster_id}/backups/{backup_id}/verify",
        answers=schemas.JobStarted,
        tag=OURS,
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example({"cluster_id": "$cluster", "backup_id": "$backup"}, body={"depth": "quick"}),
    )(verify_copy)


def describe_job(request: HtmxHttpRequest, job_id: str) -> dict[str, Any]:
    """One job. A backup's copies have jobs of their own, which appear once the original is made."""
    return job_out(find_job(request, job_id))


def list_jobs(
    request: HtmxHttpRequest, paging: PagingQuery, filters: Annotated[schemas.JobFilters, Query(...)]
) -> dict[str, Any]:
    """Jobs of every project in which the key may look at backups, newest first."""
    jobs = Job.objects.for_row()
    if filters.project_id is not None:
        jobs = jobs.filter(project__code=filters.project_id)
    if filters.cluster_id is not None:
        jobs = jobs.filter(cluster__code=filters.cluster_id)
    if filters.status is not None:
        jobs = jobs.filter(state__in=states_of(filters.status))
    projects = projects_seen(request.user, Privilege.BACKUP_VIEW)
    return paged(jobs, paging, "jobs", job_out, projects=projects)


def cancel_job(request: HtmxHttpRequest, job_id: str) -> dict[str, Any]:
    """Stop a job: at once if it waits, else as soon as its worker notices."""
    job = find_job(request, job_id)
    with refusing_with(Code.OURS):
        services.cancel_job(user=request.user, job=job)
    return job_out(Job.objects.for_row().get(pk=job.pk))


def retry_copy(request: HtmxHttpRequest, job_id: str) -> dict[str, Any]:
    """Make the copy again whose job failed or was canceled, without touching the others."""
    job = find_job(request, job_id)
    if job.type != JobType.COPY:
        raise ApiRefused(Code.OURS, "Only a copy to a region can be made again; create a new backup instead.")
    copy = Copy.objects.select_related("backup__project", "backup__cluster", "region").get(pk=job.copy_id)
    with refusing_with(Code.OURS):
        again = services.retry_copy(user=request.user, copy=copy)
    return {"job_id": again.code}


def verify_copy(request: HtmxHttpRequest, cluster_id: str, backup_id: str, body: schemas.VerifyCopy) -> dict[str, Any]:
    """Check one copy of a backup: that its objects are there with their sizes, or (full) read every byte back."""
    copy = _copy_in(find_backup(request, cluster_id, backup_id), body.region_id)
    with refusing_with(Code.OURS):
        job = request_verification(user=request.user, copy=copy, depth=body.depth)
    return {"job_id": job.code}


def _copy_in(backup: Backup, region_id: str | None) -> Copy:
    copies = backup.copies.select_related("backup__project", "backup__cluster", "region", "store")
    copy = copies.filter(is_original=True).first() if region_id is None else copies.filter(region=region_id).first()
    if copy is None:
        raise ApiRefused(Code.BAD_REGION, f"{backup.name} has no copy in that region.", status=404)
    return copy
