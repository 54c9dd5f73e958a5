from dataclasses import replace
from pathlib import Path

import pytest

from dataplane import layout
from dataplane.commit import commit
from dataplane.errors import Stopped, StoreUnreachable
from dataplane.manifest import Manifest, to_json
from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import FaultyStore, flip_bit, truncate
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from dataplane.verify import AffectedRows, CheckDepth, VerifyReport, verify_backup
from tests.unit.dataplane.builders import (
    CLUSTER,
    always_allowed,
    chunk_keys,
    ignore,
    make_chunk,
    make_entry,
    make_manifest,
    never,
    store_backup,
)

CONTENTS = [bytes([number]) * 100 for number in range(10)]
MANIFEST = layout.manifest_key(CLUSTER, "backup-1")


def verify(store: ObjectStore, depth: CheckDepth = CheckDepth.FULL) -> VerifyReport:
    return verify_backup(
        cluster_id=CLUSTER, backup_id="backup-1", store=store, on_progress=ignore, should_stop=never, depth=depth
    )


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


def test_the_report_tells_which_collections_lose_how_many_rows() -> None:
    """A chunk that two collections share costs both; one that a collection uses twice costs it twice."""
    shared, own, good = (make_chunk(content, row_count=rows) for content, rows in ((b"a", 3), (b"b", 5), (b"c", 7)))
    store = MemoryStore()
    for content in (b"a", b"b", b"c"):
        store.write(layout.chunk_key(CLUSTER, make_chunk(content).sha256), content)
    entries = [
        make_entry([shared, own, shared], name="docs"),
        make_entry([shared, good], name="images"),
        make_entry([good], name="songs"),
    ]
    commit(store, make_manifest(*entries), may_commit=always_allowed)
    store.delete(layout.chunk_key(CLUSTER, shared.sha256))
    flip_bit(store, layout.chunk_key(CLUSTER, own.sha256), 3)
    assert verify(store).affected == (
        AffectedRows("default", "docs", row_count=11, of_row_count=11),
        AffectedRows("default", "images", row_count=3, of_row_count=10),
    )


def test_a_chunk_whose_size_is_not_the_manifests_is_damaged_though_its_digest_is_right() -> None:
    store, manifest = stored()
    chunk = replace(manifest.chunks[0], size_bytes=99)
    entry = replace(manifest.collections[0], chunks=(chunk, *manifest.chunks[1:]))
    store.write(MANIFEST, to_json(replace(manifest, collections=(entry,))))
    assert verify(store).damaged == (chunk_keys(manifest)[0],)
    assert verify(store, CheckDepth.QUICK).damaged == (chunk_keys(manifest)[0],)


def test_a_quick_check_reads_no_chunk_and_finds_what_a_listing_shows(tmp_path: Path) -> None:
    folder = LocalStore(tmp_path)
    manifest = store_backup(folder, CONTENTS)
    flipped, gone, short = chunk_keys(manifest)[2:5]
    folder.delete(gone)
    truncate(folder, short, 10)
    flip_bit(folder, flipped, 0)
    store = FaultyStore(folder)
    report = verify(store, CheckDepth.QUICK)
    # A folder keeps no digests: what has its size passes a quick check, and only a full one finds it.
    assert (report.damaged, report.missing, report.checked_bytes) == ((short,), (gone,), 0)
    assert store.calls == [("read", MANIFEST), ("list", layout.chunks_prefix(CLUSTER))]
    assert verify(store).damaged == tuple(sorted([flipped, short]))


def test_a_quick_check_uses_the_digests_that_a_store_keeps() -> None:
    store, manifest = stored()
    flip_bit(store, chunk_keys(manifest)[2], 0)
    assert verify(store, CheckDepth.QUICK).damaged == (chunk_keys(manifest)[2],)


def test_a_listing_that_fails_proves_nothing() -> None:
    store, _ = stored()
    with pytest.raises(StoreUnreachable):
        verify(FaultyStore(store, lambda verb, key, number: verb == "list"), CheckDepth.QUICK)


@pytest.mark.parametrize("depth", list(CheckDepth))
def test_the_report_says_how_deep_it_looked(depth: CheckDepth) -> None:
    store, _ = stored()
    assert verify(store, depth).depth is depth
    store.delete(MANIFEST)
    assert verify(store, depth).depth is depth
