"""What the end of a job means for the catalogue. Each call belongs into the transaction of the move it follows."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from django.db import IntegrityError, transaction

from backups.models import Copy
from backups.services import (
    abandon_planned_copies,
    complete_copy,
    complete_deletion,
    move_backup,
    move_copy,
    record_failed_deletion,
    record_failed_repair,
    record_soundness,
)
from backups.states import BackupState, CopyState

from .collecting import request_collection
from .metering import Removal, meter_copy, note_removal
from .models import Job
from .moves import create_job, move_job
from .states import REMOVERS, JobState, JobType

_COPY_STATE = {
    JobState.FAILED: CopyState.FAILED,
    JobState.CRASHED: CopyState.FAILED,
    JobState.CANCELED: CopyState.CANCELED,
}


@transaction.atomic
def settle(job: Job) -> None:
    """Tell the catalogue that `job` failed, crashed or was canceled, with the job's own reason.

    If it was the original, every copy that waited for it ends with a job that says why; nothing waits for ever (R6).
    A failed restore or check changes nothing more in the catalogue: damage was recorded when it was met. A copy that
    could not be repaired stays damaged with the reason; one being removed stays marked, with the reason, until it is
    gone.
    """
    if job.type in REMOVERS:
        record_failed_deletion(job.copy, reason=job.reason)
    if job.type == JobType.REPAIR and job.state == JobState.FAILED:
        record_failed_repair(job.copy, reason=f"Could not be repaired. {job.reason}")
    if job.type not in {JobType.BACKUP, JobType.COPY}:
        return
    state = JobState(job.state)
    move_copy(job.copy, _COPY_STATE[state], reason=job.reason)
    meter_copy(job.copy)
    if job.type == JobType.COPY:
        return
    was_canceled = state == JobState.CANCELED
    move_backup(job.backup, BackupState.CANCELED if was_canceled else BackupState.FAILED, reason=job.reason)
    ending = "was canceled" if was_canceled else f"failed: {job.reason}"
    reason = f"Canceled because the original backup {ending}"[:1000]
    for copy in abandon_planned_copies(job.backup, reason=reason):
        child = create_job(JobType.COPY, copy=copy, origin=job.origin, created_by=job.created_by, parent=job)
        move_job(child, JobState.CANCELED, note=reason, reason=reason)


@transaction.atomic
def succeed_backup(job: Job, *, size_bytes: int, row_count: int, note: str) -> None:
    """The original is proven: it becomes available, and one job per planned copy appears (R6, R7)."""
    move_job(job, JobState.SUCCESSFUL, note=note, reason="", bytes_done=size_bytes, bytes_total=size_bytes)
    complete_copy(job.copy, size_bytes=size_bytes)
    move_backup(job.backup, BackupState.AVAILABLE, size_bytes=size_bytes, row_count=row_count)
    for copy in job.backup.copies.planned().select_related("region", "backup__project", "backup__cluster"):
        create_job(JobType.COPY, copy=copy, origin=job.origin, created_by=job.created_by, parent=job)
    meter_copy(job.copy)


@transaction.atomic
def succeed_copy(job: Job, *, size_bytes: int, note: str) -> None:
    """The copy is proven and becomes available."""
    move_job(job, JobState.SUCCESSFUL, note=note, reason="", bytes_done=size_bytes, bytes_total=size_bytes)
    complete_copy(job.copy, size_bytes=size_bytes)
    meter_copy(job.copy)


@transaction.atomic
def succeed_check(job: Job, copy: Copy, *, size_bytes: int, note: str) -> None:
    """Every byte of `copy` was read and found sound since `copy` was read: it is available, also if it was damaged.

    StaleBackup, and nothing is changed, if somebody else met damage meanwhile.
    """
    record_soundness(copy)
    move_job(
        job, JobState.SUCCESSFUL, note=note, notes=[note], reason="", bytes_done=size_bytes, bytes_total=size_bytes
    )


@transaction.atomic
def succeed_repair(job: Job, copy: Copy, *, size_bytes: int, note: str, sharers: Iterable[Copy]) -> None:
    """As `succeed_check`; the damaged `sharers`, which may be sound again through this repair, are checked next."""
    succeed_check(job, copy, size_bytes=size_bytes, note=note)
    for sharer in sharers:
        # Somebody may be working on it already.
        with suppress(IntegrityError), transaction.atomic():
            create_job(
                JobType.VERIFY,
                copy=sharer,
                origin=job.origin,
                created_by=job.created_by,
                parent=job,
                parameters={"depth": "full"},
            )


@transaction.atomic
def succeed_deletion(job: Job, *, note: str, collect_at: datetime | None, removal: Removal) -> None:
    """The bytes are proven gone. What else may be left in the place is collected from `collect_at` on, if ever."""
    move_job(job, JobState.SUCCESSFUL, note=note, reason="")
    complete_deletion(job.copy)
    if collect_at is not None:
        request_collection(job.copy, created_by=job.created_by, not_before=collect_at)
    note_removal(job, removal)


@transaction.atomic
def succeed_collection(job: Job, *, left_bytes: int, note: str, removal: Removal) -> None:
    """Its bytes are all that nobody needs; what is not done of them was left for the next collection."""
    move_job(
        job,
        JobState.SUCCESSFUL,
        note=note,
        notes=[note],
        reason="",
        bytes_done=removal.freed_bytes,
        bytes_total=removal.freed_bytes + left_bytes,
    )
    note_removal(job, removal)
