"""How each kind of job is carried out: read the rows, call the data plane, write down what came of it."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.utils import timezone

from backups.models import Copy
from backups.services import move_copy, record_contents
from backups.states import CopyState
from clusters.live import endpoint_of
from clusters.models import Region
from dataplane.backup import BackupPlan, take_backup
from dataplane.copy import CopyPlan, copy_backup
from dataplane.errors import BackupDamaged, DataPlaneError
from dataplane.milvus import CollectionRef
from dataplane.progress import Progress
from dataplane.restore import CollectionMapping, RestorePlan, discard_unfinished, restore_backup
from dataplane.verify import verify_backup

from .checks import carry_out_check, carry_out_repair
from .damage import is_sound_chunk, mark_damaged, mark_sharers
from .endings import succeed_backup, succeed_copy
from .hold import Hold
from .metering import note_removed_as_worthless, note_stored
from .models import Job
from .moves import move_job
from .removals import carry_out_collection, carry_out_deletion, carry_out_expiry
from .restores import RestoreRequest, attempt_id
from .states import JobState, JobType

# New clusters are Milvus Lite databases, so there is no db_admin whose password R5 would have us make and show.
NO_USERS = "The new cluster is a Milvus Lite database, which keeps no users: there is no db_admin password."


class NothingToCopyFrom(DataPlaneError):
    """Every copy of the backup was damaged or deleted before this one could be made."""


class DamagedCopy(DataPlaneError):
    """The copy that was to be restored is damaged, and marked so."""


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
    _begin_transfer(job, hold)
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
    with hold.writing():
        record_contents(backup, report.manifest)
        note_stored(job, report.sent_bytes)
    checked = _verify(job, hold, size_bytes=report.size_bytes, skipped_bytes=report.skipped_bytes)
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
    _begin_transfer(job, hold, source_region=source.region)
    meter = _SentBytes(copy)

    def on_progress(progress: Progress) -> None:
        meter.see(progress)
        hold.bytes_before = meter.done_at_start
        hold.on_progress(progress)

    try:
        with hold.metering(meter.write):
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
                on_progress=on_progress,
                should_stop=hold.should_stop,
                may_commit=hold.may_commit,
            )
    except BackupDamaged as damage:
        raise DamagedAtSource(_mark_damaged(source, damage, hold)) from damage
    checked = _verify(
        job,
        hold,
        size_bytes=report.size_bytes,
        sent_bytes=meter.sent_before + report.sent_bytes,
        skipped_bytes=report.skipped_bytes,
        needed_bytes=meter.needed_bytes(report.size_bytes - report.skipped_bytes),
    )
    succeed_copy(
        job,
        size_bytes=report.size_bytes,
        note=f"{report.sent_bytes:,} bytes sent, {report.skipped_bytes:,} were already there; {checked}",
    )


def _mark_damaged(copy: Copy, damage: BackupDamaged, hold: Hold) -> str:
    """Mark a copy in which damage was met; the sentence says what to do first, and where the damage is last."""
    cure = "" if copy.is_original else " Make this copy again on the page of its backup."
    reason = f"The copy in {copy.region} is damaged; use another one.{cure} {damage}"
    mark_damaged(copy, damage.objects, reason=reason, hold=hold)
    return reason


class _SentBytes:
    """Counts what a copy really sent, attempt by attempt: it is paid for, also when the attempt came to nothing.

    What was sent in the last second before a worker is killed is not counted; a look into the store finds that it lies
    there.
    """

    def __init__(self, copy: Copy) -> None:
        self._copy_id, self.sent_before, self._needed_before = copy.pk, copy.sent_bytes, copy.needed_bytes
        self._has_begun, self.done_at_start = False, 0

    def see(self, progress: Progress) -> None:
        if not self._has_begun:
            self._has_begun, self.done_at_start = True, progress.bytes_done  # what the target held already

    def write(self, progress: Progress) -> None:
        sent, lacking = progress.bytes_done - self.done_at_start, progress.bytes_total - self.done_at_start
        Copy.objects.filter(pk=self._copy_id).update(
            sent_bytes=self.sent_before + sent, needed_bytes=self.needed_bytes(lacking)
        )

    def needed_bytes(self, lacking_bytes: int) -> int:
        """What has to be sent once: what the first attempt lacked. All that is sent beyond it is sent again."""
        return lacking_bytes if self._needed_before is None else self._needed_before


def _begin_transfer(job: Job, hold: Hold, *, source_region: Region | None = None) -> None:
    with hold.writing():
        if job.copy.state != CopyState.TRANSFERRING:
            move_copy(job.copy, CopyState.TRANSFERRING, reason="")
        Copy.objects.filter(pk=job.copy_id).update(source_region=source_region)


def _verify(job: Job, hold: Hold, **stored: int) -> str:
    """Read back everything that lies in the copy's store; says what was checked, or raises DamagedOnArrival.

    `stored` are the sizes that are known now that every byte has arrived.
    """
    hold.begin_phase()
    with hold.writing():
        move_job(
            job,
            JobState.VERIFYING,
            note="Every byte has arrived; reading all of it back",
            phase_started_at=timezone.now(),
            bytes_done=0,
            bytes_before=0,
        )
        move_copy(job.copy, CopyState.VERIFYING, stored_at=timezone.now(), **stored)
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
    # It is read once more before it goes, for other backups may name it too and a read can go wrong by itself.
    worthless = [key for key in report.damaged if not is_sound_chunk(store, key)]
    mark_sharers(job.copy, [*worthless, *report.missing], hold=hold)
    removed_bytes = 0
    for key in worthless:
        found = store.find(key)
        # Whoever took this job over meanwhile may have sent it again, and rely on it.
        hold.may_commit()
        store.delete(key)
        removed_bytes += found.size_bytes if found else 0
    with hold.writing():
        note_removed_as_worthless(job, removed_bytes)
    harmed = [*report.damaged, *report.missing]
    raise DamagedOnArrival(
        f"{store.name} gave back {len(harmed)} of {report.checked_count + len(report.missing)} objects damaged or not "
        f"at all, first {harmed[0]}. They are sent again; if this repeats, check that store's disk or bucket."
    )


def _restore_plan(job: Job, request: RestoreRequest) -> RestorePlan:
    return RestorePlan(
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
        attempt_id=attempt_id(job.code),
    )


def _carry_out_restore(job: Job, hold: Hold) -> None:
    request = RestoreRequest.from_json(job.parameters)
    try:
        report = restore_backup(
            _restore_plan(job, request),
            store=job.copy.store.open(),
            endpoint=endpoint_of(job.cluster, timeout_seconds=settings.WORKER_CLUSTER_TIMEOUT_SECONDS),
            on_progress=hold.on_progress,
            should_stop=hold.should_stop,
        )
    except BackupDamaged as damage:
        raise DamagedCopy(_mark_damaged(job.copy, damage, hold)) from damage
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


def discard_restore(job: Job) -> str:
    """Remove what a restore that ends badly left half-written; a sentence for its history, empty if there is none."""
    plan = _restore_plan(job, RestoreRequest.from_json(job.parameters))
    try:
        dropped = discard_unfinished(plan, endpoint=endpoint_of(job.cluster))
    except DataPlaneError as failure:
        return f"A collection whose name ends in __restoring_{plan.attempt_id} may be left in the cluster: {failure}"
    return f"Removed the half-written {', '.join(map(str, dropped))}." if dropped else ""


_BY_TYPE: dict[JobType, Callable[[Job, Hold], None]] = {
    JobType.BACKUP: _carry_out_backup,
    JobType.COPY: _carry_out_copy,
    JobType.RESTORE: _carry_out_restore,
    JobType.DELETE: carry_out_deletion,
    JobType.VERIFY: carry_out_check,
    JobType.REPAIR: carry_out_repair,
    JobType.EXPIRE: carry_out_expiry,
    JobType.COLLECT: carry_out_collection,
}
