"""Which chunks of a cluster the backups in one store need, and letting go of the others."""

from collections.abc import Callable, Collection, Iterable, Iterator

from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.errors import BackupMissing, ManifestInvalid
from dataplane.progress import stop_if_asked
from dataplane.stores.base import ObjectInfo, ObjectStore

BATCH_SIZE = 500
"""Chunks removed between two looks at the manifests: seconds of work on any store."""


class NeededChunks:
    """The keys of all chunks that a manifest of the cluster in this store names.

    Made by reading every manifest, and kept up to date by `refresh()`. Both raise rather than know half: StoreError
    when a listing or a read fails, ManifestInvalid when a manifest is damaged, or when a backup of `known_backups`,
    which the caller knows to be in this store, has none. `leaving` is the backup whose needs do not count.
    """

    def __init__(
        self, store: ObjectStore, cluster_id: str, *, known_backups: Collection[str], leaving: str | None = None
    ) -> None:
        self._store = store
        self._cluster_id = cluster_id
        self._known_backups = frozenset(known_backups) - {leaving}
        self._leaving = leaving
        self._read: set[ObjectInfo] = set()
        self._keys: set[str] = set()
        self.refresh()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def refresh(self) -> None:
        """Learn what manifests that were written since the last look need."""
        found = self._manifests()
        unknown = [layout.manifest_key(self._cluster_id, known) for known in self._known_backups - found.keys()]
        for backup_id, info in found.items():
            if info in self._read:
                continue
            try:
                manifest = read_manifest(self._store, self._cluster_id, backup_id)
            except BackupMissing:
                if backup_id in self._known_backups:
                    unknown.append(info.key)
                continue  # deleted between the listing and now
            except ManifestInvalid:
                unknown.append(info.key)
                continue
            self._keys |= {layout.chunk_key(self._cluster_id, chunk.sha256) for chunk in manifest.chunks}
            self._read.add(info)
        if unknown:
            raise ManifestInvalid(
                f"The manifests of {len(unknown)} backups in {self._store.name} are damaged or missing, "
                f"{min(unknown)} first, so nobody knows which chunks these backups need and none is removed. "
                "Repair them from another region or delete these backups, then try again."
            )

    def _manifests(self) -> dict[str, ObjectInfo]:
        return {
            backup_id: info
            for info in self._store.list(layout.backups_prefix(self._cluster_id))
            if (backup_id := layout.backup_of_manifest(info.key)) is not None and backup_id != self._leaving
        }


def harmed_backups(
    store: ObjectStore, cluster_id: str, backup_ids: Iterable[str], *, harmed: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Those of `backup_ids` that need objects with keys in `harmed`, each with the ones it needs.

    A backup whose manifest is itself damaged or missing is one of them, with the key of its manifest. StoreError when
    the store fails: then nothing is known.
    """
    found: dict[str, tuple[str, ...]] = {}
    for backup_id in backup_ids:
        try:
            manifest = read_manifest(store, cluster_id, backup_id)
        except (BackupMissing, ManifestInvalid):
            found[backup_id] = (layout.manifest_key(cluster_id, backup_id),)
            continue
        # A set: a manifest may name one chunk in several places.
        needs = {layout.chunk_key(cluster_id, chunk.sha256) for chunk in manifest.chunks}.intersection(harmed)
        if needs:
            found[backup_id] = tuple(sorted(needs))
    return found


def remove_chunks(
    keys: Iterable[str], needed: NeededChunks, store: ObjectStore, *, should_stop: Callable[[], bool]
) -> Iterator[str]:
    """Remove those of `keys` that are not needed, and yield each once it is gone.

    The manifests are looked at again before every batch: a backup may have been committed that shares a chunk.
    Stopped when asked between two chunks.
    """
    for number, key in enumerate(keys):
        stop_if_asked(should_stop)
        if number % BATCH_SIZE == 0:
            needed.refresh()
        if key not in needed:
            store.delete(key)
            yield key
