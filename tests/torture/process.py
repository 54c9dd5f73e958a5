"""A process of the site, forked from this one: to start Python anew takes seconds each."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from dataplane.stores.local import LocalStore

# Stores as slow as distant ones, so that a kill at random meets a job in its middle.
_DELAY_SECONDS = 0.01
_DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG


class Process:
    """What `run` does, from the fork to a SIGKILL."""

    def __init__(self, run: Callable[[], object], log_path: Path, *, clock_shift_seconds: float = 0) -> None:
        _let_connections_go()
        self.pid = os.fork()
        if self.pid == 0:
            _become(run, log_path, timedelta(seconds=clock_shift_seconds))
        self._has_ended = False

    @property
    def is_running(self) -> bool:
        if not self._has_ended:
            self._has_ended = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return not self._has_ended

    @property
    def children(self) -> list[int]:
        """The processes that it has forked itself."""
        with suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    def kill(self) -> None:
        """SIGKILL to it and to what it forked, as a supervisor leaves nothing of it behind either."""
        if self.is_running:
            os.kill(self.pid, signal.SIGSTOP)  # or it would replace a child while we look for the others
            for pid in (*self.children, self.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._has_ended = True

    def kill_child(self, random: Random) -> None:
        """SIGKILL to one of those that it forked and has to replace."""
        if self.is_running and (children := self.children):
            with suppress(ProcessLookupError):
                os.kill(random.choice(children), signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: still there, does nothing, notices nothing. Returns when its last thread has stopped."""
        if self.is_running:
            os.kill(self.pid, signal.SIGSTOP)
            while not self._is_still():
                time.sleep(0.001)

    def thaw(self) -> None:
        if self.is_running:
            os.kill(self.pid, signal.SIGCONT)

    def thaw_after(self, seconds: float) -> None:
        """SIGCONT by somebody else: we may be waiting for what the frozen one holds."""
        if self.is_running:
            subprocess.Popen(["sh", "-c", f"sleep {seconds:.2f}; kill -CONT {self.pid} 2>/dev/null"])

    def _is_still(self) -> bool:
        for task in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            with suppress(OSError):  # a thread that ended meanwhile
                if task.read_text().rpartition(")")[2].split()[0] not in "TZX":
                    return False
        return True


def request_and_die(request: Callable[[], object], after_seconds: float) -> None:
    """A process that is killed in the middle of a request: it happens as a whole, or not at all."""
    _let_connections_go()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            request()
        os._exit(0)
    time.sleep(after_seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _let_connections_go() -> None:
    """Two processes on one connection would talk over each other."""
    connection.close()
    if settings.BROKER_URL:
        from kombu import pools

        pools.reset()


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DEATH_OF_PARENT, signal.SIGKILL)


def _become(run: Callable[[], object], log_path: Path, clock_shift: timedelta) -> None:
    try:
        die_with_parent()
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        logging.getLogger().setLevel(logging.INFO)
        _slow_stores_down()
        if clock_shift:
            _shift_clock(clock_shift)
        run()
    except Exception:
        logging.exception("%s ended", log_path.stem)
    finally:
        os._exit(1)


def _slow_stores_down() -> None:
    random = Random()

    def slowed(call: Callable[..., Any]) -> Callable[..., Any]:
        def wait_and_call(*arguments: Any, **named: Any) -> Any:
            time.sleep(random.uniform(0, 2 * _DELAY_SECONDS))
            return call(*arguments, **named)

        return wait_and_call

    for name in ("list", "find", "read", "read_bytes", "write", "delete", "sync"):
        setattr(LocalStore, name, slowed(getattr(LocalStore, name)))


def _shift_clock(shift: timedelta) -> None:
    right = timezone.now

    def wrong() -> datetime:
        return right() + shift

    setattr(timezone, "now", wrong)  # noqa: B010 - mypy refuses the assignment of a function to a function
