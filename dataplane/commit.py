"""The one moment a backup or a copy comes to exist: when its manifest is written, last and by nobody who is late."""

from collections.abc import Callable

from dataplane import layout
from dataplane.errors import BackupMissing, ManifestInvalid, ObjectMissing, ObjectsVanished, StaleFence
from dataplane.manifest import Manifest, from_json, to_json
from dataplane.pool import each, threads_for
from dataplane.readme import readme
from dataplane.stores.base import ObjectStore

MOST_BY_NAME = 100
"""By eight threads this takes about as long as a page or two of a listing, which tells of a thousand objects each."""


def read_manifest(store: ObjectStore, cluster_id: str, backup_id: str) -> Manifest:
    """The manifest of a backup; BackupMissing when the store proved it absent, ManifestInvalid when it is unsound."""
    try:
        return manifest_in(store, layout.manifest_key(cluster_id, backup_id), cluster_id, backup_id)
    except ObjectMissing as error:
        raise BackupMissing(
            f"{store.name} holds no backup {backup_id} of cluster {cluster_id}. Choose another copy or another backup."
        ) from error


def manifest_in(store: ObjectStore, key: str, cluster_id: str, backup_id: str) -> Manifest:
    """The manifest of this backup that the object `key` must hold: ObjectMissing or ManifestInvalid if it does not."""
    manifest = from_json(store.read_bytes(key), source=f"The manifest {key} in {store.name}")
    if (manifest.cluster_id, manifest.backup_id) != (cluster_id, backup_id):
        raise ManifestInvalid(
            f"The manifest {key} in {store.name} belongs to backup {manifest.backup_id} "
            f"of cluster {manifest.cluster_id}. Copy the backup again from another region."
        )
    return manifest


def find_manifest(store: ObjectStore, cluster_id: str, backup_id: str) -> Manifest | None:
    """As `read_manifest`, but None when there is none that is sound: what is damaged may be written over."""
    try:
        return read_manifest(store, cluster_id, backup_id)
    except (BackupMissing, ManifestInvalid):
        return None


def held_chunks(store: ObjectStore, manifest: Manifest) -> dict[str, int]:
    """Key and size in bytes of those chunks of `manifest` that the store proves to hold.

    A few are asked for by name: a listing tells of every chunk that any backup of the cluster has here, and may make a
    server read all of them for their ETags.
    """
    keys = {layout.chunk_key(manifest.cluster_id, chunk.sha256) for chunk in manifest.chunks}
    if len(keys) > MOST_BY_NAME:
        return {key: size for key, size in stored_chunks(store, manifest.cluster_id).items() if key in keys}
    found = each(sorted(keys), store.find, threads=threads_for(store), should_stop=lambda: False)
    return {info.key: info.size_bytes for info in found if info is not None}


def stored_chunks(store: ObjectStore, cluster_id: str) -> dict[str, int]:
    """Key and size in bytes of every chunk of the cluster that the store proves to hold."""
    return {info.key: info.size_bytes for info in store.list(layout.chunks_prefix(cluster_id))}


def refuse_if_stale(store: ObjectStore, fence: int, existing: Manifest | None) -> None:
    """StaleFence when a newer attempt has already written the manifest."""
    if existing is not None and existing.fence > fence:
        raise StaleFence(
            f"{store.name} already holds backup {existing.backup_id}, written by attempt {existing.fence}; "
            f"attempt {fence} comes too late. Nothing is left to do."
        )


def commit(store: ObjectStore, manifest: Manifest, *, may_commit: Callable[[], None]) -> None:
    """Prove that every chunk is there, write the README, ask `may_commit`, write the manifest. Durable on return."""
    store.sync()
    present = held_chunks(store, manifest)
    gone = [
        key
        for chunk in manifest.chunks
        if present.get(key := layout.chunk_key(manifest.cluster_id, chunk.sha256)) != chunk.size_bytes
    ]
    if gone:
        raise ObjectsVanished(
            f"{store.name} lost {len(gone)} objects of backup {manifest.backup_id} before it was complete, "
            f"{gone[0]} first; they were probably deleted together with an older backup. Run the job again."
        )
    store.write(layout.readme_key(manifest.cluster_id, manifest.backup_id), readme(manifest).encode())
    # Of a deletion that was cut short: what is committed now is not to be taken for half deleted.
    store.delete(layout.tombstone_key(manifest.cluster_id, manifest.backup_id))
    store.sync()
    refuse_if_stale(store, manifest.fence, find_manifest(store, manifest.cluster_id, manifest.backup_id))
    may_commit()
    store.write(layout.manifest_key(manifest.cluster_id, manifest.backup_id), to_json(manifest))
    store.sync()
