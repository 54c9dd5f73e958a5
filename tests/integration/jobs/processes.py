"""Real workers: `manage.py run_worker` and `run_scheduler` as processes over the database of the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import connection

from dataplane.child import dying_with_us
from tests.site import PATIENCE_SECONDS

LEASE_SECONDS = 8
"""Short, so that a lost worker is noticed soon; long enough for a very busy machine to renew it in time."""


def database_environment() -> dict[str, str]:
    """What makes another process use the database of the test."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return {"DATABASE_FILE": str(found["NAME"])}
    return {"DATABASE_URL": f"postgres://{found['USER']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"}


class Process:
    """One program; start it in a `with` and it is gone afterwards, however it was left."""

    def __init__(self, command: str, log_path: Path, **environment: str) -> None:
        self.log_path = log_path
        environment = (
            os.environ
            | database_environment()
            | {
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "JOB_LEASE_SECONDS": str(LEASE_SECONDS),
                "JOB_POLL_SECONDS": "0.05",
            }
            | environment
        )
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                dying_with_us([sys.executable, "manage.py", *command.split()]),
                cwd=settings.BASE_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no last word, no tidying up."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: still there, does nothing, notices nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM, as a supervisor does; the exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)


def wait_until(is_true: Callable[[], bool], what: str, *processes: Process) -> None:
    """Poll quickly; a process that ended or a deadline that passed fails with the logs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > deadline or not all(process.is_running for process in processes):
            logs = "\n".join(f"--- {process.log_path.name}\n{process.log}" for process in processes)
            raise AssertionError(f"waited in vain until {what}\n{logs}")
        time.sleep(0.01)
