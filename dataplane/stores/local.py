"""A folder as an object store: the folder of a region on this machine, or a mounted disk."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import time
from uuid import uuid4

from dataplane.errors import (
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreReadOnly,
    StoreUnreachable,
)
from dataplane.stores.base import ObjectInfo, checked_key, checked_prefix

ABANDONED_SECONDS = 24 * 3600.0
"""No write takes this long: an unfinished file this old belongs to a process that was killed."""
PIECE_BYTES = 1024 * 1024
UNFINISHED = ".unfinished"
"""Where objects are written before their rename; never listed. Below the root, so that the rename stays on one disk."""


class LocalStore:
    """Objects are plain files under `root`.

    `root` must exist: a root that is gone may be an unmounted disk, and an unmounted disk is not an empty store.
    Each file is flushed to disk when it is written; `sync()` flushes the folders that name it.
    """

    def __init__(self, root: Path, *, name: str = "") -> None:
        self.root = root
        self.name = name or f"folder {root}"
        self._unsynced: set[Path] = set()
        self._lock = Lock()
        self._has_swept = False

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        checked_prefix(prefix)
        self._require_root()
        if prefix.startswith(UNFINISHED):
            return iter(())
        # Walk only the deepest folder the prefix names: a store may hold many clusters.
        start = self.root / prefix.rpartition("/")[0]
        try:
            found = sorted(_files_below(start, self.root, prefix), key=lambda info: info.key)
        except OSError as error:
            raise self._translated(error, prefix, "list") from error
        self._require_root()  # still there: what was found is not half of a disk that went away meanwhile
        return iter(found)

    def read(self, key: str) -> Iterator[bytes]:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise self._translated(error, key, "read") from error

    def read_bytes(self, key: str) -> bytes:
        path = self._path(key)
        try:
            return path.read_bytes()
        except OSError as error:
            raise self._translated(error, key, "read") from error

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        path = self._path(key)
        self._require_root()
        unfinished = self.root / UNFINISHED / uuid4().hex
        size_bytes = 0
        try:
            self._make_folder(unfinished.parent)
            self._sweep(unfinished.parent)
            try:
                with unfinished.open("xb", buffering=0) as file:
                    for piece in (data,) if isinstance(data, bytes) else data:
                        _write_all(file.fileno(), piece)
                        size_bytes += len(piece)
                    os.fsync(file.fileno())
                self._make_folder(path.parent)
                unfinished.rename(path)
            except BaseException:
                with suppress(OSError):
                    unfinished.unlink()
                raise
        except OSError as error:
            raise self._translated(error, key, "write") from error
        with self._lock:
            self._unsynced.add(path.parent)
        return ObjectInfo(key, size_bytes)

    def delete(self, key: str) -> None:
        path = self._path(key)
        self._require_root()
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as error:
            raise self._translated(error, key, "delete") from error
        with self._lock:
            self._unsynced.add(path.parent)

    def sync(self) -> None:
        with self._lock:
            folders, self._unsynced = self._unsynced, set()
        try:
            for folder in sorted(folders):
                _sync_folder(folder)
        except OSError as error:
            with self._lock:
                self._unsynced |= folders
            raise self._translated(error, "", "flush") from error

    def _path(self, key: str) -> Path:
        if checked_key(key).startswith(UNFINISHED):
            raise StoreMisconfigured(
                f"The object key {key!r} is not allowed: {self.name} keeps unfinished writes there."
            )
        return self.root / key

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
                self._unsynced.add(new.parent)

    def _sweep(self, unfinished: Path) -> None:
        """Once per store, remove what killed writers left behind."""
        if self._has_swept:
            return
        self._has_swept = True
        for path in unfinished.iterdir():
            with suppress(FileNotFoundError):
                if time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    path.unlink()

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


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return  # removed since; its parent is on the list too
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files_below(folder: Path, root: Path, prefix: str) -> Iterator[ObjectInfo]:
    """Every object below `folder` whose key starts with `prefix`, in no order."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return  # no such folder under a root that is there: nothing has been written below it
    for entry in entries:
        path = Path(entry.path)
        key = path.relative_to(root).as_posix()
        if entry.is_dir(follow_symlinks=False):
            if key != UNFINISHED and (key.startswith(prefix) or prefix.startswith(key)):
                yield from _files_below(path, root, prefix)
        elif key.startswith(prefix):
            with suppress(FileNotFoundError):  # deleted by somebody else between the two system calls
                status = entry.stat()
                yield ObjectInfo(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
