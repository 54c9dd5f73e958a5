"""Which backups need what is harmed."""

from __future__ import annotations

import pytest

from dataplane import layout
from dataplane.errors import StoreUnreachable
from dataplane.needed import harmed_backups
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.builders import CLUSTER, chunk_keys, store_backup


def two_backups() -> tuple[MemoryStore, str, str]:
    """A store in which "one" and "two" share a chunk, with the keys of that and of a chunk of "one" alone."""
    store = MemoryStore()
    shared, alone = chunk_keys(store_backup(store, [b"shared", b"only one"], backup_id="one"))
    store_backup(store, [b"shared", b"only two"], backup_id="two")
    return store, shared, alone


def test_every_backup_that_needs_a_harmed_chunk_is_named_with_it() -> None:
    store, shared, alone = two_backups()
    found = harmed_backups(store, CLUSTER, ["one", "two"], harmed=[shared, alone, "another/key"])
    assert found == {"one": tuple(sorted([shared, alone])), "two": (shared,)}
    assert harmed_backups(store, CLUSTER, ["one", "two"], harmed=[alone]) == {"one": (alone,)}
    assert harmed_backups(store, CLUSTER, ["two"], harmed=[alone]) == {}


def test_a_backup_without_a_sound_manifest_is_harmed_itself() -> None:
    store, shared, _ = two_backups()
    store.write(layout.manifest_key(CLUSTER, "two"), b"{}")
    assert harmed_backups(store, CLUSTER, ["two", "three"], harmed=[shared]) == {
        "two": (layout.manifest_key(CLUSTER, "two"),),
        "three": (layout.manifest_key(CLUSTER, "three"),),
    }


def test_a_store_that_fails_is_an_error_and_proves_nothing() -> None:
    store, shared, _ = two_backups()
    faulty = FaultyStore(store, lambda verb, key, number: verb == "read")
    with pytest.raises(StoreUnreachable):
        harmed_backups(faulty, CLUSTER, ["one"], harmed=[shared])
