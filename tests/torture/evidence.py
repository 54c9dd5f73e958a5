"""What must be true when everything is quiet again, told from the rows and from the bytes alone."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from backups.models import Backup, Copy
from backups.states import HOLDS_NOTHING, BackupState, CopyState
from dataplane import layout
from dataplane.errors import DataPlaneError
from dataplane.manifest import from_json
from jobs.models import Job
from jobs.states import ACTIVE, FINAL, REMOVERS, JobState, JobType
from tests.torture.world import World

# Where a copy may be after its last job ended so; damage is met by other jobs too.
_AFTER = {
    (JobType.COPY, JobState.SUCCESSFUL): {CopyState.AVAILABLE, CopyState.DAMAGED, CopyState.DELETING},
    (JobType.BACKUP, JobState.SUCCESSFUL): {CopyState.AVAILABLE, CopyState.DAMAGED, CopyState.DELETING},
    (JobType.COPY, JobState.FAILED): {CopyState.FAILED},
    (JobType.BACKUP, JobState.FAILED): {CopyState.FAILED},
    (JobType.COPY, JobState.CANCELED): {CopyState.CANCELED},
    (JobType.BACKUP, JobState.CANCELED): {CopyState.CANCELED},
    (JobType.DELETE, JobState.SUCCESSFUL): {CopyState.DELETED},
    (JobType.EXPIRE, JobState.SUCCESSFUL): {CopyState.DELETED},
    (JobType.REPAIR, JobState.SUCCESSFUL): {CopyState.AVAILABLE, CopyState.DAMAGED},
}
_BACKUP_AFTER = {
    JobState.SUCCESSFUL: {BackupState.AVAILABLE, BackupState.DELETED},
    JobState.FAILED: {BackupState.FAILED, BackupState.DELETED},
    JobState.CANCELED: {BackupState.CANCELED, BackupState.DELETED},
}


_SUCCEEDED = re.compile(r"(job-\w+): successful after")
_LET_GO = re.compile(r"(job-\w+) was (?:taken over|moved) by somebody else")


@dataclass
class Findings:
    """What went wrong, a sentence each. All five are to stay empty."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    falsely_available: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def __iadd__(self, other: Findings) -> Findings:
        for name, sentences in vars(other).items():
            getattr(self, name).extend(sentences)
        return self

    def without(self, told: Findings) -> Findings:
        """What `told` does not say already: what is wrong once stays wrong."""
        return Findings(
            **{name: [one for one in found if one not in getattr(told, name)] for name, found in vars(self).items()}
        )

    def sentences(self) -> Iterator[str]:
        for name, found in vars(self).items():
            yield from (f"{name.replace('_', ' ')}: {sentence}" for sentence in found)


class Watcher:
    """Sees manifests change while jobs run: within one job, a fence only grows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[Path, tuple[int, int]] = {}
        self.overwritten: list[str] = []

    def look(self) -> None:
        seen = {}
        for path in self._world.root.glob("*/clusters/*/backups/*/manifest.json"):
            try:
                changed = path.stat().st_mtime_ns
                before = self._seen.get(path)
                if before is not None and before[0] == changed:
                    seen[path] = before
                    continue
                fence = from_json(path.read_bytes(), source=str(path)).fence
            except (OSError, DataPlaneError):
                continue
            if before is not None and fence < before[1]:
                self.overwritten.append(f"{path}: fence {before[1]} was written over with {fence}")
            seen[path] = (changed, fence)
        self._seen = seen


def examine(world: World, *, accepted: Iterable[str], stuck: Iterable[int], watcher: Watcher) -> Findings:
    """Everything that is wrong now that nothing runs. `accepted` are the codes of jobs that somebody was promised;
    of what hangs on the `stuck` ones, known already, nothing is told again."""
    found = Findings(doubled=watcher.overwritten)
    watcher.overwritten = []
    apart = Job.objects.filter(pk__in=list(stuck)).values("backup")
    jobs = list(Job.objects.exclude(backup__in=apart).prefetch_related("events").order_by("pk"))
    missing = set(accepted) - {job.code for job in Job.objects.filter(code__in=set(accepted))}
    found.lost += [f"job {code} was promised and is not there" for code in sorted(missing)]
    for job in jobs:
        _examine_job(job, found)
    last = {job.copy_id: job for job in jobs if job.type not in {JobType.VERIFY, JobType.COLLECT}}
    for copy in Copy.objects.exclude(backup__in=apart).select_related("backup__cluster").order_by("pk"):
        _examine_copy(copy, last.get(copy.pk), found)
        if copy.state == CopyState.AVAILABLE:
            harm = harm_of(world, copy)
            found.falsely_available += [f"{copy}: {len(harm)} objects, first {harm[0]}"] if harm else []
        if copy.state == CopyState.DELETED and world.manifest_path(copy).exists():
            found.doubled.append(f"{copy} was deleted and has a manifest")
    for backup in Backup.objects.exclude(pk__in=apart).prefetch_related("copies", "jobs"):
        _examine_backup(backup, found)
    return found


def told_by_logs(pid_of_log: Mapping[Path, int]) -> list[str]:
    """Jobs that a process carried to their success although another one had taken them over."""
    ends: dict[str, set[int]] = {}
    for path, pid in pid_of_log.items():
        text = path.read_text(errors="replace") if path.exists() else ""
        for code in set(_SUCCEEDED.findall(text)) - set(_LET_GO.findall(text)):
            ends.setdefault(code, set()).add(pid)
    holders = dict(Job.objects.filter(code__in=ends).values_list("code", "worker"))
    return [
        f"{code} was carried to its end by {sorted(pids)}, but was last taken by {holders[code]}"
        for code, pids in ends.items()
        if code in holders and pids != {int(holders[code].split(":")[1])}
    ]


def with_traceback(finding: str, logs: Iterable[Path]) -> str:
    """`finding` with what the worker wrote when that job crashed: logs of processes that ended are forgotten."""
    found = re.search(r"job-[a-z0-9]+", finding)
    if found is None:
        return finding
    for log in logs:
        told = log.read_text(errors="replace").partition(f"{found[0]} crashed")[2]
        if told:
            lines = told.splitlines()[1:]
            end = next((n for n, line in enumerate(lines) if re.match(r"\d{4}-\d\d-\d\d ", line)), len(lines))
            return "\n".join([finding, *lines[:end]])
    return finding


def _examine_job(job: Job, found: Findings) -> None:
    events = sorted(job.events.all(), key=lambda event: event.pk)
    told = f"{job.type} {job.code}"
    if job.state not in FINAL:
        found.lost.append(f"{told} is {job.state} and nobody is at work")
    if job.state == JobState.CRASHED:
        found.crashed.append(f"{told}: {job.reason}")
    ends = Counter(event.to_state for event in events if event.to_state in FINAL)
    if sum(ends.values()) > 1:
        found.doubled.append(f"{told} ended {dict(ends)}")
    if events and events[-1].to_state != job.state:
        found.doubled.append(f"{told} is {job.state}, but its history ends with {events[-1].to_state}")
    # Two at work on one job would both move it: then a move does not begin where the one before it ended.
    for before, after in pairwise(events):
        if after.from_state != before.to_state:
            found.doubled.append(f"{told} moved {after} after {before}")
    claims = sum(event.to_state == JobState.IN_PROGRESS for event in events)
    if events and claims != job.fence:
        found.doubled.append(f"{told} was claimed {claims} times and has fence {job.fence}")


def _examine_copy(copy: Copy, job: Job | None, found: Findings) -> None:
    unsettled = {CopyState.PLANNED, CopyState.TRANSFERRING, CopyState.VERIFYING}
    if copy.state in unsettled or (copy.state == CopyState.DELETING and not copy.reason):
        found.lost.append(f"{copy} is {copy.state} and nobody is at work")
    if job is None:
        return
    wanted = _AFTER.get((JobType(job.type), JobState(job.state)))
    if wanted and copy.state not in wanted:
        found.lost.append(f"{copy} is {copy.state} after its {job.type} {job.code} was {job.state}")
    if job.type in REMOVERS and job.state == JobState.FAILED and copy.state == CopyState.AVAILABLE:
        found.falsely_available.append(f"{copy} is available after {job.code} began to remove it")


def _examine_backup(backup: Backup, found: Findings) -> None:
    copies = {copy.state for copy in backup.copies.all()}
    originals = [job for job in backup.jobs.all() if job.type == JobType.BACKUP]
    if not originals:
        found.lost.append(f"backup {backup.code} is {backup.state}, but half of what was asked for: no job makes it")
    for job in originals:
        if job.state in _BACKUP_AFTER and backup.state not in _BACKUP_AFTER[JobState(job.state)]:
            found.lost.append(f"backup {backup.code} is {backup.state} after its job was {job.state}")
    is_gone = bool(copies) and copies <= {CopyState.DELETED}
    if is_gone > (backup.state == BackupState.DELETED) or (
        backup.state == BackupState.DELETED and not copies <= HOLDS_NOTHING
    ):
        found.lost.append(f"backup {backup.code} is {backup.state} with copies {sorted(copies)}")
    if backup.state == BackupState.AVAILABLE and not copies & {
        CopyState.AVAILABLE,
        CopyState.DAMAGED,
        CopyState.DELETING,
    }:
        found.falsely_available.append(f"backup {backup.code} is available with copies {sorted(copies)}")


def harm_of(world: World, copy: Copy) -> list[Path]:
    """Objects of a copy that are missing or damaged; every one of them is read."""
    path = world.manifest_path(copy)
    try:
        manifest = from_json(path.read_bytes(), source=str(path))
    except (OSError, DataPlaneError):
        return [path]
    harmed = []
    for chunk in manifest.chunks:
        place = world.root / copy.region_id / layout.chunk_key(manifest.cluster_id, chunk.sha256)
        if not place.exists() or hashlib.sha256(place.read_bytes()).hexdigest() != chunk.sha256:
            harmed.append(place)
    return harmed


def active_jobs(known: Iterable[int]) -> list[Job]:
    return list(Job.objects.filter(state__in=ACTIVE).exclude(pk__in=known).order_by("pk"))
