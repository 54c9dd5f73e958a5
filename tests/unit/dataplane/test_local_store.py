"""What only a folder can do wrong. These tests run as root too, so they use what stops root as well."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from dataplane.commit import find_manifest
from dataplane.errors import (
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreReadOnly,
    StoreUnreachable,
)
from dataplane.stores.check import check_store
from dataplane.stores.disk import DiskFlush, begin_writing
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.local import LARGE_BYTES, LocalStore
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.builders import CLUSTER, store_backup


def test_a_root_that_is_gone_is_unreachable_and_never_empty(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "mount")
    for attempt in (
        lambda: list(store.list("")),
        lambda: store.read_bytes("key"),
        lambda: list(store.read("key")),
        lambda: store.write("key", b"x"),
        lambda: store.delete("key"),
    ):
        with pytest.raises(StoreUnreachable, match="is not there"):
            attempt()
    assert not (tmp_path / "mount").exists()


def test_a_file_where_the_folder_should_be_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    steps = check_store(LocalStore(tmp_path / "file", name="gcp-europe-west3"))
    assert [step.ok for step in steps] == [False]
    assert "gcp-europe-west3" in steps[0].detail
    assert "Mount the disk or create the folder" in steps[0].detail


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EROFS, StoreReadOnly),
        (errno.EACCES, StoreDenied),
        (errno.EPERM, StoreDenied),
        (errno.EIO, StoreUnreachable),
        (errno.ESTALE, StoreUnreachable),
    ],
)
def test_each_refusal_of_the_system_becomes_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: type[StoreError]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    store = LocalStore(tmp_path)
    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(expected, match="could not write key"):
        store.write("key", b"x")
    monkeypatch.undo()
    assert list(tmp_path.rglob("*")) == []


def test_what_a_killed_writer_left_behind_is_never_listed_nor_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("cluster/key", b"x")
    (tmp_path / "cluster" / ".unfinished-abc-key").write_bytes(b"half")
    for prefix in ("", "cluster/", "cluster/.unfinished-"):
        assert [info.key for info in store.list(prefix)] == ["cluster/key"][: not prefix.endswith("-")]
    with pytest.raises(StoreMisconfigured):
        store.read_bytes("cluster/.unfinished-abc-key")


def test_what_a_killed_writer_left_behind_a_day_ago_is_removed_by_the_next_that_lists_and_writes(
    tmp_path: Path,
) -> None:
    store = LocalStore(tmp_path)
    for name, age_seconds in (("old", 25 * 3600), ("young", 3600)):
        path = tmp_path / f".unfinished-{name}"
        path.write_bytes(b"half")
        os.utime(path, (time() - age_seconds,) * 2)
    assert list(store.list("")) == []
    assert len(list(tmp_path.iterdir())) == 2, "a listing changes nothing"
    store.write("key", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".unfinished-young", "key"]


def test_the_longest_name_that_a_file_can_have_is_written(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("folder/" + "n" * 255, b"x")
    assert [len(info.key) for info in store.list("")] == [7 + 255]


def test_without_a_flush_of_the_whole_disk_each_file_and_each_new_folder_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real_fsync = os.fsync

    def watch(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        real_fsync(descriptor)

    monkeypatch.setattr(DiskFlush, "is_reliable", lambda disk: False)
    monkeypatch.setattr(os, "fsync", watch)
    store = LocalStore(tmp_path)
    store.write("a/b/key", b"x")
    assert len(flushed) == 1  # the file itself, before its rename
    store.sync()
    assert set(flushed[1:]) >= {"a", "b", tmp_path.name}
    count = len(flushed)
    store.sync()
    assert len(flushed) == count


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[OSError | None]:
    """A disk that is flushed as a whole. One entry per flush: put in what the next are to raise, None is no error."""
    answers: list[OSError | None] = []

    def flush(_: DiskFlush) -> None:
        if (error := answers.pop(0)) is not None:
            raise error

    monkeypatch.setattr(DiskFlush, "is_reliable", lambda disk: True)
    monkeypatch.setattr(DiskFlush, "flush", flush)
    return answers


def test_the_disk_begins_with_a_large_object_before_it_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    store = LocalStore(tmp_path)
    monkeypatch.setattr(DiskFlush, "is_reliable", lambda disk: True)
    monkeypatch.setattr(store, "begin_flush", lambda descriptor: begun.append(os.fstat(descriptor).st_size))
    for size_bytes in (LARGE_BYTES - 1, LARGE_BYTES):
        store.write("key", b"x" * size_bytes)
    assert begun == [LARGE_BYTES]


def test_to_let_the_disk_begin_is_done_by_the_system_itself(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x" * LARGE_BYTES)
        file.flush()
        assert begin_writing(file.fileno())


def test_a_sync_flushes_what_an_earlier_attempt_left_behind_although_this_store_wrote_nothing(
    tmp_path: Path, disk: list[OSError | None]
) -> None:
    disk += [None, None]
    LocalStore(tmp_path).sync()
    assert disk == [None]


def test_a_flush_that_fails_removes_what_it_may_have_lost_and_nothing_else(
    tmp_path: Path, disk: list[OSError | None]
) -> None:
    disk += [None, OSError(errno.EIO, "Input/output error"), None]
    store = LocalStore(tmp_path)
    store.write("a/flushed", b"x")
    store.sync()
    store.write("a/lost", b"x")
    with pytest.raises(StoreUnreachable, match="could not flush its folder: Input/output error"):
        store.sync()
    assert [info.key for info in store.list("")] == ["a/flushed"]
    store.sync()
    assert [info.key for info in store.list("")] == ["a/flushed"]


def test_a_disk_that_was_full_at_the_flush_leaves_no_backup_that_looks_available(
    tmp_path: Path, disk: list[OSError | None]
) -> None:
    disk += [None, None, OSError(errno.ENOSPC, "No space left on device")]
    store = LocalStore(tmp_path)
    with pytest.raises(StoreFull):
        store_backup(store, [b"rows"])
    assert find_manifest(store, CLUSTER, "backup-1") is None


def test_a_file_system_that_is_not_known_is_not_trusted_to_flush_as_a_whole() -> None:
    assert not DiskFlush(Path("/proc")).is_reliable()


def test_a_store_that_was_written_to_and_never_synced_does_not_hold_its_disk_for_ever(
    tmp_path: Path, disk: list[OSError | None]
) -> None:
    store = LocalStore(tmp_path)
    store.write("key", b"x")
    assert tmp_path in open_paths()
    del store
    assert tmp_path not in open_paths()


def open_paths() -> list[Path]:
    return [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]


def test_a_missing_object_in_a_folder_that_is_there_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    store = LocalStore(tmp_path)
    with pytest.raises(ObjectMissing):
        store.read_bytes("file/below")


def test_the_connection_test_stops_at_the_first_step_that_fails() -> None:
    store = FaultyStore(MemoryStore(), lambda verb, key, number: verb == "list")
    assert [(step.what, step.ok) for step in check_store(store)] == [
        ("Write", True),
        ("Read back", True),
        ("List", False),
    ]


def test_the_connection_test_notices_a_store_that_changes_bytes() -> None:
    class Liar(MemoryStore):
        def read_bytes(self, key: str) -> bytes:
            return super().read_bytes(key).upper()

        def read(self, key: str) -> Iterator[bytes]:
            yield self.read_bytes(key)

    step = check_store(Liar())[-1]
    assert (step.what, step.ok) == ("Read back", False)
    assert "other bytes" in step.detail
