"""The moment in which a manifest is published: a writer who comes too late publishes nothing."""

from __future__ import annotations

import pytest

from dataplane import layout
from dataplane.commit import commit
from dataplane.errors import StaleFence
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.builders import CLUSTER, always_allowed, make_chunk, make_entry, make_manifest, store_backup


class LeaseLost(Exception):
    pass


def lose_lease() -> None:
    raise LeaseLost


def prepared(store: MemoryStore, *, fence: int):
    """The manifest of an attempt whose one chunk lies in the store."""
    chunk = make_chunk(b"late")
    store.write(layout.chunk_key(CLUSTER, chunk.sha256), b"late")
    return make_manifest(make_entry([chunk]), fence=fence)


def test_a_stale_fence_publishes_no_manifest_even_when_nobody_says_that_its_lease_is_lost() -> None:
    store = MemoryStore()
    store_backup(store, [b"newer"], fence=2)
    key = layout.manifest_key(CLUSTER, "backup-1")
    before = store.read_bytes(key)
    with pytest.raises(StaleFence, match="attempt 1 comes too late"):
        commit(store, prepared(store, fence=1), may_commit=always_allowed)
    assert store.read_bytes(key) == before


def test_a_lost_lease_publishes_no_manifest_even_where_there_is_none_yet() -> None:
    store = MemoryStore()
    with pytest.raises(LeaseLost):
        commit(store, prepared(store, fence=1), may_commit=lose_lease)
    assert layout.manifest_key(CLUSTER, "backup-1") not in [info.key for info in store.list("")]
