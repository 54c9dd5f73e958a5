"""`python -m benchmarks.queue_worker`: the product's worker, whose jobs succeed without doing anything."""

from __future__ import annotations

import signal
import threading

import django

django.setup()

from django.conf import settings  # noqa: E402

from jobs import work  # noqa: E402
from jobs.hold import Hold  # noqa: E402
from jobs.models import Job  # noqa: E402
from jobs.moves import move_job  # noqa: E402
from jobs.states import JobState  # noqa: E402
from jobs.worker import run_worker  # noqa: E402


def do_nothing(job: Job, hold: Hold) -> None:
    move_job(job, JobState.SUCCESSFUL)


def main() -> None:
    work.carry_out = do_nothing
    if settings.BROKER_URL:
        from jobs.celery_app import run_woken_worker

        run_woken_worker([])
        return
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    run_worker(stopping)


if __name__ == "__main__":
    main()
