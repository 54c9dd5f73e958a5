import pytest

from dataplane import layout
from dataplane.delete import delete_backup
from dataplane.errors import ManifestInvalid, StoreFull, StoreUnreachable
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.builders import CLUSTER, all_keys, chunk_keys, store_backup


def two_backups() -> MemoryStore:
    """Sharing one chunk: `shared` is in both, `only one` and `only two` in one each."""
    store = MemoryStore()
    store_backup(store, [b"shared", b"only one"], backup_id="one")
    store_backup(store, [b"shared", b"only two"], backup_id="two")
    return store


def deleted(store: FaultyStore) -> list[str]:
    return [key for verb, key in store.calls if verb == "delete"]


def contents(store: MemoryStore) -> list[bytes]:
    return sorted(store.read_bytes(info.key) for info in store.list(layout.chunks_prefix(CLUSTER)))


def test_only_chunks_that_no_other_backup_needs_are_deleted() -> None:
    store = two_backups()
    report = delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    assert (report.object_count, report.freed_bytes, report.kept_chunks) == (3, 8, 1)
    assert contents(store) == [b"only two", b"shared"]
    assert not [key for key in all_keys(store) if "/one/" in key]


def test_the_last_backup_takes_everything_with_it() -> None:
    store = two_backups()
    for backup_id in ("one", "two"):
        delete_backup(cluster_id=CLUSTER, backup_id=backup_id, store=store)
    assert all_keys(store) == []


def test_other_clusters_are_not_touched() -> None:
    store = two_backups()
    store.write("clusters/in02-other/chunks/ab/" + "ab" * 32 + ".parquet", b"x")
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    delete_backup(cluster_id=CLUSTER, backup_id="two", store=store)
    assert all_keys(store) == ["clusters/in02-other/chunks/ab/" + "ab" * 32 + ".parquet"]


def test_chunks_of_a_backup_that_is_just_being_written_stay() -> None:
    store = two_backups()
    store.write(layout.chunk_key(CLUSTER, "cd" * 32), b"no manifest names it yet")
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    assert b"no manifest names it yet" in contents(store)


@pytest.mark.parametrize("number", [1, 2])
def test_a_listing_that_fails_deletes_nothing(number: int) -> None:
    store = two_backups()
    before = all_keys(store)
    faulty = FaultyStore(store, lambda verb, key, called: verb == "list" and called == number)
    with pytest.raises(StoreUnreachable):
        delete_backup(cluster_id=CLUSTER, backup_id="one", store=faulty)
    assert all_keys(store) == before
    assert deleted(faulty) == []


@pytest.mark.parametrize("backup_id", ["one", "two"])
def test_a_manifest_that_cannot_be_read_deletes_nothing(backup_id: str) -> None:
    store = two_backups()
    before = all_keys(store)
    unreadable = layout.manifest_key(CLUSTER, backup_id)
    with pytest.raises(StoreUnreachable):
        delete_backup(
            cluster_id=CLUSTER,
            backup_id="one",
            store=FaultyStore(store, lambda verb, key, called: verb == "read" and key == unreadable),
        )
    assert all_keys(store) == before


def test_a_damaged_manifest_of_another_backup_deletes_nothing() -> None:
    store = two_backups()
    store.write(layout.manifest_key(CLUSTER, "two"), b"{}")
    before = all_keys(store)
    with pytest.raises(ManifestInvalid):
        delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    assert all_keys(store) == before


def test_two_damaged_backups_do_not_keep_each_other_from_being_deleted() -> None:
    store = two_backups()
    for backup_id in ("one", "two"):
        store.write(layout.manifest_key(CLUSTER, backup_id), b"{}")
    for backup_id in ("one", "two"):
        delete_backup(cluster_id=CLUSTER, backup_id=backup_id, store=store)
    assert all_keys(store) == [info.key for info in store.list(layout.chunks_prefix(CLUSTER))]


def test_a_known_backup_without_a_manifest_keeps_chunks_it_may_share_from_being_deleted() -> None:
    store = two_backups()
    store.delete(layout.manifest_key(CLUSTER, "two"))
    before = all_keys(store)
    with pytest.raises(ManifestInvalid, match=layout.manifest_key(CLUSTER, "two")):
        delete_backup(cluster_id=CLUSTER, backup_id="one", store=store, known_backups=["one", "two"])
    assert all_keys(store) == before


def test_a_chunk_shared_by_a_backup_that_is_committed_meanwhile_stays() -> None:
    store = two_backups()

    def commit_third(verb: str, key: str, number: int) -> bool:
        if (verb, key) == ("delete", layout.manifest_key(CLUSTER, "one")):
            store_backup(store, [b"only one"], backup_id="three")
        return False

    delete_backup(cluster_id=CLUSTER, backup_id="one", store=FaultyStore(store, commit_third))
    assert contents(store) == [b"only one", b"only two", b"shared"]


def test_a_manifest_that_belongs_to_another_backup_takes_none_of_its_chunks_along() -> None:
    store = two_backups()
    of_two = store.read_bytes(layout.manifest_key(CLUSTER, "two"))
    store.write(layout.manifest_key(CLUSTER, "one"), of_two)
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    assert contents(store) == [b"only one", b"only two", b"shared"]


def test_a_backup_whose_own_manifest_is_damaged_can_be_deleted_and_leaves_its_chunks() -> None:
    store = two_backups()
    store.write(layout.manifest_key(CLUSTER, "one"), b"{}")
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    assert not [key for key in all_keys(store) if "/one/" in key]
    assert contents(store) == [b"only one", b"only two", b"shared"]


@pytest.mark.parametrize("call", range(1, 5))
def test_a_deletion_cut_short_is_finished_by_the_next(call: int) -> None:
    store = MemoryStore()
    manifest = store_backup(store, [b"a", b"b"], backup_id="one")
    assert len(chunk_keys(manifest)) == 2
    with pytest.raises(StoreUnreachable):
        delete_backup(
            cluster_id=CLUSTER,
            backup_id="one",
            store=FaultyStore(store, lambda verb, key, called: verb == "delete" and called == call),
        )
    assert all_keys(store) != []
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    assert all_keys(store) == []


def test_the_manifest_is_gone_for_good_before_the_first_chunk_goes() -> None:
    store = FaultyStore(two_backups(), lambda *_: False)
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=store)
    first, second = [place for place, (verb, _) in enumerate(store.calls) if verb == "delete"][:2]
    assert store.calls[first] == ("delete", layout.manifest_key(CLUSTER, "one"))
    assert store.calls[first + 1] == ("sync", "")
    assert "/chunks/" in store.calls[second][1]


def test_a_full_store_can_still_be_emptied() -> None:
    store = two_backups()
    full = FaultyStore(store, lambda verb, key, called: verb == "write", lambda: StoreFull("full"))
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=full)
    assert contents(store) == [b"only two", b"shared"]


def test_deleting_what_is_not_there_is_fine() -> None:
    assert delete_backup(cluster_id=CLUSTER, backup_id="none", store=MemoryStore()).object_count == 0
