"""Deleting a backup from one store, and only what no other backup there needs."""

from contextlib import suppress
from dataclasses import dataclass

from dataplane import layout
from dataplane.commit import read_manifest, stored_chunks
from dataplane.errors import ManifestInvalid, ObjectMissing, StoreFull
from dataplane.manifest import from_json
from dataplane.stores.base import ObjectStore


@dataclass(frozen=True, slots=True)
class DeleteReport:
    object_count: int
    """Objects removed by this call."""
    freed_bytes: int
    """Of chunks removed by this call."""
    kept_chunks: int
    """Chunks of this backup that stay because other backups of the cluster in this store need them."""


def delete_backup(*, cluster_id: str, backup_id: str, store: ObjectStore) -> DeleteReport:
    """Remove the manifest, then each of its chunks that no other manifest of the cluster names, then the README.

    Everything is read before anything is deleted: when a listing or another manifest cannot be read, the error is
    raised and nothing is deleted. Safe to run again, also after being cut short: the former manifest is kept as a
    tombstone until its last chunk is gone. A backup that is not there is fine. When the backup's own manifest is
    damaged, its chunks are unknown and stay.
    """
    manifest_key = layout.manifest_key(cluster_id, backup_id)
    tombstone_key = layout.tombstone_key(cluster_id, backup_id)
    readme_key = layout.readme_key(cluster_id, backup_id)
    found = [info.key for info in store.list(layout.backups_prefix(cluster_id))]
    present = stored_chunks(store, cluster_id)
    needed = {
        layout.chunk_key(cluster_id, chunk.sha256)
        for key in found
        if (other := layout.backup_of_manifest(key)) is not None and other != backup_id
        for chunk in read_manifest(store, cluster_id, other).chunks
    }
    own = _chunks_named_by(store, cluster_id, manifest_key) | _chunks_named_by(store, cluster_id, tombstone_key)
    unneeded = sorted((own & present.keys()) - needed)

    if manifest_key in found:
        # A store without room must still let go of what it holds.
        with suppress(StoreFull):
            store.write(tombstone_key, store.read_bytes(manifest_key))
            store.sync()
        store.delete(manifest_key)
        store.sync()  # the manifest is gone for good before the first chunk it names
    for key in (*unneeded, readme_key):
        store.delete(key)
    store.sync()  # and the last chunk before the tombstone
    store.delete(tombstone_key)
    store.sync()
    return DeleteReport(
        object_count=len(unneeded) + len({manifest_key, readme_key}.intersection(found)),
        freed_bytes=sum(present[key] for key in unneeded),
        kept_chunks=len(own & present.keys() & needed),
    )


def _chunks_named_by(store: ObjectStore, cluster_id: str, manifest_key: str) -> set[str]:
    try:
        manifest = from_json(store.read_bytes(manifest_key))
    except (ObjectMissing, ManifestInvalid):
        return set()
    return {layout.chunk_key(cluster_id, chunk.sha256) for chunk in manifest.chunks}
