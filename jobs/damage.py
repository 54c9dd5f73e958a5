"""Damage that a job meets: which copies it concerns, and marking all of them before anybody relies on one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from backups.models import Copy
from backups.services import record_damage
from dataplane import layout
from dataplane.needed import harmed_backups
from dataplane.stores.base import ObjectStore

from .hold import Hold


def mark_damaged(copy: Copy, keys: Iterable[str], *, reason: str, hold: Hold) -> None:
    """Mark a copy in which the objects `keys` are harmed, and every other copy in its store that needs one of them."""
    # First what is known: should the store fail while the others are looked at, this one must not stay available.
    with hold.writing():
        record_damage(copy, reason=reason)
    mark_sharers(copy, keys, hold=hold)


def mark_sharers(copy: Copy, keys: Iterable[str], *, hold: Hold) -> None:
    """Mark the copies beside `copy` that need one of the objects `keys`; StoreError when nobody can know."""
    chunks = [key for key in keys if layout.digest_of_chunk(key)]
    # In one order, for each is locked: two jobs that mark several at once must not wait for each other in a circle.
    relied_on = Copy.objects.relied_on_beside(copy).select_related("backup").order_by("pk")
    beside = {other.backup.code: other for other in relied_on}
    if not chunks or not beside:
        return
    harmed = harmed_backups(copy.store.open(), copy.backup.cluster.code, beside, harmed=chunks)
    with hold.writing():
        for code, objects in harmed.items():
            reason = (
                f"Found with {copy.backup}, with which this copy shares bytes in {copy.region}: {name_some(objects)} "
                "damaged or missing. Repair this copy, or check it again if it was mended since."
            )
            record_damage(beside[code], reason=reason)


def name_some(keys: Iterable[str], *, at_most: int = 1) -> str:
    """The first few of `keys`, and how many more there are."""
    listed = sorted(keys)
    more = len(listed) - at_most
    return ", ".join(listed[:at_most]) + (f" and {more:,} more" if more > 0 else "")


def is_sound_chunk(store: ObjectStore, key: str) -> bool:
    """Reads a chunk and compares it with the digest in its name; False for what is no chunk."""
    digest = layout.digest_of_chunk(key)
    return digest is not None and hashlib.sha256(store.read_bytes(key)).hexdigest() == digest
