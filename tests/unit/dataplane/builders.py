"""Backups built by hand: real manifests over small made-up chunks."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from dataplane import layout
from dataplane.commit import commit
from dataplane.manifest import ChunkRef, CollectionEntry, FieldEntry, Manifest, Schema
from dataplane.progress import Progress
from dataplane.stores.base import ObjectStore

CLUSTER = "in01-abc"


def never() -> bool:
    return False


def always_allowed() -> None:
    """The lease is held."""


def ignore(progress: Progress) -> None:
    """Nobody watches."""


def make_field(name: str = "id", type_name: str = "INT64", **changes: object) -> FieldEntry:
    values: dict[str, object] = {
        "name": name, "type": type_name, "element_type": "", "description": "", "is_primary": name == "id",
        "auto_id": False, "is_nullable": False, "is_partition_key": False, "params": {}, "default": None,
    }  # fmt: skip
    return FieldEntry(**(values | changes))  # type: ignore[arg-type]


def make_schema(*fields: FieldEntry, has_dynamic_field: bool = False) -> Schema:
    return Schema(description="", has_dynamic_field=has_dynamic_field, fields=(make_field(), *fields))


def make_chunk(content: bytes, *, row_count: int = 1, partition: str = "_default") -> ChunkRef:
    return ChunkRef(hashlib.sha256(content).hexdigest(), len(content), row_count, partition, 1, row_count)


def make_entry(chunks: Sequence[ChunkRef] = (), *, name: str = "docs", shards: int = 1) -> CollectionEntry:
    return CollectionEntry(
        database="default",
        name=name,
        schema=make_schema(),
        indexes=(),
        partitions=("_default",),
        aliases=(),
        shards=shards,
        consistency_level="Strong",
        properties={},
        is_loaded=True,
        row_count=sum(chunk.row_count for chunk in chunks),
        chunks=tuple(chunks),
        notes=(),
    )


def make_manifest(*entries: CollectionEntry, backup_id: str = "backup-1", fence: int = 1) -> Manifest:
    return Manifest(
        backup_id=backup_id,
        cluster_id=CLUSTER,
        cluster_name="Search",
        region="gcp-us-west1",
        created_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        fence=fence,
        collections=entries,
        exclusions=(),
        notes=(),
        software={},
        lineage=(),
    )


def store_backup(
    store: ObjectStore, contents: Sequence[bytes], *, backup_id: str = "backup-1", fence: int = 1
) -> Manifest:
    """A committed backup whose chunks are exactly `contents`."""
    chunks = [make_chunk(content) for content in contents]
    for chunk, content in zip(chunks, contents, strict=True):
        store.write(layout.chunk_key(CLUSTER, chunk.sha256), content)
    manifest = make_manifest(make_entry(chunks), backup_id=backup_id, fence=fence)
    commit(store, manifest, may_commit=always_allowed)
    return manifest


def chunk_keys(manifest: Manifest) -> list[str]:
    return [layout.chunk_key(CLUSTER, chunk.sha256) for chunk in manifest.chunks]


def all_keys(store: ObjectStore) -> list[str]:
    return [info.key for info in store.list("")]
