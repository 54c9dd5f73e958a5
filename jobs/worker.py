"""The worker: claims jobs, carries them out, and turns every ending into rows."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.encryption import revealed_secrets
from backups.errors import StaleBackup
from dataplane.errors import DataPlaneError, StaleFence, Stopped
from dataplane.redaction import parts_of, without_secrets

from .clock import lease_time
from .dispatch import dispatcher
from .endings import settle
from .errors import DATABASE_TROUBLE, StaleJob
from .hold import Hold
from .looks import is_anything_claimable, is_anything_due
from .models import Job, Worker
from .moves import claim_job, move_job
from .presence import Presence, queues_for, worker_name
from .restores import describe_leftovers
from .states import JobState, JobType, backoff_seconds

log = logging.getLogger(__name__)

OUR_FAULT = "Something went wrong on our side; the log of the worker has the details under {code}."


def run_worker(stopping: threading.Event, regions: Sequence[str] = ()) -> bool:
    """Work until `stopping` is set, then hand back what is unfinished; False if a thread ended by itself.

    With `regions` it takes only the jobs of these.
    """
    from dataplane.memory import keep_memory_small

    from . import work  # noqa: F401  (imports the Milvus client now, not with the first job)

    keep_memory_small()

    name, broken = worker_name(), threading.Event()

    def work_until_stopped(thread_name: str, takes_checks: bool) -> None:
        try:
            _work_on_jobs(thread_name, stopping, regions, takes_checks=takes_checks)
        finally:
            if not stopping.is_set():
                # With a thread fewer everything would look well and be slow; the supervisor starts a whole worker.
                log.critical("%s ended by itself; the worker stops", thread_name)
                broken.set()
                stopping.set()

    threads = [
        # Checks read for hours and can wait. One thread leaves them alone, so that a restore need not.
        threading.Thread(
            target=work_until_stopped,
            args=(f"{name}:{number}", number > 0 or settings.WORKER_CONCURRENCY == 1),
            name=f"worker-{number}",
        )
        for number in range(settings.WORKER_CONCURRENCY)
    ]
    with Presence(queues_for(regions)):
        for thread in threads:
            thread.start()
        log.info("Worker %s is ready, %d jobs at a time", name, len(threads))
        for thread in threads:
            thread.join()
    return not broken.is_set()


def _work_on_jobs(
    name: str, stopping: threading.Event, regions: Sequence[str] = (), *, takes_checks: bool = True
) -> None:
    job: Job | None = None
    while not stopping.is_set():
        try:
            # Where there was one there are often more: after a job the next is taken without looking first.
            take = next_job if job is None else claim_job
            job = take(name, regions=regions, takes_checks=takes_checks)
            if job is not None:
                run_job(job, stopping)
                continue
        except DATABASE_TROUBLE as trouble:
            # A job that was being carried out keeps its lease until it runs out; the sweep then gives it back.
            log.warning("The database does not answer, trying again: %s", trouble)
            close_old_connections()
            job = None
            stopping.wait(2)
            continue
        stopping.wait(settings.JOB_POLL_SECONDS)
    connection.close()


def next_job(name: str, regions: Sequence[str] = (), *, takes_checks: bool = True) -> Job | None:
    """Claim a job if there is one. Looking first keeps an idle worker from taking SQLite's write lock."""
    # Most of the time there is nothing at all, and that is told for a tenth of what the whole question costs.
    if not is_anything_due() or not is_anything_claimable(regions=regions, takes_checks=takes_checks):
        return None
    return claim_job(name, regions=regions, takes_checks=takes_checks)


def run_job(job: Job, stopping: threading.Event) -> None:
    """Carry out a claimed job and record how it ended; raises only when the database does not answer."""
    from .work import carry_out

    started = time.monotonic()
    log.info("%s begins (attempt %d)", job, job.attempt)
    with Hold(job, stopping) as hold:
        try:
            carry_out(job, hold)
        except (Stopped, StaleJob, StaleBackup, StaleFence) as stop:
            _end_stopped(job, stop, is_shutdown=stopping.is_set())
        except DataPlaneError as failure:
            _end_failed(job, failure)
        except DATABASE_TROUBLE:
            raise
        except Exception:
            log.exception("%s crashed", job)
            _end_crashed(job, "it had crashed here")
    if job.is_active:
        # Ended through another copy of the row, handed back or taken over.
        job.refresh_from_db()
    log.info("%s: %s after %.1f s %s", job, job.state, time.monotonic() - started, job.reason)


def _end_stopped(job: Job, stop: Exception, *, is_shutdown: bool) -> None:
    """Somebody wants the work stopped: a person who canceled, a shutdown, or a worker that took the job over."""
    fresh = _still_mine(job)
    if fresh is None:
        _let_go(job, stop)
    elif fresh.state == JobState.CANCELING:
        _give_up(fresh, JobState.CANCELED, fresh.reason)
    elif is_shutdown:
        # Not the job's fault: the attempt does not count.
        note = f"{job.worker} shut down; another worker goes on"
        _move_or_let_go(fresh, JobState.PENDING, note=note, attempt=F("attempt") - 1)
    else:
        log.error("%s was stopped, but nobody had asked for that: %s", job, stop)
        _end_crashed(job, stop)


def _end_failed(job: Job, failure: DataPlaneError) -> None:
    # Our sentences hold no secret, but some quote what a library said.
    secrets = [part for secret in revealed_secrets() for part in parts_of(secret)]
    reason = without_secrets(str(failure), secrets)[:1000]
    fresh = _still_mine(job)
    if fresh is None:
        _let_go(job, reason)
    elif fresh.state == JobState.CANCELING:
        _give_up(fresh, JobState.CANCELED, fresh.reason)
    elif failure.retryable and fresh.attempt < fresh.max_attempts:
        wait = backoff_seconds(fresh.attempt)
        not_before = timezone.now() + timedelta(seconds=wait)
        note = f"{reason} Trying again in {wait} s."
        _move_or_let_go(fresh, JobState.PENDING, note=note, reason=reason, not_before=not_before)
    else:
        _give_up(fresh, JobState.FAILED, reason)


def _end_crashed(job: Job, why: object) -> None:
    fresh = _still_mine(job)
    if fresh is None:
        _let_go(job, why)
    elif fresh.state == JobState.CANCELING:
        _give_up(fresh, JobState.CANCELED, fresh.reason)
    else:
        _give_up(fresh, JobState.CRASHED, OUR_FAULT.format(code=job.code))


def _let_go(job: Job, why: object) -> None:
    """Say that the end of `job` was not ours to write: what is told of it afterwards is somebody else's work."""
    log.warning("%s was taken over by somebody else: %s", job, why)


def _give_up(job: Job, state: JobState, reason: str) -> None:
    """End a job of ours without success, and take away what it left half-done where that lies outside the stores."""
    note = reason
    if job.type == JobType.RESTORE:
        from .work import discard_restore

        note = f"{reason} {discard_restore(job)}".strip()
    _end_badly(job, state, reason=reason, note=note)


def _end_badly(job: Job, state: JobState, *, reason: str, note: str) -> None:
    try:
        with transaction.atomic():
            move_job(job, state, note=note, reason=reason[:1000])
            settle(job)
    except (StaleJob, StaleBackup) as stale:
        log.warning("%s was moved by somebody else: %s", job, stale)


def _move_or_let_go(job: Job, to: JobState, **changes: Any) -> None:
    try:
        move_job(job, to, **changes)
    except StaleJob as stale:
        log.warning("%s was moved by somebody else: %s", job, stale)


def _still_mine(job: Job) -> Job | None:
    """The row as it is now, if this worker still holds it."""
    return (
        Job.objects.filter(pk=job.pk, lease=job.lease)
        .exclude(lease="")
        .select_related("copy__backup", "backup", "cluster", "target_region")
        .first()
    )


def sweep() -> int:
    """Give the jobs of dead workers back to the others, and wake workers for what nobody took.

    Any process may call it at any time. Returns how many jobs moved.
    """
    now = timezone.now()
    silent = list(Job.objects.with_expired_lease(lease_time()).values_list("pk", flat=True))
    moved = sum(_release(job_id) for job_id in silent)
    if Worker.objects.long_silent(now).exists():
        Worker.objects.long_silent(now).delete()
    dispatcher().deliver_waiting(now)
    return moved


@transaction.atomic
def _release(job_id: int) -> bool:
    # Read again under the lock: the worker may have renewed its lease since the list was made.
    expired = (
        Job.objects.with_expired_lease(lease_time()).filter(pk=job_id).select_for_update(of=("self",), no_key=True)
    )
    job = expired.select_related("copy__backup", "backup", "cluster").first()
    if job is None:
        return False
    silence = f"{job.worker} stopped answering"
    left = f" {describe_leftovers(job.code, job.cluster.name)}" if job.type == JobType.RESTORE else ""
    if job.state == JobState.CANCELING:
        _end_badly(job, JobState.CANCELED, reason=f"{job.reason}{left}", note=f"{silence}; nothing is left to stop")
    elif job.attempt < job.max_attempts:
        _move_or_let_go(job, JobState.PENDING, note=f"{silence}; the job runs again", not_before=None)
    else:
        reason = f"{silence}, as had others in {job.attempt} attempts. {OUR_FAULT.format(code=job.code)}{left}"
        _end_badly(job, JobState.CRASHED, reason=reason, note=reason)
    return True
