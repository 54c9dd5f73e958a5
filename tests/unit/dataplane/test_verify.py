import pytest

from dataplane import layout
from dataplane.errors import Stopped, StoreUnreachable
from dataplane.manifest import Manifest
from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.memory import MemoryStore
from dataplane.verify import VerifyReport, verify_backup
from tests.unit.dataplane.builders import CLUSTER, chunk_keys, ignore, never, store_backup

CONTENTS = [bytes([number]) * 100 for number in range(10)]
MANIFEST = layout.manifest_key(CLUSTER, "backup-1")


def verify(store: ObjectStore) -> VerifyReport:
    return verify_backup(cluster_id=CLUSTER, backup_id="backup-1", store=store, on_progress=ignore, should_stop=never)


def stored() -> tuple[MemoryStore, Manifest]:
    store = MemoryStore()
    return store, store_backup(store, CONTENTS)


def test_a_sound_backup_is_read_back_in_full() -> None:
    store, _ = stored()
    report = verify(store)
    assert report == VerifyReport(checked_count=11, checked_bytes=1000, damaged=(), missing=())
    assert report.is_sound


@pytest.mark.parametrize("bit", [0, 399, 799])
def test_one_flipped_bit_in_any_place_is_found_and_named(bit: int) -> None:
    store, manifest = stored()
    key = chunk_keys(manifest)[4]
    content = bytearray(store.read_bytes(key))
    content[bit // 8] ^= 1 << bit % 8
    store.write(key, bytes(content))
    report = verify(store)
    assert (report.damaged, report.missing, report.is_sound) == ((key,), (), False)


def test_missing_and_shortened_chunks_are_told_apart() -> None:
    store, manifest = stored()
    gone, short = chunk_keys(manifest)[2:4]
    store.delete(gone)
    store.write(short, store.read_bytes(short)[:-1])
    report = verify(store)
    assert (report.missing, report.damaged) == ((gone,), (short,))


def test_a_missing_manifest_is_named() -> None:
    store, _ = stored()
    store.delete(MANIFEST)
    assert verify(store).missing == (MANIFEST,)


def test_a_manifest_that_was_changed_is_damaged() -> None:
    store, _ = stored()
    store.write(MANIFEST, store.read_bytes(MANIFEST).replace(b'"Search"', b'"Other!"'))
    assert verify(store).damaged == (MANIFEST,)


@pytest.mark.parametrize("number", [1, 2, 11])
def test_a_store_that_fails_proves_nothing(number: int) -> None:
    store, _ = stored()
    with pytest.raises(StoreUnreachable):
        verify(FaultyStore(store, lambda verb, key, called: verb == "read" and called >= number))


def test_a_check_stops_when_asked() -> None:
    store, _ = stored()
    with pytest.raises(Stopped):
        verify_backup(
            cluster_id=CLUSTER, backup_id="backup-1", store=store, on_progress=ignore, should_stop=lambda: True
        )
