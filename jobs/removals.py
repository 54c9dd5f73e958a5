"""How removals are carried out: of a copy, by a person's word or because its days are over, and of leftovers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from backups.models import Copy
from dataplane.collect import CollectReport, collect_chunks
from dataplane.delete import delete_backup
from dataplane.errors import ManifestInvalid
from dataplane.stores.base import ObjectStore
from pricing.formatting import format_gb

from .endings import succeed_collection, succeed_deletion
from .hold import Hold
from .metering import Removal
from .models import Job
from .moves import move_job
from .retention import begin_expiry
from .states import WRITERS, JobState


def carry_out_expiry(job: Job, hold: Hold) -> None:
    """A deletion that first looks whether it is still meant: a clock asked for it, perhaps hours ago."""
    with hold.writing():
        reason = begin_expiry(job, now=timezone.now())
        if reason:
            note = f"Nothing was removed: {reason}"
            move_job(job, JobState.CANCELING, note=note)
            move_job(job, JobState.CANCELED, note=note, reason=note)
    if not reason:
        carry_out_deletion(job, hold)


def carry_out_deletion(job: Job, hold: Hold) -> None:
    """Remove the backup, then what no backup of the cluster in this store needs, such as chunks of canceled ones.

    The claim keeps everybody who writes into this cluster's part of this store away meanwhile (see `jobs.barriers`).
    What cannot be collected now is left to a collection.
    """
    store, relied_on = job.copy.store.open(), Copy.objects.relied_on_beside(job.copy)
    known_backups = list(relied_on.values_list("backup__code", flat=True))
    hold.may_commit()
    deleted = delete_backup(
        cluster_id=job.backup.cluster.code,
        backup_id=job.backup.code,
        store=store,
        known_backups=known_backups,
        should_stop=_stop_unless_ours(hold),
    )
    count, removal = deleted.object_count, Removal(deleted.freed_bytes, deleted.held_bytes)
    collect_at: datetime | None = timezone.now()
    # The copy is gone. That another one is damaged, so that nobody knows what it needs, the collection will tell.
    with suppress(ManifestInvalid):
        if not _is_writer_between_attempts(job):
            collected = _collect(job, hold, store, known_backups)
            count += collected.removed_count
            removal = Removal(deleted.freed_bytes, collected.held_bytes, collected.freed_bytes)
            collect_at = timezone.now() + _grace() if collected.waiting_count else None
    note = f"{count:,} objects deleted, {removal.freed_bytes + removal.collected_bytes:,} bytes freed"
    succeed_deletion(job, note=note, collect_at=collect_at, removal=removal)


def carry_out_collection(job: Job, hold: Hold) -> None:
    """Remove the chunks that no backup of the cluster in this store names and that are older than the grace period."""
    store = job.copy.store.open()
    # Damaged ones, too: as long as one may be mended, what is left of it stays.
    lying_there = Copy.objects.lying_in(job.copy.store_id, job.cluster_id)
    report = _collect(job, hold, store, list(lying_there.values_list("backup__code", flat=True)))
    removal = Removal(report.freed_bytes, report.held_bytes)
    succeed_collection(job, left_bytes=report.waiting_bytes, note=_describe_collection(report), removal=removal)


def _collect(job: Job, hold: Hold, store: ObjectStore, known_backups: Collection[str]) -> CollectReport:
    """What was sent by somebody who lost his lease, and may still be relied on, is spared for the grace period."""
    return collect_chunks(
        cluster_id=job.cluster.code,
        store=store,
        grace=_grace(),
        now=timezone.now(),
        known_backups=known_backups,
        should_stop=_stop_unless_ours(hold),
    )


def _stop_unless_ours(hold: Hold) -> Callable[[], bool]:
    def should_stop() -> bool:
        # Asks the database every time: a worker that slept past its lease must not delete what was committed since.
        hold.may_commit()
        return hold.should_stop()

    return should_stop


def _is_writer_between_attempts(job: Job) -> bool:
    """What such a writer has sent so far would be collected, and would have to travel again."""
    writers = Job.objects.pending().filter(type__in=WRITERS)
    return writers.filter(cluster=job.cluster_id, target_region=job.target_region_id).exists()


def _grace() -> timedelta:
    return timedelta(seconds=settings.COLLECT_GRACE_SECONDS)


def _describe_collection(report: CollectReport) -> str:
    if report.removed_count:
        words = f"{_objects(report.removed_count)} that no backup needs removed, {format_gb(report.freed_bytes)} freed."
    else:
        words = f"Nothing was left behind{' long enough ago' if report.waiting_count else ''}."
    if report.waiting_count:
        words += (
            f" {_objects(report.waiting_count)}, {format_gb(report.waiting_bytes)}, stayed for now: written lately, or "
            "the store does not say when."
        )
    return words


def _objects(count: int) -> str:
    return f"{count:,} object{'' if count == 1 else 's'}"
