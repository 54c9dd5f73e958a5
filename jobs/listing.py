"""Which families of jobs the list shows: chosen through any job in them, newest first, by indexes alone.

A family is a first job with the jobs that followed from it. It is in the list when one of its jobs is all that was
asked for: "copies that failed" finds the originals with a copy that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from accounts.newest import Page, Place, find_page
from backups.models import Backup
from clusters.models import Cluster, Region

from .models import Job, Schedule
from .querysets import JobQuerySet

PLACE = ("family_at", "family")
MOST_FOUND = 100
"""An id that is looked for by its beginning has to tell more than this."""


@dataclass(frozen=True, slots=True)
class Found:
    """The jobs that an id, or its beginning, stands for: itself or those about a backup."""

    jobs: list[int] = field(default_factory=list)
    is_too_much: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What the list is narrowed to; None chooses nothing."""

    type: str | None = None
    state: str | None = None
    cluster: Cluster | None = None
    schedule: Schedule | None = None
    region: Region | None = None
    since: datetime | None = None
    until: datetime | None = None
    """The moment after the last that counts. Both are about the first job of a family."""
    found: Found | None = None


def find_families(
    projects: Sequence[int],
    choice: Choice,
    *,
    size: int,
    before: Place | None = None,
    after: Place | None = None,
) -> Page:
    """The first jobs on one page of the list, from the `projects` that may be seen."""
    return find_page(lists_of(projects, choice), by=PLACE, size=size, before=before, after=after)


def lists_of(projects: Sequence[int], choice: Choice) -> list[JobQuerySet]:
    """What `accounts.newest` reads: one list for a cluster, a schedule or what was found, else one for each project."""
    jobs: JobQuerySet = Job.objects.with_family().filter(**_equalities(choice))
    if choice.since is not None:
        jobs = jobs.filter(family_at__gte=choice.since)
    if choice.until is not None:
        jobs = jobs.filter(family_at__lt=choice.until)
    # These say the project as well, and said twice it would tempt a database to a larger index.
    if choice.found is not None:
        return [jobs.filter(pk__in=choice.found.jobs)] if choice.found.jobs else []
    owner = choice.cluster or choice.schedule
    if owner is not None:
        return [jobs] if owner.project_id in projects else []
    return [jobs.filter(project=project) for project in projects]


def _equalities(choice: Choice) -> dict[str, Any]:
    chosen = {
        "type": choice.type,
        "state": choice.state,
        "cluster": choice.cluster,
        "schedule": choice.schedule,
        "target_region": choice.region,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def find_by_id(text: str, projects: Sequence[int]) -> Found:
    """What `text` stands for among `projects`: the id of a job or a backup, or how one begins."""
    jobs, backups = (_beginning(model.objects.all(), text) for model in (Job, Backup))
    if max(len(jobs), len(backups)) > MOST_FOUND:
        return Found(is_too_much=True)
    mine = [pk for pk, project in jobs if project in projects]
    of_backups = [pk for pk, project in backups if project in projects]
    return Found([*mine, *Job.objects.filter(backup__in=of_backups).order_by().values_list("pk", flat=True)])


def _beginning(rows: QuerySet[Any], text: str) -> list[tuple[int, int]]:
    """The first rows whose code begins with `text`, with their projects; one more than may be found.

    Of any project: a database that is told which ones would read all that they hold.
    """
    if connection.vendor == "sqlite":
        # Its LIKE ignores case, and so uses no index; a range does.
        rows = rows.filter(code__gte=text, code__lt=text + chr(0x10FFFF))
    else:
        rows = rows.filter(code__startswith=text)
    return list(rows.order_by("code").values_list("pk", "project_id")[: MOST_FOUND + 1])
