"""The attempts of a job, told from its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .models import JobEvent
from .states import HELD, JobState
from .wording import TAKEN_BY


@dataclass(slots=True)
class Attempt:
    """One worker's try. `ended_at` is None while it lasts; `state` is the one it ended in, or is in."""

    number: int
    worker: str
    started_at: datetime
    state: str
    ended_at: datetime | None = None
    note: str = ""

    @property
    def ending(self) -> str:
        """What ended it, in two or three words."""
        if self.ended_at is None:
            return "Running"
        return "Will be tried again" if self.state == JobState.PENDING else JobState(self.state).label

    @property
    def duration(self) -> timedelta | None:
        return self.ended_at - self.started_at if self.ended_at else None


def attempts_of(events: Iterable[JobEvent]) -> list[Attempt]:
    """`events` come oldest first."""
    attempts: list[Attempt] = []
    for event in events:
        if event.from_state == JobState.PENDING and event.to_state == JobState.IN_PROGRESS:
            worker = event.note.removeprefix(TAKEN_BY)
            attempts.append(Attempt(event.attempt, worker, event.at, event.to_state))
        elif attempts and event.from_state in HELD:
            last = attempts[-1]
            last.state = event.to_state
            if event.to_state not in HELD:
                last.ended_at, last.note = event.at, event.note
    return attempts
