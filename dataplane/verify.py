"""Proving a backup or a copy: by what the store lists, or by reading back all of it."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.errors import BackupMissing, ManifestInvalid, ObjectMissing
from dataplane.manifest import ChunkRef, Manifest
from dataplane.pool import each, threads_for
from dataplane.progress import Progress, stop_if_asked
from dataplane.stores.base import ObjectStore


class CheckDepth(Enum):
    QUICK = "quick"
    """From one listing: every chunk is there with its size, and its digest where the store keeps one."""
    FULL = "full"
    """Every byte read back and compared with its SHA-256: the only depth that proves a backup."""


@dataclass(frozen=True, slots=True)
class AffectedRows:
    """What harmed chunks mean for one collection."""

    database: str
    name: str
    row_count: int
    """Rows in harmed chunks."""
    of_row_count: int
    """All rows of the collection."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    checked_count: int
    """Objects found good, damaged or proven missing, the manifest included."""
    checked_bytes: int
    """Of chunks read back; 0 for a quick check."""
    damaged: tuple[str, ...]
    """Keys whose bytes do not match their digest or their size."""
    missing: tuple[str, ...]
    """Keys the store proved absent."""
    affected: tuple[AffectedRows, ...] = ()
    """Collections with rows in harmed chunks. Empty when the manifest is harmed: all of them are, and none is known."""
    depth: CheckDepth = CheckDepth.FULL

    @property
    def is_sound(self) -> bool:
        """Nothing harmed was found, as far as this depth looks."""
        return not self.damaged and not self.missing


@dataclass(frozen=True, slots=True)
class HarmedChunks:
    damaged: tuple[ChunkRef, ...]
    missing: tuple[ChunkRef, ...]
    read_bytes: int

    @property
    def all(self) -> tuple[ChunkRef, ...]:
        return self.damaged + self.missing


def verify_backup(
    *,
    cluster_id: str,
    backup_id: str,
    store: ObjectStore,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    depth: CheckDepth = CheckDepth.FULL,
) -> VerifyReport:
    """Read the manifest and check every chunk it names as deep as `depth` says.

    What is wrong with the backup is in the report, a missing or damaged manifest included; other objects in the store,
    the README among them, are not looked at. A store that fails raises StoreError: it proves nothing about the backup.
    """
    manifest_key = layout.manifest_key(cluster_id, backup_id)
    try:
        manifest = read_manifest(store, cluster_id, backup_id)
    except BackupMissing:
        return VerifyReport(checked_count=1, checked_bytes=0, damaged=(), missing=(manifest_key,), depth=depth)
    except ManifestInvalid:
        return VerifyReport(checked_count=1, checked_bytes=0, damaged=(manifest_key,), missing=(), depth=depth)
    check = list_chunks if depth is CheckDepth.QUICK else read_chunks
    harmed = check(manifest, store, on_progress=on_progress, should_stop=should_stop)

    def keys(chunks: tuple[ChunkRef, ...]) -> tuple[str, ...]:
        return tuple(sorted(layout.chunk_key(cluster_id, chunk.sha256) for chunk in chunks))

    return VerifyReport(
        checked_count=len(manifest.chunks) + 1,
        checked_bytes=harmed.read_bytes,
        damaged=keys(harmed.damaged),
        missing=keys(harmed.missing),
        affected=affected_rows(manifest, harmed.all),
        depth=depth,
    )


def read_chunks(
    manifest: Manifest,
    store: ObjectStore,
    *,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> HarmedChunks:
    """Read back every chunk of `manifest`; StoreError when the store fails."""
    damaged: list[ChunkRef] = []
    missing: list[ChunkRef] = []
    read_bytes = done_bytes = 0
    total_bytes = manifest.size_bytes  # asked once: it is a sum over all chunks

    def check(chunk: ChunkRef) -> tuple[ChunkRef, int | None, bool]:
        return chunk, *read_back(store, manifest.cluster_id, chunk)

    for chunk, size_bytes, is_intact in each(
        manifest.chunks, check, threads=threads_for(store), should_stop=should_stop
    ):
        if size_bytes is None:
            missing.append(chunk)
        elif not is_intact:
            damaged.append(chunk)
        read_bytes += size_bytes or 0
        done_bytes += chunk.size_bytes
        on_progress(Progress(done_bytes, total_bytes))
    return HarmedChunks(tuple(damaged), tuple(missing), read_bytes)


def list_chunks(
    manifest: Manifest,
    store: ObjectStore,
    *,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> HarmedChunks:
    """Compare every chunk of `manifest` with one listing; StoreError when it fails."""
    stop_if_asked(should_stop)
    listed = {info.key: info for info in store.list(layout.chunks_prefix(manifest.cluster_id))}
    damaged: list[ChunkRef] = []
    missing: list[ChunkRef] = []
    for chunk in manifest.chunks:
        info = listed.get(layout.chunk_key(manifest.cluster_id, chunk.sha256))
        if info is None:
            missing.append(chunk)
        elif info.size_bytes != chunk.size_bytes or info.sha256 not in (None, chunk.sha256):
            damaged.append(chunk)
    on_progress(Progress(manifest.size_bytes, manifest.size_bytes))
    return HarmedChunks(tuple(damaged), tuple(missing), read_bytes=0)


def read_back(store: ObjectStore, cluster_id: str, chunk: ChunkRef) -> tuple[int | None, bool]:
    """Bytes read (None when the object is proven missing), and whether they are those the manifest promises."""
    digest = hashlib.sha256()
    read_bytes = 0
    try:
        for piece in store.read(layout.chunk_key(cluster_id, chunk.sha256)):
            digest.update(piece)
            read_bytes += len(piece)
    except ObjectMissing:
        return None, False
    return read_bytes, read_bytes == chunk.size_bytes and digest.hexdigest() == chunk.sha256


def affected_rows(manifest: Manifest, harmed: Collection[ChunkRef]) -> tuple[AffectedRows, ...]:
    """The collections of `manifest` that use a harmed chunk, in the manifest's order."""
    digests = {chunk.sha256 for chunk in harmed}
    return tuple(
        AffectedRows(entry.database, entry.name, row_count, entry.row_count)
        for entry in manifest.collections
        if (row_count := sum(chunk.row_count for chunk in entry.chunks if chunk.sha256 in digests))
    )
