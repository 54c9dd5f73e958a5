"""Celery as the engine that wakes workers on many machines: the messages, and the worker that listens to them.

A message carries a job's code and nothing else. It is acknowledged when it arrives, so that none outlives its worker
and starts a job twice; a lost one is sent again by the sweep, a doubled one finds the job taken.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.db import close_old_connections
from kombu import Connection
from kombu.exceptions import KombuError, OperationalError
from kombu.pools import producers

from .dispatch import dispatcher
from .errors import DATABASE_TROUBLE
from .moves import claim_job
from .presence import GENERAL, Presence, queues_for, worker_name
from .states import JobType
from .worker import run_job

log = logging.getLogger(__name__)

WAKE = "jobs.wake"
SEND_SECONDS = 1.0
"""How long one step of sending a message may take; the page of whoever asked for the job waits meanwhile."""
TURN_SECONDS = 0.05


class BrokerDown(Exception):
    """The message could not be sent."""


app = Celery("backupsite")
app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_default_queue=GENERAL,
    task_ignore_result=True,
    task_acks_late=False,
    # Threads: jobs wait for networks and for libraries that leave the interpreter free, and a shutdown reaches them.
    worker_pool="threads",
    worker_concurrency=settings.WORKER_CONCURRENCY,
    # No worker hoards messages for jobs that another one could begin now.
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=settings.BROKER_URL.startswith("redis"),
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_enable_remote_control=False,
    # Celery would open a connection to the database for every message; ours are looked at before they are used again.
    CELERY_DB_REUSE_MAX=1_000_000_000,
)

# Set when the worker shall stop: jobs are handed back, and no further one is claimed.
_stopping = threading.Event()
_presence: list[Presence] = []
# Checks read for hours and can wait: they leave one slot alone, so that a restore need not.
_free_for_checks = threading.BoundedSemaphore(max(1, settings.WORKER_CONCURRENCY - 1))


@app.task(name=WAKE)
def wake(code: str) -> None:
    """Carry out the job `code`, if it is still there to be taken."""
    if _stopping.is_set():
        return
    takes_checks = _free_for_checks.acquire(blocking=False)
    try:
        slot = threading.current_thread().name.rpartition("_")[2]
        job = claim_job(f"{worker_name()}:{slot}", code=code, takes_checks=takes_checks)
        if takes_checks and (job is None or job.type != JobType.VERIFY):
            _free_for_checks.release()
            takes_checks = False
        if job is None:
            dispatcher().not_taken(code)
        else:
            run_job(job, _stopping)
    except DATABASE_TROUBLE as trouble:
        # The lease of a job in hand runs out, and the sweep gives it back; one that was not claimed is delivered again.
        log.warning("The database does not answer: %s", trouble)
        close_old_connections()
    finally:
        if takes_checks:
            _free_for_checks.release()


def send(code: str, queue: str) -> None:
    """Wake somebody who listens to `queue` for the job `code`. BrokerDown within some two seconds if that fails."""
    try:
        with producers[_connection()].acquire(block=True, timeout=SEND_SECONDS) as producer:
            app.send_task(WAKE, [code], queue=queue, producer=producer, retry=False, ignore_result=True)
    except (OperationalError, KombuError, OSError) as trouble:
        raise BrokerDown(str(trouble)) from trouble


def _connection() -> Connection:
    """For sending alone: impatient, unlike the connection over which a worker listens."""
    patience = {"socket_connect_timeout": SEND_SECONDS, "socket_timeout": SEND_SECONDS}
    options = patience if settings.BROKER_URL.startswith("redis") else {}
    return Connection(settings.BROKER_URL, connect_timeout=SEND_SECONDS, transport_options=options)


@signals.worker_ready.connect
def _begin(sender: Any, **_: Any) -> None:
    if _presence:  # ready again, after the broker was away
        return
    from dataplane.memory import keep_memory_small

    from . import work  # noqa: F401  (imports the Milvus client now, not with the first job)

    keep_memory_small()

    queues = sorted(sender.app.amqp.queues.consume_from)
    presence = Presence(queues, is_woken=True)
    presence.__enter__()
    _presence.append(presence)
    if sender.hub:
        # Without prefetching, a slot that is free again takes a message at the next turn of the loop, of which there
        # would be one a second.
        sender.hub.call_repeatedly(TURN_SECONDS, lambda: None)
    log.info("Worker %s is ready for %s, %d jobs at a time", worker_name(), ", ".join(queues), sender.pool.limit)


@signals.task_prerun.connect
def _look_at_connection(**_: Any) -> None:
    close_old_connections()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _stopping.set()


@signals.worker_shutdown.connect
def _end(**_: Any) -> None:
    while _presence:
        _presence.pop().__exit__(None, None, None)


def run_woken_worker(regions: Sequence[str]) -> int:
    """Listen until SIGTERM, then hand back what is unfinished; the exit code."""
    worker = app.Worker(
        queues=queues_for(regions), without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True
    )
    worker.start()
    return int(worker.exitcode or 0)
