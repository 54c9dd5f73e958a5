"""How fast restores have been: the measure for how long the next one takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.db.models import QuerySet

from jobs.models import Job
from jobs.states import JobState, JobType

NEWEST_RESTORES, NEWEST_JOBS = 200, 1_000
"""From so many the speed is taken: what was measured long ago was another network."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Bytes per second, by the region from which the bytes came; empty where nothing was measured."""

    restores: Mapping[str, float]
    copies: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Guess:
    """How long a restore takes. `is_lower_bound`: only copies were measured, and a restore also builds indexes."""

    duration: timedelta
    is_lower_bound: bool
    is_of_region: bool


def guess_duration(size_bytes: int, region: str, pace: Pace) -> Guess | None:
    """From restores out of that region, else from restores out of any, else from copies; None: not measured yet."""
    for speeds, is_lower_bound in ((pace.restores, False), (pace.copies, True)):
        if speeds:
            speed = speeds.get(region) or median(speeds.values())
            return Guess(timedelta(seconds=_rounded(size_bytes / speed)), is_lower_bound, region in speeds)
    return None


def _rounded(seconds: float) -> int:
    """A guess of minutes is not told by the second."""
    step = 1 if seconds < 60 else 10 if seconds < 600 else 60
    return max(1, round(seconds / step) * step)


def read_pace(projects: Collection[int]) -> Pace:
    """From jobs of these projects that succeeded, in two queries that cost the same however many jobs there are."""
    jobs = Job.objects.filter(project__in=projects)
    # Restores are rare, so an index by type and state finds all of them. Of copies the newest are near the end.
    restores = jobs.filter(type=JobType.RESTORE, state=JobState.SUCCESSFUL).order_by("-pk")[:NEWEST_RESTORES]
    newest = jobs.order_by("-created_at", "-pk")[:NEWEST_JOBS]
    return Pace(
        speeds_of(_measured(restores, JobType.RESTORE)),
        speeds_of(_measured(newest, JobType.COPY)),
    )


def _measured(jobs: QuerySet[Job], job_type: JobType) -> Iterator[tuple[str, int, float]]:
    rows = jobs.values_list(
        "type", "state", "copy__region_id", "bytes_done", "bytes_before", "started_at", "finished_at"
    )
    for found, state, region, moved_bytes, before, began, ended in rows:
        if found == job_type and state == JobState.SUCCESSFUL and began and ended:
            yield region, moved_bytes - before, (ended - began).total_seconds()


def speeds_of(measured: Iterable[tuple[str, int, float]]) -> dict[str, float]:
    """The median of bytes per second by region, of (region, bytes, seconds); what took no time measures nothing."""
    speeds: dict[str, list[float]] = defaultdict(list)
    for region, moved_bytes, seconds in measured:
        if moved_bytes > 0 and seconds > 0:
            speeds[region].append(moved_bytes / seconds)
    return {region: median(found) for region, found in speeds.items()}
