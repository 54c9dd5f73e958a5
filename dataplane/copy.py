"""Copying a backup from one region's store to another's."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from dataplane import layout
from dataplane.commit import commit, find_manifest, held_chunks, read_manifest, refuse_if_stale
from dataplane.errors import BackupDamaged, ObjectMissing, StoreError
from dataplane.manifest import ChunkRef, LineageStep
from dataplane.pool import each, threads_for
from dataplane.progress import Progress, stop_if_asked
from dataplane.stores.base import ObjectStore
from dataplane.verify import read_back

HANDFUL_BYTES = 1024 * 1024
HANDFULS_PER_THREAD = 8


@dataclass(frozen=True, slots=True)
class CopyPlan:
    cluster_id: str
    backup_id: str
    source_region: str
    target_region: str
    fence: int


@dataclass(frozen=True, slots=True)
class CopyReport:
    size_bytes: int
    """Of the backup's chunks in the target."""
    sent_bytes: int
    """Of chunks that this call, or the provider for it, has brought from the source to the target."""
    skipped_bytes: int
    """Of chunks the target already held."""
    object_count: int
    """Chunks, manifest and README."""


def copy_backup(
    plan: CopyPlan,
    *,
    source: ObjectStore,
    target: ObjectStore,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    may_commit: Callable[[], None],
) -> CopyReport:
    """Copy every chunk the target lacks, then the manifest, always last: no manifest, no copy.

    Each chunk is compared with its digest on the way, or right before a provider is asked to copy it itself:
    BackupDamaged names those the source cannot give. Safe to run again after any failure; only what the target is not
    proven to hold is sent. `may_commit()` is called right before the manifest is written and raises if the caller has
    lost its lease.
    """
    manifest = read_manifest(source, plan.cluster_id, plan.backup_id)
    existing = find_manifest(target, plan.cluster_id, plan.backup_id)
    is_committed = existing is not None and existing.has_same_content(manifest)
    if not is_committed:
        refuse_if_stale(target, plan.fence, existing)
    present = held_chunks(target, manifest)
    lacking = [
        chunk
        for chunk in manifest.chunks
        if present.get(layout.chunk_key(plan.cluster_id, chunk.sha256)) != chunk.size_bytes
    ]
    total_bytes = manifest.size_bytes  # asked once: it is a sum over all chunks
    done_bytes = skipped_bytes = total_bytes - sum(chunk.size_bytes for chunk in lacking)
    on_progress(Progress(done_bytes, total_bytes))
    damaged: list[str] = []
    sender = _Sender(source, target, plan.cluster_id, target.copier(source))

    def send(chunks: list[ChunkRef]) -> list[tuple[str, int | None]]:
        keys = [layout.chunk_key(plan.cluster_id, chunk.sha256) for chunk in chunks]
        return [(key, sender.send(key, chunk)) for key, chunk in zip(keys, chunks, strict=True)]

    threads = threads_for(source, target)
    for results in each(_handfuls(lacking, threads), send, threads=threads, should_stop=should_stop):
        for key, sent in results:
            if sent is None:
                damaged.append(key)
            else:
                done_bytes += sent
        on_progress(Progress(done_bytes, total_bytes))
    if damaged:
        raise BackupDamaged(
            f"{source.name} cannot give {len(damaged)} objects of backup {plan.backup_id} intact, "
            f"{min(damaged)} first. "
            "Copy the backup from another region that holds it.",
            tuple(sorted(damaged)),
        )
    stop_if_asked(should_stop)
    if is_committed:
        target.sync()
    else:
        step = LineageStep(plan.source_region, plan.target_region)
        copied = replace(manifest, fence=plan.fence, lineage=(*manifest.lineage, step))
        commit(target, copied, may_commit=may_commit)
    return CopyReport(
        size_bytes=total_bytes,
        sent_bytes=done_bytes - skipped_bytes,
        skipped_bytes=skipped_bytes,
        object_count=len(manifest.chunks) + 2,
    )


def _handfuls(chunks: list[ChunkRef], threads: int) -> Iterator[list[ChunkRef]]:
    """Small chunks together, for handing one to a thread costs as much as copying it; enough for every thread."""
    at_most = max(1, len(chunks) // (HANDFULS_PER_THREAD * threads))
    handful: list[ChunkRef] = []
    size_bytes = 0
    for chunk in chunks:
        handful.append(chunk)
        size_bytes += chunk.size_bytes
        if len(handful) == at_most or size_bytes >= HANDFUL_BYTES:
            yield handful
            handful, size_bytes = [], 0
    if handful:
        yield handful


class _Differs(Exception):
    """The source's bytes are not those the chunk's name promises."""


@dataclass(slots=True)
class _Sender:
    source: ObjectStore
    target: ObjectStore
    cluster_id: str
    copier: Callable[[str], None] | None
    """The provider's own way. None from its first refusal on: our way tells why, or does not mind."""

    def send(self, key: str, chunk: ChunkRef) -> int | None:
        """Bytes that came to the target, or None when the source does not hold the chunk as its name promises."""
        if copy := self.copier:
            # Proven first: once a chunk is seen, another backup may rely on it.
            if not read_back(self.source, self.cluster_id, chunk)[1]:
                return None
            try:
                copy(key)
            except StoreError:
                self.copier = None
            else:
                return chunk.size_bytes
        try:
            return self.target.write(key, _proven(chunk, self.source.read(key))).size_bytes
        except (ObjectMissing, _Differs):
            return None


def _proven(chunk: ChunkRef, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """`pieces` as they come; _Differs instead of an end when all together are not `chunk`.

    A target shows an object only after its last piece, so one pass both proves and writes, and a local file is never
    in memory as a whole.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    for piece in pieces:
        digest.update(piece)
        size_bytes += len(piece)
        yield piece
    if size_bytes != chunk.size_bytes or digest.hexdigest() != chunk.sha256:
        raise _Differs
