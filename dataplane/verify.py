"""Proving a backup or a copy: reading back what is stored, all of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.errors import BackupMissing, ManifestInvalid, ObjectMissing
from dataplane.manifest import ChunkRef
from dataplane.pool import each, threads_for
from dataplane.progress import Progress
from dataplane.stores.base import ObjectStore


@dataclass(frozen=True, slots=True)
class VerifyReport:
    checked_count: int
    """Objects read back or proven missing, the manifest included."""
    checked_bytes: int
    """Of chunks read back."""
    damaged: tuple[str, ...]
    """Keys whose bytes do not match their digest."""
    missing: tuple[str, ...]
    """Keys the store proved absent."""

    @property
    def is_sound(self) -> bool:
        return not self.damaged and not self.missing


def verify_backup(
    *,
    cluster_id: str,
    backup_id: str,
    store: ObjectStore,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> VerifyReport:
    """Read back the manifest and every chunk it names, and compare each with its SHA-256.

    What is wrong with the backup is in the report, a missing or damaged manifest included. A store that fails raises
    StoreError: it proves nothing about the backup.
    """
    manifest_key = layout.manifest_key(cluster_id, backup_id)
    try:
        manifest = read_manifest(store, cluster_id, backup_id)
    except BackupMissing:
        return VerifyReport(checked_count=1, checked_bytes=0, damaged=(), missing=(manifest_key,))
    except ManifestInvalid:
        return VerifyReport(checked_count=1, checked_bytes=0, damaged=(manifest_key,), missing=())
    damaged: list[str] = []
    missing: list[str] = []
    checked_bytes = done_bytes = 0

    def check(chunk: ChunkRef) -> tuple[ChunkRef, str, int | None, bool]:
        key = layout.chunk_key(cluster_id, chunk.sha256)
        return chunk, key, *_read_back(store, key, chunk)

    for chunk, key, read_bytes, is_intact in each(
        manifest.chunks, check, threads=threads_for(store), should_stop=should_stop
    ):
        if read_bytes is None:
            missing.append(key)
        elif not is_intact:
            damaged.append(key)
        checked_bytes += read_bytes or 0
        done_bytes += chunk.size_bytes
        on_progress(Progress(done_bytes, manifest.size_bytes))
    return VerifyReport(
        checked_count=len(manifest.chunks) + 1,
        checked_bytes=checked_bytes,
        damaged=tuple(sorted(damaged)),
        missing=tuple(sorted(missing)),
    )


def _read_back(store: ObjectStore, key: str, chunk: ChunkRef) -> tuple[int | None, bool]:
    """Bytes read (None when the object is proven missing), and whether they are those the name promises."""
    digest = hashlib.sha256()
    read_bytes = 0
    try:
        for piece in store.read(key):
            digest.update(piece)
            read_bytes += len(piece)
    except ObjectMissing:
        return None, False
    return read_bytes, digest.hexdigest() == chunk.sha256
