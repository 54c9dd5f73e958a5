"""How many shards a collection may have on a cluster of a given size. Pure."""

from bisect import bisect_right

_STEPS = (1, 4, 12, 65)
"""CU sizes at which a step begins: sizes between two published sizes belong to the lower step."""
_LIMITS = (2, 4, 8, 16)


def shard_limit(cu_size: int) -> int:
    """The most shards of one collection on `cu_size` compute units: 2 for 1-2, 4 for 4-8, 8 for 12-64, 16 above."""
    if cu_size < 1:
        raise ValueError(f"A cluster has at least 1 CU, not {cu_size}.")
    return _LIMITS[bisect_right(_STEPS, cu_size) - 1]


def lowered_shards(stored: int, cu_size: int) -> tuple[int, str | None]:
    """The shard count to restore with, and the sentence that says so when it had to be lowered."""
    limit = shard_limit(cu_size)
    if stored <= limit:
        return stored, None
    return limit, f"{stored} shards lowered to {limit}, the limit for {cu_size} CU"
