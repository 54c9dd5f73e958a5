"""Making writes survive a power cut: of one folder, or of a whole file system at once."""

import ctypes
import os
import re
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_sync_file_range = getattr(_LIBC, "sync_file_range", None)  # of Linux
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_BEGIN = 2
"""SYNC_FILE_RANGE_WRITE."""
_FLUSHED_WHOLE = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # XFS
        0x9123683E,  # Btrfs
        0xF2F52010,  # F2FS
        0x2FC12FC1,  # ZFS
        0x794C7630,  # overlay, as in containers
        0x01021994,  # tmpfs
    }
)
"""What `statfs` calls the file systems whose flush covers every file. Network and FUSE file systems may pass nothing on
to where the bytes really lie."""


class DiskFlush:
    """The file system under `folder`, held open from before the first write: an error in writing any of its dirty
    data since then is reported by `flush()`, whoever closed the file meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def is_reliable(self) -> bool:
        """Whether `flush()` is as good as an fsync of every file and folder: a local file system, on Linux 5.8 or
        newer, before which errors were not reported."""
        version = re.match(r"(\d+)\.(\d+)", os.uname().release)
        if os.uname().sysname != "Linux" or version is None or (int(version[1]), int(version[2])) < (5, 8):
            return False
        status = (ctypes.c_long * 64)()  # larger than any `struct statfs`, which begins with the kind as a long
        return _LIBC.fstatfs(self._descriptor, status) == 0 and status[0] & 0xFFFFFFFF in _FLUSHED_WHOLE

    def flush(self) -> None:
        """Return once everything written to the file system by anybody is on disk; OSError when some of it is not."""
        if _LIBC.syncfs(self._descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def begin_writing(descriptor: int) -> bool:
    """Let the disk begin with what was written to the file, so that a flush to come finds less left.

    Promises nothing, so nobody need ask whether the system could: it is what this returns.
    """
    return _sync_file_range is not None and _sync_file_range(descriptor, 0, 0, _BEGIN) == 0


def sync_folder(folder: Path) -> None:
    """Flush the names in `folder`; a folder that is not there any more needs nothing."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
