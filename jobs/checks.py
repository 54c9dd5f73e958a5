"""How checks and repairs of copies are carried out.

A check that finds damage ends as failed, although it did its work: what was asked is whether the copy is sound, and
the answer is no. So everywhere a green row means that what it names holds. `DamageFound` is that rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.db.models import F
from django.utils import timezone

from backups.errors import StaleBackup
from backups.models import Copy
from clusters.models import Region
from dataplane import layout
from dataplane.errors import DataPlaneError, ObjectMissing, StoreDenied, StoreError, StoreMisconfigured
from dataplane.needed import harmed_backups
from dataplane.repair import RepairReport, repair_backup
from dataplane.stores.base import ObjectStore
from dataplane.verify import AffectedRows, CheckDepth, VerifyReport, verify_backup
from pricing.formatting import format_gb

from .damage import is_sound_chunk, mark_damaged, name_some
from .endings import succeed_check, succeed_repair
from .hold import Hold
from .metering import note_repair
from .models import Job
from .moves import move_job
from .states import JobState

MAX_NOTES = 100


class DamageFound(DataPlaneError):
    """The check was finished, and the copy is damaged and marked so. Looking again would not help."""


class CheckOvertaken(DataPlaneError):
    """Somebody met damage in the copy while it was read, perhaps behind the place that was being read."""

    retryable = True


class RepairIncomplete(DataPlaneError):
    """Some objects could not be had from anywhere; the copy stays damaged."""


def carry_out_check(job: Job, hold: Hold) -> None:
    copy, depth = _copy_as_it_is(job), CheckDepth(job.parameters["depth"])
    store = copy.store.open()
    report = _verify(job, hold, store, depth)
    harmed = _harmed_still(report, store)
    if harmed:
        _record_harm(job, copy, harmed, hold)
        raise DamageFound(_describe_damage(copy, report, harmed))
    if depth is CheckDepth.QUICK:
        note = f"{report.checked_count:,} objects are there with the right size; none was read back, which proves less."
        if copy.damaged_at is not None:
            note += " The copy stays damaged until a full check has found all of it sound."
        move_job(job, JobState.SUCCESSFUL, note=note, notes=[note], reason="", bytes_done=0, bytes_total=0)
        return
    note = f"{_read_back(report)} and found sound."
    if not report.is_sound:
        reread = name_some([*report.damaged, *report.missing])
        note += f" Only the second reading was right of {reread}: watch the disk or bucket of {store.name}."
    try:
        succeed_check(job, copy, size_bytes=report.checked_bytes, note=note)
    except StaleBackup as stale:
        raise CheckOvertaken("Another job met damage in this copy while it was checked.") from stale


def carry_out_repair(job: Job, hold: Hold) -> None:
    copy = _copy_as_it_is(job)
    target, sources = copy.store.open(), _open_sources(copy)
    regions = {store.name: source.region for source, store in sources}
    repaired = repair_backup(
        cluster_id=job.backup.cluster.code,
        backup_id=job.backup.code,
        target=target,
        target_region=copy.region_id,
        sources=[store for _, store in sources],
        on_progress=hold.on_progress,
        should_stop=hold.should_stop,
        may_commit=hold.may_commit,
    )
    givers = Counter(regions[written.source] for written in repaired.repaired)
    _meter(job, copy, repaired, regions, hold)
    if not repaired.is_sound:
        raise RepairIncomplete(
            f"{len(repaired.unrepaired):,} of {repaired.checked_count:,} objects could not be had intact from any "
            f"other region: {name_some(repaired.unrepaired)}.{_of_rows(repaired.affected)} Restore from another "
            "copy, and create a new backup."
        )
    _begin_reading_back(job, hold)
    report = _verify(job, hold, target, CheckDepth.FULL)
    if not report.is_sound:
        harmed = [*report.damaged, *report.missing]
        raise RepairIncomplete(
            f"{target.name} gave back {len(harmed):,} objects damaged after they were mended: {name_some(harmed)}. "
            "Check that store's disk or bucket, then repair again."
        )
    note = f"{_describe_repair(repaired, givers)} {_read_back(report)} and found sound."
    sharers = _damaged_sharers(copy, repaired, target)
    try:
        succeed_repair(job, copy, size_bytes=report.checked_bytes, note=note, sharers=sharers)
    except StaleBackup as stale:
        raise CheckOvertaken("Another job met damage in this copy while it was repaired.") from stale


def _copy_as_it_is(job: Job) -> Copy:
    """The copy as the catalogue knows it before its bytes are read: what is found belongs to this state."""
    return Copy.objects.select_related("backup__cluster", "region", "store").get(pk=job.copy_id)


def _verify(job: Job, hold: Hold, store: ObjectStore, depth: CheckDepth) -> VerifyReport:
    return verify_backup(
        cluster_id=job.backup.cluster.code,
        backup_id=job.backup.code,
        store=store,
        on_progress=hold.on_progress,
        should_stop=hold.should_stop,
        depth=depth,
    )


def _meter(job: Job, copy: Copy, repaired: RepairReport, regions: Mapping[str, Region], hold: Hold) -> None:
    """Count what travelled, which is paid for whatever comes of it.

    An original never came from anywhere: its way is that of most of what it was mended with.
    """
    sent = Counter({regions[name]: size_bytes for name, size_bytes in repaired.sent_by_source.items()})
    with hold.writing():
        note_repair(job, copy, {region.code: size for region, size in sent.items()}, added_bytes=repaired.added_bytes)
        changes: dict[str, Any] = {name: F(name) + repaired.sent_bytes for name in ("sent_bytes", "metered_bytes")}
        if copy.is_original and copy.source_region_id is None and sent:
            changes["source_region"] = sent.most_common(1)[0][0]
        Copy.objects.filter(pk=copy.pk).update(**changes)


def _begin_reading_back(job: Job, hold: Hold) -> None:
    hold.begin_phase()
    note = "Every object was fetched; reading all of it back"
    move_job(job, JobState.VERIFYING, note=note, phase_started_at=timezone.now(), bytes_done=0)


def _harmed_still(report: VerifyReport, store: ObjectStore) -> list[str]:
    """What is harmed at a second look too: a read can go wrong by itself, and a repair may have come by."""
    harmed = []
    for key in (*report.damaged, *report.missing):
        with suppress(ObjectMissing):
            if is_sound_chunk(store, key):
                continue
        harmed.append(key)
    return harmed


def _record_harm(job: Job, copy: Copy, harmed: Sequence[str], hold: Hold) -> None:
    # The first is named by the sentence that says why the check failed.
    others = sorted(harmed)[1:]
    notes = [f"Damaged or missing too: {key}" for key in others[:MAX_NOTES]]
    if len(others) > MAX_NOTES:
        notes.append(f"and {len(others) - MAX_NOTES:,} more")
    with hold.writing():
        Job.objects.filter(pk=job.pk).update(notes=notes)
    mark_damaged(copy, harmed, reason=_describe_harm(copy, harmed), hold=hold)


def _describe_harm(copy: Copy, harmed: Sequence[str]) -> str:
    return f"A check found {_count_objects(len(harmed), 'damaged or missing ')}: {name_some(harmed)}. {_cure(copy)}"


def _describe_damage(copy: Copy, report: VerifyReport, harmed: Sequence[str]) -> str:
    verb = "is" if len(harmed) == 1 else "are"
    return (
        f"Damage found: {len(harmed):,} of {report.checked_count:,} objects in {copy.region} {verb} damaged or "
        f"missing, {name_some(harmed)}.{_of_rows(report.affected)} {_cure(copy)}"
    )


def _cure(copy: Copy) -> str:
    if Copy.objects.may_repair(copy).exists():
        return "Repair this copy on the page of its backup; do not rely on it until then."
    return "No other region holds anything to repair it from: create a new backup."


def _of_rows(affected: Sequence[AffectedRows]) -> str:
    if not affected:
        return ""
    rows = [f"{part.row_count:,} of {part.of_row_count:,} rows of {part.name}" for part in affected[:3]]
    more = f" and {len(affected) - 3:,} more collections" if len(affected) > 3 else ""
    return f" This concerns {', '.join(rows)}{more}."


def _read_back(report: VerifyReport) -> str:
    return f"{report.checked_count:,} objects, {format_gb(report.checked_bytes)}, read back"


def _open_sources(copy: Copy) -> list[tuple[Copy, ObjectStore]]:
    """The stores of other regions that may help, the likeliest first, each once with a copy that lies there."""
    sources = []
    seen = set()
    for source in Copy.objects.may_repair(copy).select_related("store", "region"):
        if source.store_id in seen:
            continue
        seen.add(source.store_id)
        with suppress(StoreMisconfigured, StoreDenied):  # its own page says so; the next one may do
            sources.append((source, source.store.open()))
    if not sources:
        raise RepairIncomplete(
            f"No store of another region holds anything of {copy.backup.cluster} that could be opened. "
            "Check the stores under Settings > Regions, then repair again."
        )
    return sources


def _describe_repair(repaired: RepairReport, givers: Counter[Region]) -> str:
    if not givers:
        return "Nothing had to be replaced."
    parts = ", ".join(f"{count:,} from {region}" for region, count in givers.most_common())
    return f"{_count_objects(len(repaired.repaired))} replaced ({parts}; {format_gb(repaired.sent_bytes)} sent)."


def _count_objects(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}object{'' if count == 1 else 's'}"


def _damaged_sharers(copy: Copy, repaired: RepairReport, store: ObjectStore) -> list[Copy]:
    """Damaged copies beside `copy` that need what was mended in it, and so may be sound again."""
    mended = [written.key for written in repaired.repaired if layout.digest_of_chunk(written.key)]
    beside = {other.backup.code: other for other in Copy.objects.damaged_beside(copy).select_related("backup")}
    if not mended or not beside:
        return []
    try:
        needing = harmed_backups(store, copy.backup.cluster.code, beside, harmed=mended)
    except StoreError:
        return []  # the repair is done all the same; somebody can still ask for these checks
    return [beside[code] for code, keys in needing.items() if set(keys) <= set(mended)]
