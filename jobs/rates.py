"""How fast a job moves its bytes, and how long the rest takes. Pure."""

from dataclasses import dataclass

KNOWN_AFTER_SECONDS = 2.0
"""A rate of the first moments says more about starting than about the way to the store."""
SILENT_AFTER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Rate:
    bytes_per_second: float
    seconds_left: float | None
    """None when nobody can tell: nothing is known to be left, or what was left should have arrived by now."""


def measure_rate(*, moved_bytes: int, left_bytes: int, seconds: float, silent_seconds: float) -> Rate | None:
    """The average since `seconds` ago, of what really moved: what the target held already is not `moved_bytes`.

    `silent_seconds` have passed since the last news. The average sinks meanwhile, so that a job that stands still looks
    like it, and does not promise its end for ever.
    """
    if moved_bytes <= 0 or seconds < KNOWN_AFTER_SECONDS:
        return None
    bytes_per_second = moved_bytes / seconds
    seconds_left = left_bytes / bytes_per_second
    is_overdue = silent_seconds > max(SILENT_AFTER_SECONDS, seconds_left)
    return Rate(bytes_per_second, None if left_bytes <= 0 or is_overdue else seconds_left)
