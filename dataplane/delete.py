"""Deleting a backup from one store, and only what no other backup there needs."""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from dataplane import layout
from dataplane.commit import manifest_in, stored_chunks
from dataplane.errors import ManifestInvalid, ObjectMissing, StoreFull
from dataplane.needed import NeededChunks, remove_chunks
from dataplane.stores.base import ObjectStore


@dataclass(frozen=True, slots=True)
class DeleteReport:
    object_count: int
    """Objects removed by this call."""
    freed_bytes: int
    """Of chunks removed by this call."""
    held_bytes: int
    """Of all chunks of the cluster that are left in this store."""
    kept_chunks: int
    """Chunks of this backup that stay because other backups of the cluster in this store need them."""


def delete_backup(
    *,
    cluster_id: str,
    backup_id: str,
    store: ObjectStore,
    known_backups: Collection[str] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> DeleteReport:
    """Remove the manifest, then each of its chunks that no other manifest of the cluster names, then the README.

    Everything is read before anything is deleted: when a listing or another manifest cannot be read, or a backup of
    `known_backups` (ids that the caller knows to be in this store) has no manifest, the error is raised and nothing is
    deleted. `should_stop` is asked before every chunk. Safe to run again, also after being cut short: the former
    manifest is kept as a tombstone until its last chunk is gone. A backup that is not there is fine. When the backup's
    own manifest is damaged, its chunks are unknown and stay until `collect_chunks` finds them unneeded.
    """
    manifest_key = layout.manifest_key(cluster_id, backup_id)
    tombstone_key = layout.tombstone_key(cluster_id, backup_id)
    readme_key = layout.readme_key(cluster_id, backup_id)
    found = {info.key for info in store.list(layout.backups_prefix(cluster_id))}
    present = stored_chunks(store, cluster_id)
    own = {
        key
        for place in (manifest_key, tombstone_key)
        for key in _chunks_named_by(store, place, cluster_id, backup_id)
        if key in present
    }
    # With no chunk to remove, other backups need not be asked: so two damaged ones do not hold each other for ever.
    needed = NeededChunks(store, cluster_id, known_backups=known_backups, leaving=backup_id) if own else None
    if manifest_key in found:
        # A store without room must still let go of what it holds.
        with suppress(StoreFull):
            store.write(tombstone_key, store.read_bytes(manifest_key))
            store.sync()
        store.delete(manifest_key)
        store.sync()  # the manifest is gone for good before the first chunk it names
    removed = list(remove_chunks(sorted(own), needed, store, should_stop=should_stop)) if needed else []
    store.delete(readme_key)
    store.sync()  # and the last chunk before the tombstone
    store.delete(tombstone_key)
    store.sync()
    freed_bytes = sum(present[key] for key in removed)
    return DeleteReport(
        object_count=len(removed) + len({manifest_key, readme_key} & found),
        freed_bytes=freed_bytes,
        held_bytes=sum(size for key, size in present.items() if layout.digest_of_chunk(key)) - freed_bytes,
        kept_chunks=len(own) - len(removed),
    )


def _chunks_named_by(store: ObjectStore, key: str, cluster_id: str, backup_id: str) -> set[str]:
    try:
        manifest = manifest_in(store, key, cluster_id, backup_id)
    except (ObjectMissing, ManifestInvalid):
        return set()
    return {layout.chunk_key(cluster_id, chunk.sha256) for chunk in manifest.chunks}
