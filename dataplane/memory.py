"""How a process that moves bytes keeps its memory small."""

import ctypes
from contextlib import suppress

import pyarrow as pa

M_ARENA_MAX = -8
"""Of glibc's mallopt."""
ARENAS = 2


def keep_memory_small() -> None:
    """Give back what is freed; for a worker's process, called before it starts threads.

    Arrow's own allocator, and glibc's one arena for every thread, keep what one chunk after another has used: a backup
    then takes a hundred megabytes more than its pages and chunks need.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
