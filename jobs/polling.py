"""How often a page asks again for what it shows of jobs. Pure."""

from collections.abc import Iterable
from typing import Protocol

from .states import ACTIVE, HELD

AT_WORK_SECONDS = 1
"""A worker writes once a second, so what stands on the screen is two seconds old at most."""
WAITING_SECONDS = 2
"""A job that waits has no progress to show, only its beginning."""


class HasState(Protocol):
    @property
    def state(self) -> str: ...


def poll_seconds(jobs: Iterable[HasState]) -> int | None:
    """The wait between two questions; None once all `jobs` have ended, so that nobody asks any more."""
    states = {job.state for job in jobs}
    if states & HELD:
        return AT_WORK_SECONDS
    return WAITING_SECONDS if states & ACTIVE else None
