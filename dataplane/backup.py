"""Taking a backup: from a cluster to chunks in the store of its region."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import Any

from dataplane import chunks, layout
from dataplane.access import Access, read_access
from dataplane.commit import commit, find_manifest, refuse_if_stale, stored_chunks
from dataplane.errors import CollectionMissing, NothingToBackUp, RowsLost
from dataplane.exclusions import MARKER, STAGING, always_excluded, without_excluded
from dataplane.loading import is_for_reading, readable
from dataplane.manifest import ChunkRef, CollectionEntry, DatabaseEntry, Exclusion, Key, Manifest, Schema
from dataplane.milvus import Cluster, ClusterEndpoint, CollectionRef
from dataplane.pages import PageReader, tables
from dataplane.pipeline import one_behind
from dataplane.progress import Progress as Progress
from dataplane.progress import stop_if_asked
from dataplane.stores.base import ObjectStore

POINT_IN_TIME = (
    "Each collection is read by itself, in key order, after a flush and between two counts with strong consistency. "
    "Every row that was there, unchanged, from the first count to the second is in the backup exactly once. "
    "Rows inserted, changed or deleted in between may be in it as they were before or after; "
    "no two collections are of the same moment. Stop writing during the backup to have a single moment."
)
"""What is true on every server: none that we can run gives a snapshot."""
RUNAWAY_ROWS = 100_000
"""A scan that has read twice the counted rows and this many more is chasing a writer it will not catch."""


@dataclass(frozen=True, slots=True)
class BackupPlan:
    backup_id: str
    cluster_id: str
    cluster_name: str
    region: str
    collections: tuple[CollectionRef, ...] | None
    """None for the whole cluster."""
    fence: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BackupReport:
    manifest: Manifest
    size_bytes: int
    """Of the backup's chunks in the store."""
    row_count: int
    sent_bytes: int
    """Of chunks that were not in the store yet."""
    skipped_bytes: int
    """Of chunks an earlier backup, or an earlier attempt, had stored already."""


def take_backup(
    plan: BackupPlan,
    *,
    endpoint: ClusterEndpoint,
    store: ObjectStore,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    may_commit: Callable[[], None],
) -> BackupReport:
    """Store every row of the plan's collections, then the manifest, always last: no manifest, no backup.

    Safe to run again after any failure; chunks already stored are not sent again. `may_commit()` is called right
    before the manifest is written and raises if the caller has lost its lease.
    """
    refuse_if_stale(store, plan.fence, find_manifest(store, plan.cluster_id, plan.backup_id))
    upload = _Upload(store, plan.cluster_id, stored_chunks(store, plan.cluster_id))
    with Cluster(endpoint) as cluster:
        server = cluster.info
        refs, exclusions = _chosen(plan, cluster)
        databases, notes = _databases(plan, cluster, refs)
        access = read_access(cluster) if plan.collections is None else Access((), (), ())
        meter = _Meter(on_progress, should_stop, sum(cluster.collection_info(ref).estimated_bytes for ref in refs))
        entries = []
        cluster.flush(*refs)
        for ref in refs:
            entry, left_out = _back_up_collection(cluster, ref, upload, meter, is_lite=server.is_lite)
            entries.append(entry)
            exclusions += left_out
    manifest = Manifest(
        backup_id=plan.backup_id,
        cluster_id=plan.cluster_id,
        cluster_name=plan.cluster_name,
        region=plan.region,
        created_at=plan.created_at,
        fence=plan.fence,
        collections=tuple(entries),
        exclusions=(*always_excluded(), *exclusions),
        notes=(*notes, *access.notes),
        software=_software(server.version, is_lite=server.is_lite),
        lineage=(),
        point_in_time=POINT_IN_TIME,
        databases=databases,
        users=access.users,
        roles=access.roles,
        privilege_groups=access.privilege_groups,
    )
    stop_if_asked(should_stop)
    commit(store, manifest, may_commit=may_commit)
    meter.finish()
    return BackupReport(
        manifest=manifest,
        size_bytes=manifest.size_bytes,
        row_count=manifest.row_count,
        sent_bytes=upload.sent_bytes,
        skipped_bytes=upload.skipped_bytes,
    )


@dataclass(slots=True)
class _Meter:
    """Raw bytes read so far against the estimate."""

    on_progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    estimated_bytes: int
    done_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        self.done_bytes += size_bytes
        self.on_progress(Progress(self.done_bytes, max(self.done_bytes, self.estimated_bytes)))

    def finish(self) -> None:
        self.on_progress(Progress(self.done_bytes, self.done_bytes))


@dataclass(frozen=True, slots=True)
class _Piece:
    """The rows of one chunk to be."""

    partition: str
    table: Any
    raw_bytes: int


@dataclass(slots=True)
class _Upload:
    """Stores chunks under their digest, each once."""

    store: ObjectStore
    cluster_id: str
    present: dict[str, int]
    sent_bytes: int = 0
    skipped_bytes: int = 0
    _counted: set[str] = field(default_factory=set)

    def store_piece(self, piece: _Piece, *, schema: Schema) -> tuple[ChunkRef, int]:
        """The chunk that `piece` has become, and how many raw bytes are so done."""
        data = chunks.to_parquet(piece.table, schema)
        keys = piece.table.column(schema.primary.name)
        chunk = ChunkRef(
            sha256=self.put(data),
            size_bytes=len(data),
            row_count=piece.table.num_rows,
            partition=piece.partition,
            first_key=keys[0].as_py(),
            last_key=keys[-1].as_py(),
        )
        return chunk, piece.raw_bytes

    def put(self, data: bytes) -> str:
        """The digest of `data`, which is in the store on return."""
        sha256 = hashlib.sha256(data).hexdigest()
        key = layout.chunk_key(self.cluster_id, sha256)
        if key in self._counted:
            return sha256
        self._counted.add(key)
        if self.present.get(key) == len(data):
            self.skipped_bytes += len(data)
        else:
            self.store.write(key, data)
            self.sent_bytes += len(data)
        return sha256


def _chosen(plan: BackupPlan, cluster: Cluster) -> tuple[list[CollectionRef], list[Exclusion]]:
    there = cluster.collections()
    unfinished = [ref for ref in there if STAGING.search(ref.name)]
    if plan.collections is None:
        refs = [ref for ref in there if ref not in unfinished]
        exclusions = [Exclusion(str(ref), "a restore has not finished writing it") for ref in unfinished]
    else:
        refs, exclusions = sorted(set(plan.collections)), []
    if not refs:
        raise NothingToBackUp(
            f"The backup of {plan.cluster_name} names no collection. Choose at least one, or create one in the cluster."
        )
    for ref in refs:
        if ref not in there:
            raise CollectionMissing(f"{cluster.address} has no collection {ref}. Choose one that exists.")
    return refs, exclusions


def _databases(
    plan: BackupPlan, cluster: Cluster, refs: list[CollectionRef]
) -> tuple[tuple[DatabaseEntry, ...], list[str]]:
    """Those of the chosen collections; all, also empty ones, for a whole cluster."""
    names = cluster.databases() if plan.collections is None else sorted({ref.database for ref in refs})
    entries, untold = [], []
    for name in names:
        properties = cluster.database_properties(name)
        if properties is None:
            untold.append(name)
        kept, _ = without_excluded(name, properties or {})
        entries.append(DatabaseEntry(name, kept))
    notes = [f"this server does not tell the properties of its databases: {', '.join(untold)}"] if untold else []
    return tuple(entries), notes


def _back_up_collection(
    cluster: Cluster, ref: CollectionRef, upload: _Upload, meter: _Meter, *, is_lite: bool
) -> tuple[CollectionEntry, list[Exclusion]]:
    described = cluster.describe(ref)
    properties, exclusions = without_excluded(ref, described.properties)
    schema = described.schema
    notes: list[str] = []
    stored: list[ChunkRef] = []
    with readable(cluster, ref, described):
        before = cluster.count(ref)
        scan = _Scan(ref, meter, at_most=2 * before + RUNAWAY_ROWS)
        reader = PageReader(cluster, ref, schema)
        after = before

        def pieces() -> Iterator[_Piece]:
            nonlocal after
            # With a partition key the server alone decides where a row goes, so partitions are not a unit to keep.
            for partition in ("",) if schema.has_partition_key else described.partitions:
                pages = scan.counted(tables(reader, partition, before_each=scan.stop_if_asked))
                for table, raw_bytes in chunks.split(pages, schema, chunks.Cutter()):
                    yield _Piece(partition, table, raw_bytes)
            after = cluster.count(
                ref
            )  # here, for a server thinks a tenth of a second, and the last chunk needs storing

        with closing(one_behind(pieces(), partial(upload.store_piece, schema=schema))) as storing:
            for chunk, raw_bytes in storing:
                stored.append(chunk)
                meter.add(raw_bytes)
    read = sum(chunk.row_count for chunk in stored)
    if note := count_note(ref, before=before, read=read, after=after):
        notes.append(note)
    if is_lite:
        notes += [
            f"{ref}: {entry.name} may hold NULL vectors, which this server returns as zeros"
            for entry in schema.fields
            if entry.type == "FLOAT_VECTOR" and entry.is_nullable
        ]
    entry = CollectionEntry(
        database=ref.database,
        name=ref.name,
        schema=schema,
        indexes=tuple(index for index in described.indexes if not is_for_reading(index)),
        partitions=described.partitions,
        aliases=tuple(alias for alias in described.aliases if not MARKER.search(alias)),
        shards=described.shards,
        consistency_level=described.consistency_level,
        properties=properties,
        is_loaded=described.is_loaded,
        row_count=read,
        chunks=tuple(stored),
        notes=tuple(notes),
        loaded_partitions=described.loaded_partitions,
    )
    return entry, exclusions


@dataclass(slots=True)
class _Scan:
    """The pages of one collection on their way, until somebody stops it or it turns out endless."""

    ref: CollectionRef
    meter: _Meter
    at_most: int
    read: int = 0

    def stop_if_asked(self) -> None:
        stop_if_asked(self.meter.should_stop)

    def counted(self, pages: Iterator[Any]) -> Iterator[Any]:
        for page in pages:
            self.read += page.num_rows
            if self.read > self.at_most:
                raise RowsLost(
                    f"Rows are written to {self.ref} faster than they can be read. Run the backup at a quieter time."
                )
            yield page


def count_note(ref: CollectionRef, *, before: int, read: int, after: int) -> str | None:
    """Compare a scan with the strong counts around it: nothing to say, a note, or RowsLost.

    Only a count that moved explains a scan that differs, and only within the distance it moved.
    """
    if before == read == after:
        return None
    if before != after and min(before, after) <= read <= max(before, after):
        return f"{ref}: rows changed during the backup ({before} before, {after} after, {read} stored)"
    raise RowsLost(
        f"The scan of {ref} returned {read} rows where the cluster counted {before} before and {after} after. "
        "Nothing was committed; run the backup again, at a quieter time if rows are being written."
    )


def key_order(key: Key) -> tuple[int, bytes]:
    """Sorts as Milvus does: numbers by value, text by its UTF-8 bytes."""
    return (key, b"") if isinstance(key, int) else (0, key.encode())


def _software(server_version: str, *, is_lite: bool) -> Mapping[str, str]:
    """Chunks are the same bytes only for the same pyarrow, so the manifest says which one wrote them."""
    return {
        "server": f"Milvus Lite {server_version}" if is_lite else f"Milvus {server_version}",
        "pyarrow": version("pyarrow"),
        "pymilvus": version("pymilvus"),
    }
