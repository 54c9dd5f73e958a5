"""Writing down what was used, where it happens: what copies sent, what regions hold, which copies are kept.

The facts go into the ledger of costs (`pricing.usage`) in the transaction of what they tell. What a dead worker left
untold, and what happened before there was a ledger, is told by a sweep: every fact has a key, so none is told twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from backups.models import Copy
from pricing.ledger_models import Cause, FactKind, LedgerEntry
from pricing.usage import PlaceName, carry_forward, day_of, lock_place, note_facts, places_behind

from .models import Job
from .states import JobType

COPIES_AT_ONCE = 500
_CAUSE = {JobType.DELETE: Cause.DELETE, JobType.EXPIRE: Cause.EXPIRE, JobType.COLLECT: Cause.COLLECT}


@dataclass(frozen=True)
class Removal:
    """What a removal took out of a place, and what it saw was left."""

    freed_bytes: int
    held_bytes: int
    collected_bytes: int = 0
    """Leftovers that went with it."""


def place_of(copy: Copy) -> PlaceName:
    backup = copy.backup
    return PlaceName(backup.project.organization_id, backup.project.code, backup.cluster.code, copy.region_id)


@transaction.atomic
def meter_copy(copy: Copy) -> None:
    """Tell the ledger what it does not know of `copy` yet. Belongs into the transaction that changed the copy."""
    _meter([copy.pk], timezone.now())


def note_stored(job: Job, sent_bytes: int) -> None:
    """A backup was taken and has added so many bytes to the store of its region."""
    _note_held(job, "stored", sent_bytes, Cause.BACKUP)


def note_removed_as_worthless(job: Job, size_bytes: int) -> None:
    """What came back damaged was removed again at once, before anybody relied on it."""
    _note_held(job, "worthless", -size_bytes, Cause.COPY if job.type == JobType.COPY else Cause.BACKUP)


@transaction.atomic
def note_repair(job: Job, copy: Copy, sent_by_region: Mapping[str, int], *, added_bytes: int) -> None:
    """A repair brought so many bytes from each of these regions, and so much more lies in the place now."""
    now = timezone.now()
    _meter([copy.pk], now)
    about = {"schedule": _schedule_of(copy), "backup": copy.backup.code, "cause": Cause.REPAIR, "at": now}
    key = f"repair:{job.code}:{job.fence}"
    entries = [LedgerEntry(key=f"{key}:held", kind=FactKind.HELD, size_bytes=added_bytes, **about)]
    for region, size_bytes in sorted(sent_by_region.items()):
        sizes = {"size_bytes": size_bytes, "whole_bytes": size_bytes, "retry_bytes": size_bytes}
        entries.append(LedgerEntry(key=f"{key}:{region}", kind=FactKind.SENT, source=region, **sizes, **about))
    note_facts(place_of(copy), entries)


@transaction.atomic
def note_removal(job: Job, removal: Removal) -> None:
    """A removal or a collection is done. It has seen all that is left, so the ledger is put right where it differs:
    writers that were killed leave chunks that nobody counted."""
    copy = job.copy
    name = place_of(copy)
    # First what is known, or it would be taken for a difference now and be told once more later.
    untold = Copy.objects.filter(backup__cluster=copy.backup.cluster_id, region=copy.region_id)
    at, key = timezone.now(), f"removal:{job.code}:{job.fence}"
    _meter({pk for unmetered in untold.unmetered() for pk in unmetered.values_list("pk", flat=True)}, at)
    about = {"kind": FactKind.HELD, "at": at, "schedule": _schedule_of(copy), "backup": copy.backup.code}
    cause = _CAUSE[JobType(job.type)]
    entries = [LedgerEntry(key=key, size_bytes=-removal.freed_bytes, cause=cause, **about)]
    if removal.collected_bytes:
        collected = -removal.collected_bytes
        entries.append(LedgerEntry(key=f"{key}:collected", size_bytes=collected, cause=Cause.COLLECT, **about))
    note_facts(name, [entry for entry in entries if entry.size_bytes])
    difference = removal.held_bytes - lock_place(name).level_bytes
    if difference:
        correction = LedgerEntry(
            key=f"correction:{job.code}:{job.fence}",
            kind=FactKind.HELD,
            at=at,
            size_bytes=difference,
            cause=Cause.CORRECTION,
        )
        note_facts(name, [correction])


def catch_up(now: datetime) -> list[Copy]:
    """Tell the ledger all that it does not know yet, and roll every place up to the day of `now`.

    Idempotent, for any number of schedulers at any time, after however long a silence; returns the copies there were
    something to tell of.
    """
    told: dict[int, None] = {}
    for unmetered in Copy.objects.unmetered():
        by_place: dict[tuple[int, str], list[int]] = defaultdict(list)
        for pk, cluster, region in unmetered.order_by("pk").values_list("pk", "backup__cluster", "region"):
            by_place[cluster, region].append(pk)
        for pks in by_place.values():
            for first in range(0, len(pks), COPIES_AT_ONCE):
                with transaction.atomic():
                    _meter(pks[first : first + COPIES_AT_ONCE], now)
            told |= dict.fromkeys(pks)
    today = day_of(now)
    for place_id in places_behind(today).order_by("pk").values_list("pk", flat=True):
        carry_forward(place_id, today)
    return list(Copy.objects.filter(pk__in=told).select_related("backup").order_by("pk"))


def _note_held(job: Job, what: str, size_bytes: int, cause: Cause) -> None:
    """Of the attempt at hand, once."""
    copy = job.copy
    entry = LedgerEntry(
        key=f"{what}:{_key_of(copy)}:{job.fence}",
        kind=FactKind.HELD,
        at=timezone.now(),
        size_bytes=size_bytes,
        schedule=_schedule_of(copy),
        backup=copy.backup.code,
        cause=cause,
    )
    note_facts(place_of(copy), [entry])


def _meter(copy_ids: Iterable[int], now: datetime) -> None:
    """Tell the ledger what it does not know of these copies; the caller has begun a transaction."""
    # Locked in one order, and before their places: whoever tells of the same copies waits here.
    locked = Copy.objects.filter(pk__in=copy_ids).select_for_update(of=("self",), no_key=True).order_by("pk")
    entries: dict[PlaceName, list[LedgerEntry]] = defaultdict(list)
    for copy in locked.select_related("backup__project", "backup__cluster"):
        entries[place_of(copy)] += _untold(copy, now)
        Copy.objects.filter(pk=copy.pk).update(**_as_told(copy, now))
    for name in sorted(entries):
        if entries[name]:
            note_facts(name, entries[name])


def _as_told(copy: Copy, now: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {"metered_bytes": copy.sent_bytes}
    if copy.verified_at is not None:
        changes["kept_noted_at"] = copy.kept_noted_at or now
        changes["needed_bytes"] = _needed_bytes(copy)
        if copy.deleted_at is not None:
            changes["gone_noted_at"] = copy.gone_noted_at or now
    return changes


def _untold(copy: Copy, now: datetime) -> Iterator[LedgerEntry]:
    is_newly_kept = copy.verified_at is not None and copy.kept_noted_at is None
    is_newly_gone = copy.verified_at is not None and copy.deleted_at is not None and copy.gone_noted_at is None
    if not (is_newly_kept or is_newly_gone or copy.sent_bytes > copy.metered_bytes):
        return
    cause = Cause.BACKUP if copy.is_original else Cause.COPY
    about = {"schedule": _schedule_of(copy), "backup": copy.backup.code, "cause": cause}
    # Of a copy that is stored, since when it is; what came to nothing counts when it is found.
    at = min(copy.stored_at, now) if is_newly_kept and copy.stored_at is not None else now
    yield from _sent(copy, at, about)
    size_bytes = copy.size_bytes or 0
    if is_newly_kept:
        yield from _saved(copy, at, about)
        if copy.is_original and not _has_been_noted(copy):
            yield _fact(FactKind.HELD, f"stored:{_key_of(copy)}", at, _held_bytes(copy), about)
        yield _fact(FactKind.KEPT, f"kept:{_key_of(copy)}", at, size_bytes, about)
    if is_newly_gone and copy.deleted_at is not None:
        gone_at = min(copy.deleted_at, now)
        about["cause"] = Cause.DELETE if copy.kept_days is None else Cause.EXPIRE
        if is_newly_kept:
            # Gone before there was a ledger, when nobody noted what that freed.
            yield _fact(FactKind.HELD, f"freed:{_key_of(copy)}", gone_at, -_held_bytes(copy), about)
        yield _fact(FactKind.KEPT, f"gone:{_key_of(copy)}", gone_at, -size_bytes, about)


def _sent(copy: Copy, at: datetime, about: Mapping[str, Any]) -> Iterator[LedgerEntry]:
    """What travelled since the ledger was last told; what a copy was sent lies where it was sent to."""
    size_bytes = copy.sent_bytes - copy.metered_bytes
    if size_bytes <= 0:
        return
    needed_bytes = _needed_bytes(copy)
    again = max(copy.sent_bytes - needed_bytes, 0) - max(copy.metered_bytes - needed_bytes, 0)
    key = f"{_key_of(copy)}:{copy.sent_bytes}"
    sizes = {"source": _source_of(copy), "whole_bytes": size_bytes, "retry_bytes": again}
    yield _fact(FactKind.SENT, f"sent:{key}", at, size_bytes, {**about, **sizes})
    if not copy.is_original:
        yield _fact(FactKind.HELD, f"held:{key}", at, size_bytes, about)


def _saved(copy: Copy, at: datetime, about: Mapping[str, Any]) -> Iterator[LedgerEntry]:
    """What did not have to travel, for the region held it before the copy was begun."""
    if copy.is_original or copy.size_bytes is None:
        return
    saved_bytes = copy.saved_bytes if copy.needed_bytes is None else max(copy.size_bytes - copy.needed_bytes, 0)
    if saved_bytes:
        sizes = {"source": _source_of(copy), "whole_bytes": saved_bytes}
        yield _fact(FactKind.SENT, f"saved:{_key_of(copy)}", at, 0, {**about, **sizes})


def _needed_bytes(copy: Copy) -> int:
    """What has to be sent once; more is sent again. Where that was not written down, nothing is known to be."""
    if copy.needed_bytes is not None:
        return copy.needed_bytes
    return 0 if copy.is_original else copy.sent_bytes


def _held_bytes(copy: Copy) -> int:
    """What a copy from before there was a ledger has added to its place, as far as its row tells.

    Whatever it shared was not written down for originals; the next look into the store puts that right.
    """
    return max((copy.size_bytes or 0) - copy.skipped_bytes, 0) if copy.is_original else copy.sent_bytes


def _has_been_noted(copy: Copy) -> bool:
    """Whether the backup told what it stored; see `note_stored`."""
    noted = LedgerEntry.objects.filter(backup=copy.backup.code, region=copy.region_id, kind=FactKind.HELD)
    return noted.filter(cause=Cause.BACKUP).exists()


def _schedule_of(copy: Copy) -> str:
    """The code of the schedule that the copy belongs to, also when that schedule is gone; empty for a manual backup."""
    noted = LedgerEntry.objects.filter(backup=copy.backup.code, kind=FactKind.KEPT).order_by()
    known = noted.values_list("schedule", flat=True).first()
    if known is not None:
        return str(known)
    backup_jobs = Job.objects.filter(backup=copy.backup_id, type=JobType.BACKUP, schedule__isnull=False)
    return backup_jobs.values_list("schedule__code", flat=True).first() or ""


def _source_of(copy: Copy) -> str:
    return copy.source_region_id or copy.backup.cluster.region_id


def _key_of(copy: Copy) -> str:
    return f"{copy.backup.code}:{copy.region_id}"


def _fact(kind: FactKind, key: str, at: datetime, size_bytes: int, about: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(key=key, kind=kind, at=at, size_bytes=size_bytes, **about)
