"""A backup of made-up chunks, and one copy of it as the product makes it."""

from random import Random

from benchmarks.measure import Load
from dataplane import layout
from dataplane.commit import commit
from dataplane.copy import CopyPlan, copy_backup
from dataplane.stores.base import ObjectStore
from dataplane.verify import verify_backup
from tests.unit.dataplane.builders import (
    CLUSTER,
    always_allowed,
    ignore,
    make_chunk,
    make_entry,
    make_manifest,
    never,
)


def store_backup(store: ObjectStore, load: Load) -> None:
    """A committed backup. No two chunks are alike and none can be compressed, but all share most of their bytes."""
    common = Random(load.object_bytes).randbytes(load.object_bytes - 8)
    chunks = []
    for number in range(load.object_count):
        data = number.to_bytes(8) + common
        chunk = make_chunk(data)
        store.write(layout.chunk_key(CLUSTER, chunk.sha256), data)
        chunks.append(chunk)
    commit(store, make_manifest(make_entry(chunks)), may_commit=always_allowed)


def copy(source: ObjectStore, target: ObjectStore) -> None:
    """Copy the whole backup into a store that has none of it."""
    plan = CopyPlan(CLUSTER, "backup-1", "gcp-us-west1", "gcp-europe-west3", fence=1)
    report = copy_backup(
        plan, source=source, target=target, on_progress=ignore, should_stop=never, may_commit=always_allowed
    )
    if report.sent_bytes != report.size_bytes:
        raise AssertionError("The target was not empty: nothing was measured.")


def read_back(store: ObjectStore) -> None:
    """Read every byte of the copy again and compare, as the product does before a copy is available."""
    report = verify_backup(cluster_id=CLUSTER, backup_id="backup-1", store=store, on_progress=ignore, should_stop=never)
    if not report.is_sound:
        raise AssertionError("The copy is not sound: nothing was measured.")
