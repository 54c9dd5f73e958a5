"""A folder as an object store: the folder of a region on this machine, or a mounted disk."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from time import time

from dataplane.errors import (
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreReadOnly,
    StoreUnreachable,
)
from dataplane.stores.base import ObjectInfo, ObjectStore, checked_key, checked_prefix
from dataplane.stores.disk import DiskFlush, begin_writing, sync_folder

MAX_NAME_LENGTH = 255
ABANDONED_SECONDS = 24 * 3600.0
"""No write takes this long: an unfinished file this old belongs to a process that was killed."""
PIECE_BYTES = 256 * 1024
"""Small enough to stay in a core's cache from the read over the digest to the write."""
LARGE_BYTES = 1024 * 1024
"""From here on the disk is told to begin with a file at once; smaller ones are better written together."""
UNFINISHED = ".unfinished-"
"""Begins the name of an object until it is complete; never listed. Beside its later place, because a file system lets
only one rename at a time cross folders."""


class LocalStore:
    """Objects are plain files under `root`.

    `root` must exist: a root that is gone may be an unmounted disk, and an unmounted disk is not an empty store.
    On a local disk `write()` waits for no flush and `sync()` flushes the whole file system at once: several times
    faster than one flush per file, and it covers what an attempt that was killed left behind, which the next attempt
    skips because it is there. Writes by others to the same disk are waited for too. When a flush fails nobody can tell
    whose bytes were lost, and reading them back may be answered from memory: everything written since the last sync is
    removed, so that the next attempt writes it again. On other file systems (network, FUSE) each file is flushed when
    it is written and `sync()` flushes the folders that name it.
    """

    def __init__(self, root: Path, *, name: str = "") -> None:
        self.root = root
        self.name = name or f"folder {root}"
        # Of files as text: to make a Path takes as long as to open a small file.
        self._beginning = os.path.join(root, "")
        self._unsynced: set[str] = set()
        """Folders with names that are not flushed."""
        self._unproven: set[str] = set()
        """Files written since the last sync."""
        self._disk: DiskFlush | None = None
        """Open from the first write to the sync, where the file system is flushed as a whole."""
        self._flushes_whole: bool | None = None
        self._lock = Lock()
        self._abandoned: set[str] = set()
        """Files of killed writers that a listing has met; the next write removes them."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        checked_prefix(prefix)
        self._require_root()
        # Walk only the deepest folder the prefix names: a store may hold many clusters.
        start = self.root / prefix.rpartition("/")[0]
        try:
            inside = "" if start == self.root else f"{start.relative_to(self.root).as_posix()}/"
            found = sorted(_files_below(str(start), inside, prefix, self._abandoned), key=lambda info: info.key)
        except OSError as error:
            raise self._translated(error, prefix, "list") from error
        self._require_root()  # still there: what was found is not half of a disk that went away meanwhile
        return iter(found)

    def find(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            self._require_root()
            return None
        except OSError as error:
            raise self._translated(error, key, "find") from error
        return _info(key, status) if S_ISREG(status.st_mode) else None

    def read(self, key: str) -> Iterator[bytes]:
        path = self._path(key)
        try:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                # By its size, for a buffer that fits and no last empty read: an object is replaced, never changed.
                left_bytes = os.fstat(descriptor).st_size
                while left_bytes and (piece := os.read(descriptor, min(left_bytes, PIECE_BYTES))):
                    left_bytes -= len(piece)
                    yield piece
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._translated(error, key, "read") from error

    def read_bytes(self, key: str) -> bytes:
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                return file.readall()
        except OSError as error:
            raise self._translated(error, key, "read") from error

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        path = self._path(key)
        folder, _, name = path.rpartition("/")
        unfinished = f"{folder}/{UNFINISHED}{os.urandom(8).hex()}-{name}"[: len(folder) + MAX_NAME_LENGTH]
        size_bytes = 0
        try:
            flushes_whole = self._prepare_flush()
            self._remove_abandoned()
            descriptor = self._open_new(unfinished, folder)
            try:
                try:
                    for piece in (data,) if isinstance(data, bytes) else data:
                        _write_all(descriptor, piece)
                        size_bytes += len(piece)
                    if not flushes_whole:
                        os.fsync(descriptor)
                    elif size_bytes >= LARGE_BYTES:
                        self.begin_flush(descriptor)
                finally:
                    os.close(descriptor)
                self._rename(unfinished, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(unfinished)
                raise
        except OSError as error:
            raise self._translated(error, key, "write") from error
        return ObjectInfo(key, size_bytes)

    def copier(self, source: ObjectStore) -> Callable[[str], None] | None:
        """A file system that shares blocks between files would keep one copy, not two."""
        return None

    def delete(self, key: str) -> None:
        path = self._path(key)
        self._require_root()
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # and yet the folder may owe a flush, of a deletion before this one
        except NotADirectoryError:
            return
        except OSError as error:
            raise self._translated(error, key, "delete") from error
        with self._lock:
            self._unsynced.add(os.path.dirname(path))

    def sync(self) -> None:
        try:
            self._prepare_flush()
        except OSError as error:
            raise self._translated(error, "", "flush") from error
        with self._lock:
            folders, self._unsynced = self._unsynced, set()
            files, self._unproven = self._unproven, set()
            disk, self._disk = self._disk, None
        try:
            if disk is not None:
                disk.flush()
            else:
                for folder in sorted(folders):
                    sync_folder(Path(folder))
        except OSError as error:
            for path in files:
                with suppress(OSError):
                    os.unlink(path)
            with self._lock:
                self._unsynced |= folders
            raise self._translated(error, "", "flush") from error

    def begin_flush(self, descriptor: int) -> None:
        """Let the disk begin with a file that was written to, so that `sync()` finds less left."""
        begin_writing(descriptor)

    def _prepare_flush(self) -> bool:
        """Whether the next `sync()` flushes the whole file system, so that a write need not flush its file."""
        with self._lock:
            if self._disk is None and self._flushes_whole is not False:
                disk = DiskFlush(self.root)
                self._flushes_whole = disk.is_reliable()
                self._disk = disk if self._flushes_whole else None
            return self._disk is not None

    def _open_new(self, unfinished: str, folder: str) -> int:
        """A descriptor of the new file `unfinished`. Its folder is there but for the first write into it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            return os.open(unfinished, flags, 0o666)
        except FileNotFoundError:
            self._make_folder(Path(folder))
            return os.open(unfinished, flags, 0o666)

    def _rename(self, unfinished: str, path: str) -> None:
        os.rename(unfinished, path)
        with self._lock:
            if self._flushes_whole:
                self._unproven.add(path)
            else:
                self._unsynced.add(os.path.dirname(path))

    def _path(self, key: str) -> str:
        if f"/{UNFINISHED}" in f"/{checked_key(key)}":
            raise StoreMisconfigured(
                f"The object key {key!r} is not allowed: {self.name} names unfinished writes like this."
            )
        return self._beginning + key

    def _require_root(self) -> None:
        try:
            is_folder = self.root.is_dir()
        except OSError as error:
            raise self._translated(error, "", "open") from error
        if not is_folder:
            raise self._gone()

    def _make_folder(self, folder: Path) -> None:
        """Make `folder` and its parents up to the root, remembering every parent that got a new entry."""
        missing = []
        while folder != self.root and not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for new in reversed(missing):
            new.mkdir(exist_ok=True)
            with self._lock:
                self._unsynced.add(os.fspath(new.parent))

    def _remove_abandoned(self) -> None:
        while self._abandoned:
            with suppress(OSError, KeyError):  # somebody else has removed it
                os.unlink(self._abandoned.pop())

    def _gone(self) -> StoreUnreachable:
        return StoreUnreachable(
            f"{self.name} is not there: {self.root} is missing or not a folder. "
            "Mount the disk or create the folder, then try again."
        )

    def _translated(self, error: OSError, key: str, verb: str) -> StoreError:
        what = f"{self.name} could not {verb} {key or 'its folder'}"
        match error.errno:
            case errno.ENOENT | errno.ENOTDIR if not self.root.is_dir():
                return self._gone()
            case errno.ENOENT | errno.ENOTDIR if verb == "read":
                return ObjectMissing(self.name, key)
            case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
                return StoreFull(
                    f"{what}: no space is left. Free space under {self.root} or choose another store, then try again."
                )
            case errno.EROFS:
                return StoreReadOnly(f"{what}: the file system is read-only. Mount it for writing, then try again.")
            case errno.EACCES | errno.EPERM:
                return StoreDenied(
                    f"{what}: permission denied. Give the site's user read and write access to {self.root}."
                )
        reason = error.strerror or type(error).__name__
        return StoreUnreachable(f"{what}: {reason}. Check the disk under {self.root}, then try again.")


def _write_all(file_descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(file_descriptor, view) :]


def _files_below(folder: str, inside: str, prefix: str, abandoned: set[str]) -> Iterator[ObjectInfo]:
    """Every object below `folder` whose key starts with `prefix`, in no order. `inside`: its key and a slash.

    Strings, because a store of many small objects would spend longer on making paths than on reading folders.
    """
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return  # no such folder under a root that is there: nothing has been written below it
    for entry in entries:
        key = inside + entry.name
        with suppress(FileNotFoundError):  # deleted by somebody else between two system calls
            if entry.name.startswith(UNFINISHED):
                if time() - entry.stat().st_mtime > ABANDONED_SECONDS:
                    abandoned.add(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from _files_below(entry.path, f"{key}/", prefix, abandoned)
            elif key.startswith(prefix):
                yield _info(key, entry.stat())


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
