"""How each kind of job is carried out: read the rows, call the data plane, write down what came of it."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.utils import timezone

from backups.models import Copy
from backups.services import move_copy, record_contents, record_damage
from backups.states import CopyState
from clusters.live import endpoint_of
from dataplane.backup import BackupPlan, take_backup
from dataplane.copy import CopyPlan, copy_backup
from dataplane.delete import delete_backup
from dataplane.errors import BackupDamaged, DataPlaneError
from dataplane.milvus import CollectionRef
from dataplane.restore import CollectionMapping, RestorePlan, restore_backup
from dataplane.verify import verify_backup

from .endings import succeed_backup, succeed_copy, succeed_deletion
from .hold import Hold
from .models import Job
from .moves import move_job
from .restores import RestoreRequest
from .states import JobState, JobType

# New clusters are Milvus Lite databases, so there is no db_admin whose password R5 would have us make and show.
NO_USERS = "The new cluster is a Milvus Lite database, which keeps no users: there is no db_admin password."


class NothingToCopyFrom(DataPlaneError):
    """Every copy of the backup was damaged or deleted before this one could be made."""


class DamagedAtSource(DataPlaneError):
    """The copy that was to be read is damaged and marked so; the next attempt reads from another one, if there is."""

    retryable = True


class DamagedOnArrival(DataPlaneError):
    """The store gave back something else than was sent; the damaged objects are removed, so a second try sends them."""

    retryable = True


def carry_out(job: Job, hold: Hold) -> None:
    """Do the work of a claimed job to its successful end; everything else leaves as an exception."""
    _BY_TYPE[JobType(job.type)](job, hold)


def _carry_out_backup(job: Job, hold: Hold) -> None:
    copy, backup, cluster = job.copy, job.backup, job.cluster
    chosen = tuple(CollectionRef(row.database, row.name) for row in backup.collections.all())
    _begin_transfer(copy)
    report = take_backup(
        BackupPlan(
            backup_id=backup.code,
            cluster_id=cluster.code,
            cluster_name=cluster.name,
            region=copy.region_id,
            # A whole-cluster backup has no list until it is taken; a second attempt must not be bound by the first's.
            collections=chosen if backup.scope == "collection" else None,
            fence=job.fence,
            created_at=backup.created_at,
        ),
        endpoint=endpoint_of(cluster, timeout_seconds=settings.WORKER_CLUSTER_TIMEOUT_SECONDS),
        store=copy.store.open(),
        on_progress=hold.on_progress,
        should_stop=hold.should_stop,
        may_commit=hold.may_commit,
    )
    move_copy(copy, CopyState.VERIFYING, stored_at=timezone.now(), size_bytes=report.size_bytes)
    record_contents(backup, report.manifest)
    checked = _verify(job, hold)
    succeed_backup(
        job,
        size_bytes=report.size_bytes,
        row_count=report.row_count,
        note=f"{report.row_count:,} rows in {report.size_bytes:,} bytes; {checked}",
    )


def _carry_out_copy(job: Job, hold: Hold) -> None:
    copy, backup = job.copy, job.backup
    source = backup.copies.best_source()
    if source is None:
        raise NothingToCopyFrom(f"No copy of {backup.name} is available any more, so there is nothing to copy from.")
    _begin_transfer(copy)
    try:
        report = copy_backup(
            CopyPlan(
                cluster_id=backup.cluster.code,
                backup_id=backup.code,
                source_region=source.region_id,
                target_region=copy.region_id,
                fence=job.fence,
            ),
            source=source.store.open(),
            target=copy.store.open(),
            on_progress=hold.on_progress,
            should_stop=hold.should_stop,
            may_commit=hold.may_commit,
        )
    except BackupDamaged as damage:
        record_damage(source, reason=str(damage))
        raise DamagedAtSource(str(damage)) from damage
    move_copy(
        copy,
        CopyState.VERIFYING,
        stored_at=timezone.now(),
        size_bytes=report.size_bytes,
        sent_bytes=copy.sent_bytes + report.sent_bytes,
        skipped_bytes=report.skipped_bytes,
    )
    checked = _verify(job, hold)
    succeed_copy(
        job,
        size_bytes=report.size_bytes,
        note=f"{report.sent_bytes:,} bytes sent, {report.skipped_bytes:,} were already there; {checked}",
    )


def _begin_transfer(copy: Copy) -> None:
    if copy.state != CopyState.TRANSFERRING:
        move_copy(copy, CopyState.TRANSFERRING, reason="")


def _verify(job: Job, hold: Hold) -> str:
    """Read back everything that lies in the copy's store; says what was checked, or raises DamagedOnArrival."""
    move_job(job, JobState.VERIFYING, note="Every byte has arrived; reading all of it back")
    store = job.copy.store.open()
    report = verify_backup(
        cluster_id=job.backup.cluster.code,
        backup_id=job.backup.code,
        store=store,
        on_progress=hold.on_progress,
        should_stop=hold.should_stop,
    )
    if report.is_sound:
        return f"{report.checked_count:,} objects read back and found sound"
    # An object whose digest is wrong is worthless under its name, and its right size would make a second try skip it.
    for key in report.damaged:
        store.delete(key)
    harmed = [*report.damaged, *report.missing]
    raise DamagedOnArrival(
        f"{store.name} gave back {len(harmed)} of {report.checked_count + len(report.missing)} objects damaged or not "
        f"at all, first {harmed[0]}. They are sent again; if this repeats, check that store's disk or bucket."
    )


def _carry_out_restore(job: Job, hold: Hold) -> None:
    request = RestoreRequest.from_json(job.parameters)
    try:
        report = restore_backup(
            RestorePlan(
                cluster_id=job.backup.cluster.code,
                backup_id=job.backup.code,
                collections=tuple(
                    CollectionMapping(
                        source=CollectionRef(row.database, row.name), target=CollectionRef(row.database, row.new_name)
                    )
                    for row in request.collections
                ),
                cu_size=request.cu_size,
                load=request.load,
                attempt_id=job.code.removeprefix("job-"),
            ),
            store=job.copy.store.open(),
            endpoint=endpoint_of(job.cluster, timeout_seconds=settings.WORKER_CLUSTER_TIMEOUT_SECONDS),
            on_progress=hold.on_progress,
            should_stop=hold.should_stop,
        )
    except BackupDamaged as damage:
        record_damage(job.copy, reason=str(damage))
        raise
    rows = sum(collection.row_count for collection in report.collections)
    notes = [note for collection in report.collections for note in collection.notes]
    if request.makes_cluster:
        notes += [*report.notes, NO_USERS]
    move_job(
        job,
        JobState.SUCCESSFUL,
        note=f"{rows:,} rows restored into {', '.join(str(row.ref) for row in report.collections)}",
        notes=notes,
        reason="",
    )


def _carry_out_deletion(job: Job, hold: Hold) -> None:
    hold.may_commit()
    report = delete_backup(cluster_id=job.backup.cluster.code, backup_id=job.backup.code, store=job.copy.store.open())
    succeed_deletion(job, note=f"{report.object_count:,} objects deleted, {report.freed_bytes:,} bytes freed")


_BY_TYPE: dict[JobType, Callable[[Job, Hold], None]] = {
    JobType.BACKUP: _carry_out_backup,
    JobType.COPY: _carry_out_copy,
    JobType.RESTORE: _carry_out_restore,
    JobType.DELETE: _carry_out_deletion,
}
