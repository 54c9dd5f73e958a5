"""How long work tells where it is, and hears that it should stop."""

from collections.abc import Callable
from dataclasses import dataclass

from dataplane.errors import Stopped


@dataclass(frozen=True, slots=True)
class Progress:
    bytes_done: int
    bytes_total: int
    """An estimate during a backup, exact at its end and everywhere else. Never below `bytes_done`."""


def stop_if_asked(should_stop: Callable[[], bool]) -> None:
    """Raise Stopped when `should_stop()` says so."""
    if should_stop():
        raise Stopped("The work was stopped on request; nothing was committed. Start it again when you like.")
