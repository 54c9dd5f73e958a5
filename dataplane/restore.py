"""Restoring from a backup or a copy into a cluster."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dataplane import chunks, layout
from dataplane.access import restore_access
from dataplane.backup import key_order
from dataplane.commit import read_manifest
from dataplane.errors import BackupDamaged, CollectionExists, CollectionMissing, ObjectMissing, RowsLost
from dataplane.exclusions import without_excluded
from dataplane.fidelity import fitted, index_differences, schema_differences, setting_differences
from dataplane.fields import is_vector
from dataplane.loading import readable
from dataplane.manifest import CollectionEntry, Manifest
from dataplane.milvus import DEFAULT_PARTITION, Cluster, ClusterEndpoint, CollectionRef, Description
from dataplane.pipeline import one_ahead
from dataplane.progress import Progress, stop_if_asked
from dataplane.shards import lowered_shards
from dataplane.stores.base import ObjectStore
from dataplane.writer import BatchWriter

MAX_NAME_LENGTH = 255


@dataclass(frozen=True, slots=True)
class CollectionMapping:
    source: CollectionRef
    target: CollectionRef


@dataclass(frozen=True, slots=True)
class RestorePlan:
    cluster_id: str
    backup_id: str
    collections: tuple[CollectionMapping, ...] | None
    """None for all, under the same names."""
    cu_size: int
    """Of the cluster restored to: it limits the shards."""
    load: bool
    """Bring back the load state each collection had; False leaves all of them released."""
    attempt_id: str
    """The same for every retry of one restore: by it, a retry finds what an earlier try left behind."""
    with_access: bool = False
    """Also make the users and roles that the cluster lacks; for a restore to a new cluster."""


@dataclass(frozen=True, slots=True)
class RestoredCollection:
    ref: CollectionRef
    row_count: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestoreReport:
    collections: tuple[RestoredCollection, ...]
    notes: tuple[str, ...]
    new_passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the users made, by name. Told here once and kept nowhere."""


def restore_backup(
    plan: RestorePlan,
    *,
    store: ObjectStore,
    endpoint: ClusterEndpoint,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> RestoreReport:
    """Write the plan's collections, each complete before it takes its name.

    A target name that is taken raises CollectionExists before anything is written; a damaged or missing chunk raises
    BackupDamaged. After any failure the same plan can be run again: unfinished collections are started anew, finished
    ones are kept.
    """
    manifest = read_manifest(store, plan.cluster_id, plan.backup_id)
    chosen = _chosen(plan, manifest)
    meter = _Meter(on_progress, should_stop, sum(chunk.size_bytes for entry, _ in chosen for chunk in entry.chunks))
    with Cluster(endpoint) as cluster:
        markers = [_marker(plan, number) for number in range(len(chosen))]
        finished = _finished(cluster, chosen, markers)
        is_lite = cluster.info.is_lite
        notes_of_databases = _restore_databases(cluster, manifest, chosen, is_whole=plan.collections is None)
        restored: list[RestoredCollection] = []
        for (entry, target), marker in zip(chosen, markers, strict=True):
            notes: list[str] = []
            if target in finished:
                meter.add(sum(chunk.size_bytes for chunk in entry.chunks))
            else:
                notes += _restore_collection(cluster, plan, store, entry, target, marker, meter)
            if is_lite:
                notes += _auto_id_notes(entry, target)
            restored.append(RestoredCollection(target, entry.row_count, tuple(notes)))
        for (entry, target), marker in zip(chosen, markers, strict=True):
            _settle(cluster, plan, entry, target, has_index=is_lite or _has_all_indexes(entry))
            if marker in cluster.aliases(target.database):
                cluster.drop_alias(target.database, marker)
        # Last, for a retry could not tell again the password of a user that an earlier try has made.
        passwords, notes_of_access = restore_access(cluster, manifest) if plan.with_access else ({}, [])
    lacking = [f"{exclusion.what} not restored: {exclusion.why}" for exclusion in manifest.exclusions]
    return RestoreReport(tuple(restored), (*lacking, *notes_of_databases, *notes_of_access), passwords)


def discard_unfinished(plan: RestorePlan, *, endpoint: ClusterEndpoint) -> tuple[CollectionRef, ...]:
    """Drop what this restore was still writing when it was given up; returns it. Finished collections stay.

    Needs `plan.collections`. ClusterError when the cluster does not let go of it.
    """
    dropped = []
    with Cluster(endpoint) as cluster:
        for mapping in plan.collections or ():
            staging = CollectionRef(mapping.target.database, _staging_name(plan, mapping.target))
            if staging.database in cluster.databases() and cluster.has_collection(staging):
                cluster.drop(staging)
                dropped.append(staging)
    return tuple(dropped)


@dataclass(slots=True)
class _Meter:
    on_progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    total_bytes: int
    done_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        self.done_bytes += size_bytes
        self.on_progress(Progress(self.done_bytes, self.total_bytes))


def _chosen(plan: RestorePlan, manifest: Manifest) -> list[tuple[CollectionEntry, CollectionRef]]:
    entries = {CollectionRef(entry.database, entry.name): entry for entry in manifest.collections}
    if plan.collections is None:
        return [(entry, ref) for ref, entry in entries.items()]
    chosen, targets = [], set()
    for mapping in plan.collections:
        if mapping.source not in entries:
            raise CollectionMissing(
                f"Backup {plan.backup_id} holds no collection {mapping.source}. Choose one it holds."
            )
        if mapping.target in targets:
            raise CollectionExists(f"Two collections would be restored as {mapping.target}. Give them different names.")
        targets.add(mapping.target)
        chosen.append((entries[mapping.source], mapping.target))
    if not chosen:
        raise CollectionMissing("The restore names no collection. Choose at least one.")
    return chosen


def _finished(
    cluster: Cluster, chosen: list[tuple[CollectionEntry, CollectionRef]], markers: list[str]
) -> set[CollectionRef]:
    """Targets that an earlier try of this restore has completed; CollectionExists for any other that is there.

    An alias is the mark because it stays with its collection through a rename, on every server.
    """
    databases = cluster.databases()
    finished = set()
    for (_, target), marker in zip(chosen, markers, strict=True):
        if target.database not in databases:
            continue
        aliases = cluster.aliases(target.database)
        if aliases.get(marker) == target.name:
            finished.add(target)
        elif cluster.has_collection(target) or target.name in aliases:
            raise CollectionExists(
                f"The cluster already has a collection or alias {target}. Restore under another name, or drop it first."
            )
    return finished


def _restore_collection(
    cluster: Cluster,
    plan: RestorePlan,
    store: ObjectStore,
    entry: CollectionEntry,
    target: CollectionRef,
    marker: str,
    meter: _Meter,
) -> list[str]:
    """Write under a staging name, count, then rename: nobody ever sees half of it under its name."""
    shards, lowered = lowered_shards(entry.shards, plan.cu_size)
    notes = [f"{target.name}: {lowered}"] if lowered else []
    properties, _ = without_excluded(target, entry.properties)
    schema, changed = fitted(target, entry.schema, version=cluster.info.version, is_lite=cluster.info.is_lite)
    staging = CollectionRef(target.database, _staging_name(plan, target))
    cluster.drop(staging)
    cluster.create(
        staging,
        schema,
        shards=shards,
        consistency_level=entry.consistency_level,
        properties=properties,
        partition_count=len([name for name in entry.partitions if name != DEFAULT_PARTITION])
        if schema.has_partition_key
        else None,
    )
    made = cluster.describe(staging)
    notes += changed + schema_differences(target.name, schema, made.schema)
    notes += setting_differences(
        target.name,
        {"shard count": shards, "consistency level": entry.consistency_level, **properties},
        {"shard count": made.shards, "consistency level": made.consistency_level, **made.properties},
    )
    if not entry.schema.has_partition_key:
        for partition in entry.partitions:
            if partition != DEFAULT_PARTITION:
                cluster.create_partition(staging, partition)
    writer = BatchWriter(cluster, staging, entry.schema)
    for packed, finished_bytes in one_ahead(_packed(plan, store, entry, writer)):
        stop_if_asked(meter.should_stop)
        writer.send(packed)
        meter.add(finished_bytes)
    cluster.flush(staging)
    for index in entry.indexes:
        cluster.create_index(staging, index)
    made = cluster.describe(staging)
    notes += index_differences(target.name, entry.indexes, made.indexes)
    counted = _counted(cluster, plan, entry, staging, made)
    if counted != entry.row_count:
        raise RowsLost(
            f"After restoring {target}, the cluster counts {counted} rows instead of {entry.row_count}. "
            "Run the restore again."
        )
    stop_if_asked(meter.should_stop)
    cluster.create_alias(staging, marker)
    cluster.rename(staging, target.name)
    return notes + _restore_aliases(cluster, entry, target)


def _counted(
    cluster: Cluster, plan: RestorePlan, entry: CollectionEntry, staging: CollectionRef, made: Description
) -> int:
    """Rows the server has. What will not be loaded may not fit into its memory, so there its files are counted."""
    stays_released = not (plan.load and entry.is_loaded)
    if stays_released and not cluster.info.is_lite:
        flushed = cluster.flushed_count(staging)
        if flushed == entry.row_count:
            return flushed
    with readable(cluster, staging, made, stays_loaded=True):
        return cluster.count(staging)


def _packed(
    plan: RestorePlan, store: ObjectStore, entry: CollectionEntry, writer: BatchWriter
) -> Iterator[tuple[Any, int]]:
    """What `writer` sends, and with the last batch of a chunk the stored bytes that are then done."""
    for chunk, table in zip(entry.chunks, one_ahead(_tables(plan, store, entry)), strict=True):
        for start in range(0, table.num_rows, writer.batch_rows):
            batch = table.slice(start, writer.batch_rows)
            is_last = start + batch.num_rows == table.num_rows
            yield writer.pack(batch, chunk.partition), chunk.size_bytes if is_last else 0


def _tables(plan: RestorePlan, store: ObjectStore, entry: CollectionEntry) -> Iterator[Any]:
    """The rows of each chunk; not a byte of it is parsed before its digest was compared."""
    for chunk in entry.chunks:
        key = layout.chunk_key(plan.cluster_id, chunk.sha256)
        try:
            data = store.read_bytes(key)
        except ObjectMissing as error:
            raise _damaged(store, plan, key, "is missing") from error
        if hashlib.sha256(data).hexdigest() != chunk.sha256:
            raise _damaged(store, plan, key, "does not match its SHA-256")
        yield chunks.from_parquet(data, entry.schema, source=key)


def _damaged(store: ObjectStore, plan: RestorePlan, key: str, what: str) -> BackupDamaged:
    return BackupDamaged(
        f"In {store.name}, the object {key} of backup {plan.backup_id} {what}. Restore from another copy.", (key,)
    )


def _restore_aliases(cluster: Cluster, entry: CollectionEntry, target: CollectionRef) -> list[str]:
    taken = cluster.aliases(target.database).keys() | {
        ref.name for ref in cluster.collections() if ref.database == target.database
    }
    notes = []
    for alias in entry.aliases:
        if alias in taken:
            notes.append(f"{target.name}: the alias {alias} is taken and was not moved")
        else:
            cluster.create_alias(target, alias)
    return notes


def _settle(
    cluster: Cluster, plan: RestorePlan, entry: CollectionEntry, target: CollectionRef, *, has_index: bool
) -> None:
    """Give the collection its load state. A server loads nothing that lacks an index, and then it was not loaded."""
    should_be_loaded = plan.load and entry.is_loaded and has_index
    is_loaded = cluster.is_loaded(target)
    if should_be_loaded and not is_loaded:
        cluster.load(target)
    elif is_loaded and not should_be_loaded:
        cluster.release(target)
    if should_be_loaded and entry.loaded_partitions and not cluster.info.is_lite:  # which has no such state
        cluster.release_partitions(target, sorted(set(entry.partitions) - set(entry.loaded_partitions)))


def _has_all_indexes(entry: CollectionEntry) -> bool:
    indexed = {index.field for index in entry.indexes}
    return all(field.name in indexed for field in entry.schema.fields if is_vector(field.type))


def _restore_databases(
    cluster: Cluster, manifest: Manifest, chosen: list[tuple[CollectionEntry, CollectionRef]], *, is_whole: bool
) -> list[str]:
    """Make the databases that are needed; those that are there stay as they are."""
    stored = {entry.name: entry.properties for entry in manifest.databases}
    there = cluster.databases()
    notes = []
    for name in sorted({target.database for _, target in chosen} | (stored.keys() if is_whole else set())):
        if name not in there:
            cluster.create_database(name, stored.get(name, {}))
        if name in stored:
            made = cluster.database_properties(name) or {}
            notes += setting_differences(f"database {name}", stored[name], made)
    return notes


def _auto_id_notes(entry: CollectionEntry, target: CollectionRef) -> list[str]:
    """Milvus Lite counts rows to make new keys, so after restoring keys with gaps it would hand out taken ones."""
    if not entry.schema.primary.auto_id or not entry.chunks:
        return []
    highest = max((chunk.last_key for chunk in entry.chunks), key=key_order)
    if not isinstance(highest, int) or highest <= entry.row_count:
        return []
    return [
        f"{target.name}: restored keys go up to {highest}, but this server gives new rows keys "
        f"from {entry.row_count + 1} on, so new rows may replace restored ones; insert with keys of your own"
    ]


def _attempt(plan: RestorePlan) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", plan.attempt_id) or "0"


def _staging_name(plan: RestorePlan, target: CollectionRef) -> str:
    ending = f"__restoring_{_attempt(plan)}"
    return target.name[: MAX_NAME_LENGTH - len(ending)] + ending


def _marker(plan: RestorePlan, number: int) -> str:
    return f"restored_by_{_attempt(plan)}_{number}"
