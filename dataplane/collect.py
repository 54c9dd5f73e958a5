"""Collecting what backups left behind: chunks that no manifest in the store needs any more."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from dataplane import layout
from dataplane.needed import NeededChunks, remove_chunks
from dataplane.stores.base import ObjectInfo, ObjectStore


@dataclass(frozen=True, slots=True)
class CollectReport:
    removed_count: int
    """Chunks removed by this call."""
    freed_bytes: int
    """Of these chunks."""
    held_bytes: int
    """Of all chunks of the cluster that are left in this store."""
    waiting_count: int
    """Chunks that nobody needs but that are too young, or whose age the store does not tell."""
    waiting_bytes: int


def collect_chunks(
    *,
    cluster_id: str,
    store: ObjectStore,
    grace: timedelta,
    now: datetime,
    should_stop: Callable[[], bool],
    known_backups: Collection[str] = (),
) -> CollectReport:
    """Remove the chunks of the cluster that no manifest in `store` names and that were written `grace` or more ago.

    Nothing is removed, and the error raised, when a listing fails (StoreError), a manifest cannot be read, or a backup
    of `known_backups` (ids that the caller knows to be in this store) has no manifest (ManifestInvalid names it).
    What lies among the chunks under any other kind of name stays. Keeps no notes: cut short at any point, the same call
    made again finds what is left.

    `grace` protects what a backup or copy has sent but not yet committed, so it must exceed the longest of them. It
    does not protect an old chunk that one has found here and relies on: the caller keeps collecting and writing into
    one cluster and store apart.
    """
    # Chunks first: what is listed now was needed by a manifest that is listed after it, or by none yet.
    chunks = [info for info in store.list(layout.chunks_prefix(cluster_id)) if layout.digest_of_chunk(info.key)]
    needed = NeededChunks(store, cluster_id, known_backups=known_backups)
    unneeded = [info for info in chunks if info.key not in needed]
    old = {info.key: info.size_bytes for info in unneeded if _is_older(info, now - grace)}
    waiting = [info for info in unneeded if info.key not in old]
    removed = list(remove_chunks(old, needed, store, should_stop=should_stop))
    store.sync()
    freed_bytes = sum(old[key] for key in removed)
    return CollectReport(
        removed_count=len(removed),
        freed_bytes=freed_bytes,
        held_bytes=sum(info.size_bytes for info in chunks) - freed_bytes,
        waiting_count=len(waiting),
        waiting_bytes=sum(info.size_bytes for info in waiting),
    )


def _is_older(info: ObjectInfo, limit: datetime) -> bool:
    return info.modified_at is not None and info.modified_at <= limit
