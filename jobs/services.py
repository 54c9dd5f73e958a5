"""What people and the scheduler ask for. Each call checks the right, the rules, and writes rows; no bytes move here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db import IntegrityError, transaction

from accounts.access import require
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.models import Project, User
from accounts.privileges import Privilege
from backups.errors import StaleBackup
from backups.models import Backup, Copy
from backups.services import clear_reason, move_copy, plan_backup, plan_more_copies
from backups.states import MAY_BE_MADE_AGAIN, CopyState, Origin
from clusters.models import Cluster, Region
from clusters.rules import why_not_backed_up
from clusters.services import add_embedded_cluster

from .check_services import why_busy
from .endings import settle
from .errors import JobRefused, StaleJob
from .models import Job, Schedule
from .moves import create_job, move_job
from .restores import RestoreRequest, describe_leftovers
from .states import JobState, JobType


@refusals_as(Action.BACKUP_REQUESTED, of="cluster")
@transaction.atomic
def request_backup(
    *,
    user: User | None,
    cluster: Cluster,
    origin: Origin = Origin.MANUAL,
    collections: Sequence[tuple[str, str]] | None = None,
    regions: Sequence[Region] = (),
    kept_days: int | None = None,
    kept_days_by_region: Mapping[str, int] | None = None,
    schedule: Schedule | None = None,
) -> Job:
    """Queue a backup of `cluster` with copies to `regions`; returns the job of the original.

    `user` is None for the scheduler. Raises PrivilegeMissing, or Refused with the sentence of the rule that said no:
    R1-R3, R8 and R9 in the catalogue, R10 here and in the database.
    """
    if user is not None:
        require(user, Privilege.BACKUP_MANAGE, cluster.project)
    # Whoever holds this row decides next, so two requests at once are answered one after the other.
    cluster = Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    if cluster.dropped_at is not None:
        raise JobRefused(f"{cluster.name} was dropped and cannot be backed up any more.")
    if origin == Origin.MANUAL:
        _refuse_second_backup(cluster)
    backup = plan_backup(
        cluster=cluster,
        origin=origin,
        collections=collections,
        regions=regions,
        created_by=user,
        kept_days=kept_days,
        kept_days_by_region=kept_days_by_region,
    )
    try:
        with transaction.atomic():
            job = create_job(
                JobType.BACKUP,
                copy=backup.copies.get(is_original=True),
                origin=origin,
                created_by=user,
                schedule=schedule,
            )
    except IntegrityError as clash:
        raise JobRefused(f"A manual backup of {cluster.name} is already running. One runs at a time.") from clash
    details = {"cluster": cluster.code, "job": job.code, "regions": [region.code for region in regions]}
    if schedule is not None:
        details["schedule"] = schedule.code
    record(Action.BACKUP_REQUESTED, user=user, target=backup, details=details)
    return job


def _refuse_second_backup(cluster: Cluster) -> None:
    """R10: no manual backup beside another one or beside an automatic one; automatic ones run regardless."""
    for origin, kind in ((Origin.MANUAL, "A manual"), (Origin.AUTO, "An automatic")):
        running = Job.objects.backups_running_in(cluster.pk, origin).first()
        if running:
            raise JobRefused(
                f"{kind} backup of {cluster.name} is already pending or running ({running.code}). "
                "Wait until it has finished, then create yours."
            )


@refusals_as(Action.RESTORE_REQUESTED, of="copy")
@transaction.atomic
def request_restore(*, user: User, copy: Copy, request: RestoreRequest, target: Cluster) -> Job:
    """Queue a restore from `copy` into the existing cluster `target`; it only ever adds collections there."""
    for project in (copy.backup.project, target.project):
        require(user, Privilege.BACKUP_MANAGE, project)
    # The state as it is now, and as it stays until this is committed: a deletion may have come first.
    copy = (
        Copy.objects.select_for_update(of=("self",), no_key=True)
        .select_related("backup__project", "region")
        .get(pk=copy.pk)
    )
    if target.project.organization_id != copy.backup.project.organization_id:
        raise JobRefused(
            "A backup is restored within its own organization; choose one of its clusters.", field="target"
        )
    if copy.state != CopyState.AVAILABLE:
        raise JobRefused(f"The copy in {copy.region} is {copy.get_state_display().lower()}; choose an available one.")
    if target.dropped_at is not None:
        raise JobRefused(f"{target.name} was dropped; choose another cluster.", field="target")
    if why_not_backed_up(target.plan):
        raise JobRefused(
            f"Only Dedicated clusters can be restored to; {target.name} is {target.get_plan_display()}.", field="target"
        )
    request.check()
    held = set(copy.backup.collections.values_list("database", "name"))
    for mapping in request.collections:
        if (mapping.database, mapping.name) not in held:
            raise JobRefused(f"This backup holds no collection called {mapping.name}.", field="collections")
    job = create_job(
        JobType.RESTORE,
        copy=copy,
        origin=Origin.MANUAL,
        created_by=user,
        cluster=target,
        target_region=target.region,
        parameters=request.to_json(),
    )
    details = {"cluster": target.code, "job": job.code, "collections": len(request.collections)}
    record(Action.RESTORE_REQUESTED, user=user, target=copy, details=details)
    return job


@refusals_as(Action.RESTORE_REQUESTED, of="copy")
@transaction.atomic
def request_restore_to_new_cluster(
    *, user: User, copy: Copy, project: Project, name: str, cu_size: int, load: bool
) -> Job:
    """Queue a restore of everything in `copy` into a new cluster in the copy's region."""
    require(user, Privilege.BACKUP_MANAGE, copy.backup.project)
    target = add_embedded_cluster(user=user, project=project, name=name, region=copy.region, cu_size=cu_size)
    held = copy.backup.collections.values_list("database", "name")
    request = RestoreRequest.same_names(held, cu_size=cu_size, load=load)
    return request_restore(user=user, copy=copy, request=replace(request, makes_cluster=True), target=target)


@refusals_as(Action.BACKUP_DELETED, of="backup")
@transaction.atomic
def request_deletion(*, user: User, backup: Backup) -> list[Job]:
    """Queue the removal of every copy of `backup`; one job per region. Nothing else may be using the backup."""
    require(user, Privilege.BACKUP_MANAGE, backup.project)
    # Who asks for work on a copy locks it first, so what began before is seen. Here and elsewhere `no_key`: a new job
    # points to the rows that are locked, and its maker would wait for us while we may wait for it.
    copies = list(backup.copies.exclude(state=CopyState.DELETED).order_by("pk").select_for_update(no_key=True))
    busy = backup.jobs.active().exclude(type=JobType.COLLECT).first()
    if busy:
        raise JobRefused(f"{backup.name} is in use by {busy}. Wait until that has finished or cancel it first.")
    if not copies:
        raise JobRefused(f"{backup.name} is already deleted.")
    jobs = [_request_removal(copy, user=user) for copy in copies]
    record(Action.BACKUP_DELETED, user=user, target=backup, details={"jobs": [job.code for job in jobs]})
    return jobs


def _request_removal(copy: Copy, *, user: User) -> Job:
    # A copy whose removal failed is still marked as being deleted: asking again means trying again.
    if copy.state == CopyState.DELETING:
        clear_reason(copy)
    else:
        move_copy(copy, CopyState.DELETING, reason="")
    try:
        with transaction.atomic():
            return create_job(JobType.DELETE, copy=copy, origin=Origin.MANUAL, created_by=user)
    except IntegrityError as clash:
        raise JobRefused(f"Another job has just begun to work on {copy.backup.name}. Look again.") from clash


@refusals_as(Action.JOB_CANCELED, of="job")
@transaction.atomic
def cancel_job(*, user: User, job: Job) -> None:
    """Stop a job: at once if it waits, else as soon as its worker notices."""
    require(user, Privilege.BACKUP_MANAGE, job.project)
    if not job.is_cancelable:
        raise JobRefused(f"This job is {job.get_state_display().lower()} and cannot be canceled.")
    note = f"Canceled by {user}"
    try:
        if job.state == JobState.PENDING:
            # One that waits between two attempts has written something, and no worker is there to remove it.
            has_begun = job.type == JobType.RESTORE and job.attempt > 0
            left = f" {describe_leftovers(job.code, job.cluster.name)}" if has_begun else ""
            move_job(job, JobState.CANCELED, note=note, by=user, reason=f"{note}.{left}")
            settle(job)
        else:
            move_job(job, JobState.CANCELING, note="Asked to stop", by=user, reason=f"{note}.")
    except StaleJob as stale:
        raise JobRefused("The job has just moved on. Look again and repeat if needed.") from stale
    record(Action.JOB_CANCELED, user=user, target=job)


@refusals_as(Action.COPY_REQUESTED, of="backup")
@transaction.atomic
def request_copies(
    *, user: User, backup: Backup, regions: Sequence[Region], kept_days_by_region: Mapping[str, int] | None = None
) -> list[Job]:
    """Queue copies of a backup that exists to more regions; one job for each.

    Those of a backup made by hand are kept until deleted (R8); of an automatic one each says for how many days (R9).
    """
    require(user, Privilege.BACKUP_MANAGE, backup.project)
    try:
        with transaction.atomic():
            copies = plan_more_copies(backup, regions, kept_days_by_region or {})
    except IntegrityError as clash:
        raise JobRefused("Somebody has just asked for the same copy. Look again.") from clash
    original = backup.jobs.filter(type=JobType.BACKUP).order_by("pk").last()
    jobs = [
        create_job(JobType.COPY, copy=copy, origin=copy.origin, created_by=user, parent=original) for copy in copies
    ]
    details = {"regions": [region.code for region in regions], "jobs": [job.code for job in jobs]}
    record(Action.COPY_REQUESTED, user=user, target=backup, details=details)
    return jobs


@refusals_as(Action.COPY_RETRIED, of="copy")
@transaction.atomic
def retry_copy(*, user: User, copy: Copy) -> Job:
    """Make one failed, canceled or damaged copy again, without touching the others; returns the new job."""
    backup = copy.backup
    require(user, Privilege.BACKUP_MANAGE, backup.project)
    if copy.is_original or copy.state not in MAY_BE_MADE_AGAIN:
        raise JobRefused("Only a failed, canceled or damaged copy can be made again.")
    if busy := why_busy(copy):
        raise JobRefused(busy)
    if not backup.copies.available().exists():
        raise JobRefused("No copy of this backup is available, so there is nothing to copy from.")
    try:
        move_copy(copy, CopyState.PLANNED, reason="")
    except StaleBackup as clash:
        raise JobRefused("This copy is already being made again.") from clash
    original = backup.jobs.filter(type=JobType.BACKUP).order_by("pk").last()
    try:
        with transaction.atomic():
            job = create_job(JobType.COPY, copy=copy, origin=copy.origin, created_by=user, parent=original)
    except IntegrityError as clash:
        raise JobRefused("This copy is already being made again.") from clash
    record(Action.COPY_RETRIED, user=user, target=copy, details={"job": job.code})
    return job
