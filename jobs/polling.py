"""How often a page asks again for what it shows of jobs. Pure."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from .states import ACTIVE, HELD, JobState

AT_WORK_SECONDS = 1
"""A worker writes once a second, so what stands on the screen is two seconds old at most."""
WAITING_SECONDS = 2
"""A job that waits has no progress to show, only its beginning."""


_DIGITS = {state: str(digit) for digit, state in enumerate(JobState)}


def poll_seconds(states: Iterable[str]) -> int | None:
    """The wait between two questions; None once all jobs have ended, so that nobody asks any more."""
    found = set(states)
    if found & HELD:
        return AT_WORK_SECONDS
    return WAITING_SECONDS if found & ACTIVE else None


def note_seen(shown: Mapping[int, str]) -> str:
    """What a page showed, as it tells when it asks again: a mark of the jobs, then a digit for the state of each."""
    return f"{_mark(shown)}-{''.join(_DIGITS[JobState(shown[job])] for job in sorted(shown))}"


def changed_since(seen: str, shown: Mapping[int, str]) -> set[int] | None:
    """The jobs of `shown` that had another state when they were `seen`; None if other jobs were seen."""
    mark, _, digits = seen.partition("-")
    if mark != _mark(shown) or len(digits) != len(shown):
        return None
    return {job for job, digit in zip(sorted(shown), digits, strict=True) if digit != _DIGITS[JobState(shown[job])]}


def _mark(jobs: Iterable[int]) -> str:
    return sha256(repr(sorted(jobs)).encode()).hexdigest()[:16]
