"""Asking for checks and repairs of copies, and why one cannot be had now: the same words for forms and for services."""

from __future__ import annotations

from typing import Literal

from django.db import IntegrityError, transaction

from accounts.access import require
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.models import User
from accounts.privileges import Privilege
from backups.models import Copy
from backups.states import CopyState, Origin

from .errors import JobRefused
from .models import Job
from .moves import create_job
from .states import JobType
from .wording import describe_job

Depth = Literal["full", "quick"]


@refusals_as(Action.COPY_CHECKED, of="copy")
@transaction.atomic
def request_verification(*, user: User | None, copy: Copy, depth: Depth = "full") -> Job:
    """Queue a check of an available or damaged copy; `user` is None for the scheduler.

    "full" reads every byte and proves the copy, also one that was damaged. "quick" looks only for what is missing or
    has the wrong size; it proves nothing.
    """
    copy = _lock(user, copy)
    if depth not in ("full", "quick"):
        raise JobRefused(f"There is no check called {str(depth)[:40]}; choose a full or a quick one.", field="depth")
    if reason := why_not_checked(copy, _work_on(copy)):
        raise JobRefused(reason)
    job = _create(JobType.VERIFY, user=user, copy=copy, parameters={"depth": depth})
    record(Action.COPY_CHECKED, user=user, target=copy, details={"depth": depth, "job": job.code})
    return job


@refusals_as(Action.COPY_REPAIRED, of="copy")
@transaction.atomic
def request_repair(*, user: User | None, copy: Copy) -> Job:
    """Queue a repair of a damaged copy, the original too, with what the other regions hold."""
    copy = _lock(user, copy)
    if reason := why_not_repaired_now(copy):
        raise JobRefused(reason)
    job = _create(JobType.REPAIR, user=user, copy=copy, parameters={})
    record(Action.COPY_REPAIRED, user=user, target=copy, details={"job": job.code})
    return job


def why_not_checked(copy: Copy, work: Job | None) -> str:
    """The sentence that refuses a check of `copy`, on which `work` is active; empty if it can be had."""
    if not copy.may_be_checked:
        return f"There is nothing to check: the copy is {copy.get_state_display().lower()}."
    return _busy(work)


def why_not_repaired(copy: Copy, work: Job | None, *, has_sources: bool) -> str:
    """The sentence that refuses a repair of `copy`; empty if it can be had."""
    if copy.state != CopyState.DAMAGED:
        return f"Only a damaged copy is repaired; this one is {copy.get_state_display().lower()}."
    if not has_sources:
        return "No other region holds anything of this cluster to repair it from. Create a new backup."
    return _busy(work)


def why_not_repaired_now(copy: Copy) -> str:
    """`why_not_repaired` for one copy, asking the database what the answer needs."""
    if copy.state != CopyState.DAMAGED:
        return why_not_repaired(copy, None, has_sources=False)
    return why_not_repaired(copy, _work_on(copy), has_sources=Copy.objects.may_repair(copy).exists())


def describe_work(job: Job) -> str:
    """ "Check copy in Frankfurt, pending" """
    title = describe_job(job.type, city=job.target_region.city, cluster=job.cluster.name)
    return f"{title}, {job.get_state_display().lower()}"


def why_busy(copy: Copy) -> str:
    """The sentence that refuses any other work on `copy` while a job is active on it; empty if none is."""
    return _busy(_work_on(copy))


def _busy(work: Job | None) -> str:
    return f"Another job works on this copy: {describe_work(work)}. Wait until it has ended." if work else ""


def _lock(user: User | None, copy: Copy) -> Copy:
    """The copy as it is now and stays until this is committed, if `user` may have work done on it."""
    if user is not None:
        require(user, Privilege.BACKUP_MANAGE, copy.backup.project)
    related = Copy.objects.select_related("backup__project", "backup__cluster", "region")
    return related.select_for_update(of=("self",), no_key=True).get(pk=copy.pk)


def _work_on(copy: Copy) -> Job | None:
    return Job.objects.working_on([copy.pk]).first()


def _create(job_type: JobType, *, user: User | None, copy: Copy, parameters: dict[str, str]) -> Job:
    try:
        with transaction.atomic():
            return create_job(job_type, copy=copy, origin=Origin.MANUAL, created_by=user, parameters=parameters)
    except IntegrityError as clash:
        raise JobRefused("Another job has just begun to work on this copy. Look again.") from clash
