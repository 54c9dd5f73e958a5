"""What people ask for over the pages: the same as in world.py, as forms that are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from django.urls import reverse

from backups.models import Copy
from backups.states import MAY_BE_CHECKED, MAY_BE_MADE_AGAIN, CopyState
from jobs.models import Job
from jobs.states import JobType
from tests.builders import FRANKFURT, VIRGINIA
from tests.torture.world import World


@dataclass(frozen=True)
class Post:
    """One form, and what a promise made for it stands for."""

    path: str
    data: Mapping[str, object]
    find_jobs: Callable[[], list[Job]]
    """The jobs that are there because of it, or because of somebody who asked for the same."""


class Posts:
    """Each finds something to ask for and gives the form, or None if there is nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asks: dict[str, Callable[[Random], Post | None]] = {
            "check": self.checking,
            "repair": self.repairing,
            "copy again": self.copying_again,
            "delete": self.deleting,
            "cancel": self.canceling,
        }
        if world.live:
            self.asks["backup"] = self.backing_up

    def checking(self, random: Random) -> Post | None:
        depth = random.choice(["full", "full", "quick"])
        copy = self._copy_in(MAY_BE_CHECKED, random)
        return _about(copy, "check", JobType.VERIFY, {"depth": depth}) if copy else None

    def repairing(self, random: Random) -> Post | None:
        copy = self._copy_in({CopyState.DAMAGED}, random)
        return _about(copy, "repair", JobType.REPAIR) if copy else None

    def copying_again(self, random: Random) -> Post | None:
        copy = self._world.any_of(
            self._world.idle_copies().filter(is_original=False, state__in=MAY_BE_MADE_AGAIN), random
        )
        return _about(copy, "retry", JobType.COPY) if copy else None

    def deleting(self, random: Random) -> Post | None:
        backup = self._world.one_too_many(random)
        if backup is None:
            return None
        jobs = _jobs_from_now_on(type=JobType.DELETE, backup=backup)
        return Post(reverse("jobs:backup-delete", args=[backup.code]), {"confirmation": backup.name}, jobs)

    def backing_up(self, random: Random) -> Post | None:
        cluster = self._world.live
        if cluster is None:
            return None
        regions = random.sample([VIRGINIA, FRANKFURT], random.randint(0, 2))
        data: dict[str, object] = {"scope": "cluster", "regions": regions, "copy": "on" if regions else ""}
        jobs = _jobs_from_now_on(type=JobType.BACKUP, cluster=cluster)
        return Post(reverse("jobs:backup-create", args=[cluster.code]), data, jobs)

    def canceling(self, random: Random) -> Post | None:
        job = self._world.any_active_job(random)
        if job is None:
            return None
        return Post(reverse("jobs:job-cancel", args=[job.code]), {}, lambda: [job])

    def _copy_in(self, states: set[CopyState] | frozenset[CopyState], random: Random) -> Copy | None:
        return self._world.any_of(self._world.idle_copies().filter(state__in=states), random)


def _about(copy: Copy, verb: str, job_type: JobType, data: Mapping[str, object] | None = None) -> Post:
    path = reverse(f"jobs:copy-{verb}", args=[copy.backup.code, copy.region_id])
    return Post(path, data or {}, _jobs_from_now_on(type=job_type, copy=copy))


def _jobs_from_now_on(**which: object) -> Callable[[], list[Job]]:
    newest = Job.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return lambda: list(Job.objects.filter(pk__gt=newest, **which).order_by("pk"))
