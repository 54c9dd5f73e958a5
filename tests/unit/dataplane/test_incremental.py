"""What a second backup and its copy send, with the real chunk code on chunks 1/256 of their size in production."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataplane import chunks, layout
from dataplane.chunks import MAX_CHUNK_BYTES, MEAN_BYTES_TO_CUT, MIN_CHUNK_BYTES, Cutter
from dataplane.commit import commit
from dataplane.copy import CopyPlan, CopyReport, copy_backup
from dataplane.manifest import ChunkRef
from dataplane.stores.base import ObjectStore
from dataplane.stores.local import LocalStore
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

SCALE = 256
ROWS = 60_000
ONE_PERCENT = ROWS // 100
DIMENSIONS = 32
SCHEMA = make_schema(make_field("vector", "FLOAT_VECTOR", params={"dim": DIMENSIONS}))

Vectors = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def rows(seed: int, count: int = ROWS) -> Vectors:
    return np.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=np.float32)


def back_up(store: ObjectStore, vectors: Vectors, *, backup_id: str) -> None:
    """Rows 0, 1, 2, ... cut, encoded, stored and committed as a backup does it."""
    cutter = Cutter(MIN_CHUNK_BYTES // SCALE, MAX_CHUNK_BYTES // SCALE, MEAN_BYTES_TO_CUT // SCALE)
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.ravel()), type=chunks.arrow_schema(SCHEMA).field("vector").type
    )
    table = pa.Table.from_arrays([pa.array(np.arange(len(vectors))), column], schema=chunks.arrow_schema(SCHEMA))
    pages = (table.slice(start, 5000) for start in range(0, table.num_rows, 5000))
    refs = []
    for piece, _ in chunks.split(pages, SCHEMA, cutter):
        data = chunks.to_parquet(piece, SCHEMA)
        keys = piece.column("id")
        sha256 = hashlib.sha256(data).hexdigest()
        store.write(layout.chunk_key(CLUSTER, sha256), data)
        refs.append(ChunkRef(sha256, len(data), piece.num_rows, "_default", keys[0].as_py(), keys[-1].as_py()))
    assert len(refs) > 100  # few chunks would make every share below a matter of luck
    entry = replace(make_entry(refs), schema=SCHEMA)
    commit(store, make_manifest(entry, backup_id=backup_id), may_commit=always_allowed)


def copy(source: ObjectStore, target: ObjectStore, backup_id: str) -> CopyReport:
    return copy_backup(
        CopyPlan(CLUSTER, backup_id, "gcp-us-west1", "gcp-europe-west3", fence=1),
        source=source,
        target=target,
        on_progress=ignore,
        should_stop=never,
        may_commit=always_allowed,
    )


def second_copy(changed: Vectors) -> CopyReport:
    """Of a cluster that held `rows(1)` at the first backup and holds `changed` at the second."""
    source, target = MemoryStore(), MemoryStore()
    back_up(source, rows(1), backup_id="first")
    copy(source, target, "first")
    back_up(source, changed, backup_id="second")
    return copy(source, target, "second")


def with_new_values(where: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Vectors:
    changed = rows(1)
    changed[where] = rows(2, len(where))
    return changed


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_second_copy_of_an_unchanged_cluster_sends_no_chunk(tmp_path: Path, on_disk: bool) -> None:
    source: ObjectStore = MemoryStore()
    target: ObjectStore = LocalStore(tmp_path) if on_disk else MemoryStore()
    back_up(source, rows(1), backup_id="first")
    first = copy(source, target, "first")
    back_up(source, rows(1), backup_id="second")
    second = copy(source, target, "second")
    assert (first.sent_bytes, first.skipped_bytes) == (first.size_bytes, 0)
    assert (second.sent_bytes, second.skipped_bytes) == (0, first.size_bytes)


def test_one_percent_of_rows_appended_sends_at_most_three_percent_of_the_bytes() -> None:
    report = second_copy(np.concatenate([rows(1), rows(2, ONE_PERCENT)]))
    assert 0.01 <= report.sent_bytes / report.size_bytes <= 0.03


@pytest.mark.parametrize("start", [0, ROWS // 3, ROWS - ONE_PERCENT])
def test_one_percent_of_rows_changed_in_one_key_range_sends_at_most_five_percent_of_the_bytes(start: int) -> None:
    report = second_copy(with_new_values(np.arange(start, start + ONE_PERCENT)))
    assert 0.009 <= report.sent_bytes / report.size_bytes <= 0.05


def test_one_percent_of_rows_changed_at_random_touches_nearly_every_chunk() -> None:
    """The limit is the chunk: of one with n rows, the chance that none changed is 0.99 ** n: here a few percent.

    In production a chunk holds far more rows, so a change spread over all keys costs a full copy, and is shown so.
    """
    report = second_copy(with_new_values(np.random.default_rng(3).choice(ROWS, ONE_PERCENT, replace=False)))
    assert report.sent_bytes / report.size_bytes > 0.9
    assert report.sent_bytes + report.skipped_bytes == report.size_bytes
