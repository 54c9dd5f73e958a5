"""What somebody should look at now: what is broken and has not been made good since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import Project, User
from accounts.privileges import Privilege
from backups.models import Backup, Copy
from jobs.models import Job, ScheduledRun
from jobs.presence import why_nothing_begins
from jobs.states import JobState
from jobs.wording import describe_job

RECENT = timedelta(days=7)
"""How long a failed restore or deletion is worth a look; backups and copies are for as long as they are broken."""


@dataclass(frozen=True)
class Concern:
    """One broken thing: what it is, where to look, and the sentence that says why it broke."""

    title: str
    backup: str
    cluster: str
    url: str
    state: str
    state_label: str
    reason: str


def concerns_of(user: User, *, now: datetime, project: Project | None = None) -> list[Concern]:
    """Everything broken that `user` may look at, in `project` alone if one is given; five queries however much it is.

    Failed or damaged copies of available backups, copies that stay past their days, failed backups and missed runs of
    schedules with no success since, and the restores, deletions and checks that failed within RECENT with no success
    since.
    """
    of_copies = {} if project is None else {"backup__project": project}
    of_runs = {} if project is None else {"schedule__project": project}
    of_others = {} if project is None else {"project": project}
    visible = Copy.objects.visible_to(user, Privilege.BACKUP_VIEW).filter(**of_copies)
    copies, held = visible.missing_or_damaged(), visible.held_past_retention()
    backups = Backup.objects.visible_to(user).filter(**of_others).failed_with_none_since()
    by_schedule: dict[int, list[ScheduledRun]] = {}
    for run in ScheduledRun.objects.visible_to(user).filter(**of_runs).missed_with_none_since():
        by_schedule.setdefault(run.schedule_id, []).append(run)
    jobs = Job.objects.visible_to(user).filter(**of_others).failed_with_none_since(now - RECENT)
    return [
        *(_of_copy(copy) for copy in copies.select_related("region", "backup__cluster")),
        *(_of_held_copy(copy) for copy in held.select_related("region", "backup__cluster")),
        *(_of_backup(backup) for backup in backups.select_related("cluster")),
        *(_of_missed_runs(runs) for runs in by_schedule.values()),
        *(_of_job(job) for job in jobs.for_row()),
    ]


def concern_about_workers(*, now: datetime, url: str) -> list[Concern]:
    """That nothing begins, where it is so: the first thing to know for whoever waits for a backup."""
    trouble = why_nothing_begins(now)
    if not trouble:
        return []
    return [Concern("Workers", "every backup, copy and restore", "–", url, JobState.FAILED, "Stopped", trouble)]


def _of_copy(copy: Copy) -> Concern:
    return Concern(
        title=f"{'Original' if copy.is_original else 'Copy'} in {copy.region.city}",
        backup=copy.backup.name,
        cluster=copy.backup.cluster.name,
        url=copy.backup.get_absolute_url(),
        state=copy.state,
        state_label=copy.get_state_display(),
        reason=copy.reason,
    )


def _of_held_copy(copy: Copy) -> Concern:
    return Concern(
        title=f"{'Original' if copy.is_original else 'Copy'} in {copy.region.city}",
        backup=copy.backup.name,
        cluster=copy.backup.cluster.name,
        url=copy.backup.get_absolute_url(),
        state="held",
        state_label="Kept past its days",
        reason=f"It stays as the {copy.held_reason}. Make a new backup, and it ends by itself.",
    )


def _of_missed_runs(runs: list[ScheduledRun]) -> Concern:
    """`runs` are those of one schedule, the newest first."""
    newest = runs[0]
    return Concern(
        title=f"Schedule {newest.schedule}",
        backup="1 run missed" if len(runs) == 1 else f"{len(runs):,} runs missed",
        cluster=newest.schedule.cluster.name,
        url=newest.schedule.get_absolute_url(),
        state=newest.state,
        state_label=newest.get_state_display(),
        reason=newest.reason,
    )


def _of_backup(backup: Backup) -> Concern:
    return Concern(
        title=f"Backup of {backup.cluster}",
        backup=backup.name,
        cluster=backup.cluster.name,
        url=backup.get_absolute_url(),
        state=backup.state,
        state_label=backup.get_state_display(),
        reason=backup.reason,
    )


def _of_job(job: Job) -> Concern:
    return Concern(
        title=describe_job(job.type, city=job.target_region.city, cluster=job.cluster.name),
        backup=job.backup.name,
        cluster=job.cluster.name,
        url=job.get_absolute_url(),
        state=job.state,
        state_label=job.get_state_display(),
        reason=job.reason,
    )
