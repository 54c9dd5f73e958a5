"""Repairing a backup in one region with what other regions hold."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock

from dataplane import layout
from dataplane.commit import commit, read_manifest
from dataplane.errors import BackupMissing, ManifestInvalid, ObjectMissing, StoreError
from dataplane.manifest import ChunkRef, LineageStep, Manifest
from dataplane.pool import each, threads_for
from dataplane.progress import Progress, stop_if_asked
from dataplane.readme import readme
from dataplane.stores.base import ObjectStore
from dataplane.verify import AffectedRows, affected_rows, read_back, read_chunks


@dataclass(frozen=True, slots=True)
class RepairedObject:
    key: str
    source: str
    """The name of the store that gave it."""


@dataclass(frozen=True, slots=True)
class RepairReport:
    checked_count: int
    """Objects of the backup that were checked, the manifest included."""
    repaired: tuple[RepairedObject, ...]
    """Objects written anew and read back good, by key."""
    unrepaired: tuple[str, ...]
    """Keys that no source could give intact, or that the target did not give back as written."""
    sent_bytes: int
    """Of chunks sent from the sources to the target."""
    sent_by_source: Mapping[str, int]
    """The same by the name of the store that gave them."""
    added_bytes: int
    """By how much the target's chunks have grown: what was written, less what had lain under the same names."""
    affected: tuple[AffectedRows, ...]
    """Rows in chunks that are still harmed. Empty while the manifest is unknown."""

    @property
    def is_sound(self) -> bool:
        """The target now holds the whole backup, proven by reading it back."""
        return not self.unrepaired


def repair_backup(
    *,
    cluster_id: str,
    backup_id: str,
    target: ObjectStore,
    target_region: str,
    sources: Sequence[ObjectStore],
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    may_commit: Callable[[], None],
) -> RepairReport:
    """Read back the whole backup in `target`, and write what is damaged or missing anew from the first source that can.

    Only bytes that match their digest are written, and they are read back; a sound object is never touched. A source
    may itself be damaged, incomplete or out of reach: the next is asked. What nobody could give is in the report. Only
    an error of the target is raised. Safe to run again after any failure.

    A manifest that is damaged or missing is taken from the first source with a sound one, with the lineage it has in
    `target_region` (see `lineage_in`) and that source's fence, and written last, after `may_commit()` and only once
    every chunk is sound: no manifest, no backup. A deletion that was cut short is not undone: BackupMissing.
    A README that is missing or differs from its manifest is written anew; it proves nothing, so no report tells of it.
    """
    manifest_key = layout.manifest_key(cluster_id, backup_id)
    givers = _Sources(sources)
    manifest_source = ""
    try:
        manifest = read_manifest(target, cluster_id, backup_id)
    except (BackupMissing, ManifestInvalid):
        _refuse_if_deleting(target, cluster_id, backup_id)
        found = givers.manifest(cluster_id, backup_id)
        if found is None:
            return RepairReport(1, (), (manifest_key,), sent_bytes=0, sent_by_source={}, added_bytes=0, affected=())
        manifest, manifest_source = found
        manifest = replace(manifest, lineage=lineage_in(target_region, manifest))
    harmed = read_chunks(manifest, target, on_progress=on_progress, should_stop=should_stop).all
    mended = _mend_chunks(manifest, harmed, target, givers, on_progress=on_progress, should_stop=should_stop)
    repaired = mended.repaired
    unrepaired = [layout.chunk_key(cluster_id, chunk.sha256) for chunk in mended.unrepaired]
    if not manifest_source:
        _renew_readme(target, manifest)
    target.sync()
    if manifest_source:
        stop_if_asked(should_stop)
        if not unrepaired:
            commit(target, manifest, may_commit=may_commit)
        if not unrepaired and _holds(target, manifest):
            repaired.append(RepairedObject(manifest_key, manifest_source))
        else:
            unrepaired.append(manifest_key)
    return RepairReport(
        checked_count=len(manifest.chunks) + 1,
        repaired=tuple(sorted(repaired, key=lambda written: written.key)),
        unrepaired=tuple(sorted(unrepaired)),
        sent_bytes=sum(mended.sent_by_source.values()),
        sent_by_source=dict(mended.sent_by_source),
        added_bytes=mended.added_bytes,
        affected=affected_rows(manifest, mended.unrepaired),
    )


@dataclass(slots=True)
class _Mended:
    repaired: list[RepairedObject]
    unrepaired: list[ChunkRef]
    sent_by_source: Counter[str]
    added_bytes: int = 0


def _mend_chunks(
    manifest: Manifest,
    harmed: Sequence[ChunkRef],
    target: ObjectStore,
    givers: "_Sources",
    *,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> _Mended:
    """Fetch, write and read back each of the harmed chunks; progress goes on from the check of the whole backup."""

    def mend(chunk: ChunkRef) -> tuple[ChunkRef, str | None, int, bool]:
        """Who gave the chunk (None: nobody), what that added, and whether the target holds it now."""
        given = givers.chunk(manifest.cluster_id, chunk)
        if given is None:
            return chunk, None, 0, False
        data, source_name = given
        key = layout.chunk_key(manifest.cluster_id, chunk.sha256)
        before = target.find(key)
        target.write(key, data)
        added_bytes = chunk.size_bytes - (before.size_bytes if before else 0)
        return chunk, source_name, added_bytes, read_back(target, manifest.cluster_id, chunk)[1]

    mended = _Mended([], [], Counter())
    done_bytes = manifest.size_bytes
    total_bytes = done_bytes + sum(chunk.size_bytes for chunk in harmed)
    mending = each(harmed, mend, threads=givers.threads(target), should_stop=should_stop)
    for chunk, source_name, added_bytes, is_sound in mending:
        if source_name is not None:
            mended.sent_by_source[source_name] += chunk.size_bytes
            mended.added_bytes += added_bytes
        if source_name is not None and is_sound:
            key = layout.chunk_key(manifest.cluster_id, chunk.sha256)
            mended.repaired.append(RepairedObject(key, source_name))
        else:
            mended.unrepaired.append(chunk)
        done_bytes += chunk.size_bytes
        on_progress(Progress(done_bytes, total_bytes))
    return mended


def lineage_in(region: str, manifest: Manifest) -> tuple[LineageStep, ...]:
    """The lineage of this backup in `region`, told from the manifest it has in another one. Pure.

    Nothing where the backup was taken; up to `region` when the other got it by way of `region`; else the other's
    lineage and one more step, for the way the manifest now comes.
    """
    if region == manifest.region:
        return ()
    for number, step in enumerate(manifest.lineage, start=1):
        if step.target_region == region:
            return manifest.lineage[:number]
    giver = manifest.lineage[-1].target_region if manifest.lineage else manifest.region
    return (*manifest.lineage, LineageStep(giver, region))


class _Sources:
    """Asks each store in turn. One that failed is asked after the others from then on: its next failure may be slow."""

    def __init__(self, stores: Sequence[ObjectStore]) -> None:
        self._stores = list(stores)
        self._lock = Lock()

    def manifest(self, cluster_id: str, backup_id: str) -> tuple[Manifest, str] | None:
        """The first sound manifest and the name of its store."""
        for store in self._in_turn():
            try:
                return read_manifest(store, cluster_id, backup_id), store.name
            except (BackupMissing, ManifestInvalid):
                continue
            except StoreError:
                self._put_last(store)
        return None

    def chunk(self, cluster_id: str, chunk: ChunkRef) -> tuple[bytes, str] | None:
        """The bytes of a chunk, proven by their digest, and the name of the store that gave them."""
        for store in self._in_turn():
            try:
                data = store.read_bytes(layout.chunk_key(cluster_id, chunk.sha256))
            except ObjectMissing:
                continue
            except StoreError:
                self._put_last(store)
                continue
            if len(data) == chunk.size_bytes and hashlib.sha256(data).hexdigest() == chunk.sha256:
                return data, store.name
        return None

    def threads(self, target: ObjectStore) -> int:
        """How many fetch and write at once."""
        return threads_for(target, *self._stores)

    def _in_turn(self) -> list[ObjectStore]:
        with self._lock:
            return list(self._stores)

    def _put_last(self, store: ObjectStore) -> None:
        with self._lock:
            self._stores.sort(key=lambda other: other is store)


def _refuse_if_deleting(target: ObjectStore, cluster_id: str, backup_id: str) -> None:
    tombstone_key = layout.tombstone_key(cluster_id, backup_id)
    if any(info.key == tombstone_key for info in target.list(layout.backups_prefix(cluster_id))):
        raise BackupMissing(
            f"Backup {backup_id} is being deleted from {target.name}, so it is not repaired there. "
            "Delete it again to finish, or copy it anew."
        )


def _renew_readme(target: ObjectStore, manifest: Manifest) -> None:
    key = layout.readme_key(manifest.cluster_id, manifest.backup_id)
    text = readme(manifest).encode()
    with suppress(ObjectMissing):
        if target.read_bytes(key) == text:
            return
    target.write(key, text)


def _holds(store: ObjectStore, manifest: Manifest) -> bool:
    try:
        return read_manifest(store, manifest.cluster_id, manifest.backup_id) == manifest
    except (BackupMissing, ManifestInvalid):
        return False
