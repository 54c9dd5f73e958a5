"""The contract of an object store as a class of tests; subclasses bring a `store` fixture with an empty store."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dataplane.errors import ObjectMissing, StoreMisconfigured
from dataplane.stores.base import ObjectStore
from dataplane.stores.check import check_store


def sizes(store: ObjectStore) -> dict[str, int]:
    return {info.key: info.size_bytes for info in store.list("")}


class StoreContract:
    def test_what_was_written_is_read_back(self, store: ObjectStore) -> None:
        content = bytes(range(256)) * 20_000  # 5 MB: more than one piece
        written = store.write("a/b.bin", content)
        assert (written.key, written.size_bytes) == ("a/b.bin", len(content))
        assert store.read_bytes("a/b.bin") == content
        assert b"".join(store.read("a/b.bin")) == content

    def test_an_object_can_be_written_in_pieces(self, store: ObjectStore) -> None:
        assert store.write("pieces", iter([b"one", b"", b"two"])).size_bytes == 6
        assert store.read_bytes("pieces") == b"onetwo"

    def test_writing_again_replaces_the_object(self, store: ObjectStore) -> None:
        store.write("key", b"a longer first version")
        store.write("key", b"second")
        assert store.read_bytes("key") == b"second"
        assert sizes(store) == {"key": 6}

    def test_a_listing_is_sorted_and_holds_what_begins_with_the_prefix(self, store: ObjectStore) -> None:
        for key in ("b/2", "b/10", "b-c", "a", "b/1/x", "bb"):
            store.write(key, key.encode())
        assert [info.key for info in store.list("")] == ["a", "b-c", "b/1/x", "b/10", "b/2", "bb"]
        assert [info.key for info in store.list("b/")] == ["b/1/x", "b/10", "b/2"]
        assert [info.key for info in store.list("b/1")] == ["b/1/x", "b/10"]
        assert list(store.list("none/")) == []

    def test_a_listing_tells_when_each_object_was_last_written(self, store: ObjectStore) -> None:
        # Clocks of stores are coarse and not ours: within a minute is enough, for they are compared with days.
        began = datetime.now(UTC) - timedelta(minutes=1)
        store.write("key", b"x")
        (info,) = store.list("")
        assert info.modified_at is not None
        assert began <= info.modified_at <= datetime.now(UTC) + timedelta(minutes=1)

    def test_a_digest_in_a_listing_is_that_of_the_stored_bytes(self, store: ObjectStore) -> None:
        store.write("key", b"content")
        (info,) = store.list("")
        assert info.sha256 in (None, hashlib.sha256(b"content").hexdigest())

    def test_one_object_is_found_as_a_listing_tells_of_it(self, store: ObjectStore) -> None:
        store.write("folder/key", b"content")
        (listed,) = store.list("")
        found = store.find("folder/key")
        assert found is not None
        assert (found.key, found.size_bytes, found.sha256) == (listed.key, listed.size_bytes, listed.sha256)
        assert found.modified_at is not None
        assert listed.modified_at is not None
        assert abs(found.modified_at - listed.modified_at) < timedelta(seconds=1)  # a header tells whole seconds
        assert store.find("folder/none") is None
        assert store.find("none/key") is None
        assert store.find("folder") is None
        with pytest.raises(StoreMisconfigured, match="not allowed"):
            store.find("../up")

    def test_an_object_that_is_not_there_is_proven_missing(self, store: ObjectStore) -> None:
        store.write("folder/other", b"x")
        for read in (store.read_bytes, lambda key: list(store.read(key))):
            with pytest.raises(ObjectMissing, match="folder/none"):
                read("folder/none")

    def test_deleting_is_final_and_deleting_again_is_fine(self, store: ObjectStore) -> None:
        store.write("folder/key", b"x")
        store.delete("folder/key")
        store.delete("folder/key")
        store.delete("never/was")
        assert list(store.list("")) == []

    def test_a_write_that_breaks_off_leaves_no_trace(self, store: ObjectStore) -> None:
        def breaks_off() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError("the source went away")

        store.write("kept", b"before")
        for key in ("kept", "new"):
            with pytest.raises(RuntimeError, match="went away"):
                store.write(key, breaks_off())
        assert sizes(store) == {"kept": 6}
        assert store.read_bytes("kept") == b"before"

    def test_readers_see_the_old_or_the_new_object_and_nothing_between(self, store: ObjectStore) -> None:
        versions = [bytes([number]) * 200_000 for number in range(8)]
        store.write("key", versions[0])
        done = threading.Event()
        seen: list[bytes] = []

        def watch() -> None:
            while not done.is_set():
                seen.append(store.read_bytes("key"))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for version in versions:
            store.write("key", version)
        done.set()
        watcher.join()
        assert all(content in versions for content in seen)

    @pytest.mark.parametrize(
        "key", ["", "/absolute", "../up", "a/../../up", "a//b", "a/", "./a", "a\\b", "a\nb", "a\0b", "x" * 901]
    )
    def test_a_key_that_is_no_plain_name_is_refused(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(StoreMisconfigured, match="not allowed"):
            store.write(key, b"x")
        with pytest.raises(StoreMisconfigured, match="not allowed"):
            store.delete(key)
        with pytest.raises(StoreMisconfigured, match="not allowed"):
            store.read_bytes(key)

    def test_the_connection_test_passes_and_leaves_nothing_behind(self, store: ObjectStore) -> None:
        steps = check_store(store)
        assert [(step.what, step.ok) for step in steps] == [
            ("Write", True), ("Read back", True), ("List", True), ("Delete", True),
        ]  # fmt: skip
        assert list(store.list("")) == []
