"""A small world of three regions to damage, and what an honest restore would get out of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import pyarrow as pa

from dataplane import chunks, layout
from dataplane.commit import commit, read_manifest
from dataplane.copy import CopyPlan, copy_backup
from dataplane.errors import DataPlaneError
from dataplane.manifest import ChunkRef, CollectionEntry, Manifest, from_json
from dataplane.stores.base import ObjectStore
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.builders import (
    CLUSTER,
    always_allowed,
    ignore,
    make_entry,
    make_field,
    make_manifest,
    make_schema,
    never,
)

ORIGIN, NEAR, FAR = "gcp-us-west1", "gcp-europe-west3", "gcp-europe-west4"
BACKUPS = ("one", "two")
SCHEMA = make_schema(make_field("title", "VARCHAR"), make_field("vector", "FLOAT_VECTOR", params={"dim": 4}))

Snapshot = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class World:
    """What each region holds: the backups `one` and `two`, which share the rows of their first chunk."""

    origin: Snapshot
    near: Snapshot
    far: Snapshot


def snapshot(store: ObjectStore) -> Snapshot:
    return MappingProxyType({info.key: store.read_bytes(info.key) for info in store.list("")})


def filled(objects: Snapshot, store: ObjectStore | None = None) -> ObjectStore:
    """`store`, else a new one in memory, holding `objects`."""
    store = store or MemoryStore()
    for key, data in objects.items():
        store.write(key, data)
    return store


def plan(target_region: str, backup_id: str = "one") -> CopyPlan:
    return CopyPlan(CLUSTER, backup_id, ORIGIN, target_region, fence=1)


def copy(source: ObjectStore, target: ObjectStore, copy_plan: CopyPlan) -> None:
    copy_backup(
        copy_plan, source=source, target=target, on_progress=ignore, should_stop=never, may_commit=always_allowed
    )


@cache
def world() -> World:
    origin, near, far = MemoryStore(), MemoryStore(), MemoryStore()
    pieces = [_store_rows(origin, first_key) for first_key in range(0, 60, 10)]
    # Two collections with a chunk in common, and two backups with another.
    contents = {"one": {"docs": pieces[:3], "images": pieces[2:4]}, "two": {"docs": [pieces[0], *pieces[4:]]}}
    for backup_id, collections in contents.items():
        entries = [_entry(name, refs) for name, refs in collections.items()]
        commit(origin, make_manifest(*entries, backup_id=backup_id), may_commit=always_allowed)
        copy(origin, near, plan(NEAR, backup_id))
        copy(origin, far, plan(FAR, backup_id))
    return World(snapshot(origin), snapshot(near), snapshot(far))


def _store_rows(store: ObjectStore, first_key: int) -> ChunkRef:
    keys = range(first_key, first_key + 10)
    rows = [{"id": key, "title": f"row {key}", "vector": [key / 7, 1.0, 2.0, 3.0]} for key in keys]
    data = chunks.to_parquet(chunks.to_table(rows, SCHEMA), SCHEMA)
    sha256 = hashlib.sha256(data).hexdigest()
    store.write(layout.chunk_key(CLUSTER, sha256), data)
    return ChunkRef(sha256, len(data), 10, "_default", keys[0], keys[-1])


def _entry(name: str, refs: list[ChunkRef]) -> CollectionEntry:
    return replace(make_entry(refs, name=name), schema=SCHEMA)


def chunk_keys_of(backup_id: str) -> list[str]:
    manifest = read_manifest(filled(world().origin), CLUSTER, backup_id)
    return [layout.chunk_key(CLUSTER, chunk.sha256) for chunk in manifest.chunks]


def restored(store: ObjectStore, backup_id: str) -> dict[str, pa.Table]:
    """The rows of every collection as a restore reads them; DataPlaneError or AssertionError when it cannot."""
    manifest = _manifest(store.read_bytes(layout.manifest_key(CLUSTER, backup_id)))
    assert (manifest.cluster_id, manifest.backup_id) == (CLUSTER, backup_id)
    tables = {}
    for entry in manifest.collections:
        pieces = []
        for chunk in entry.chunks:
            data = store.read_bytes(layout.chunk_key(CLUSTER, chunk.sha256))
            assert (len(data), hashlib.sha256(data).hexdigest()) == (chunk.size_bytes, chunk.sha256)
            assert entry.schema == SCHEMA
            pieces.append(_rows(data))
        tables[entry.name] = pa.concat_tables(pieces)
        assert tables[entry.name].num_rows == entry.row_count
    return tables


@cache
def _manifest(data: bytes) -> Manifest:
    return from_json(data)


@cache
def _rows(data: bytes) -> pa.Table:
    return chunks.from_parquet(data, SCHEMA, source="a chunk")


@cache
def rows_of(backup_id: str) -> dict[str, pa.Table]:
    return restored(filled(world().origin), backup_id)


def is_restorable(store: ObjectStore, backup_id: str) -> bool:
    """Whether a restore would give back exactly the rows that were backed up."""
    try:
        return restored(store, backup_id) == rows_of(backup_id)
    except (DataPlaneError, AssertionError):
        return False
