"""The processes of a site under torture, each started again when it was killed, as a supervisor does."""

from __future__ import annotations

import resource
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

from django.conf import settings
from django.core.management import call_command
from django.db import connection

import jobs.work  # noqa: F401 - so that no process has to load the Milvus client
from accounts.models import User
from tests.postgres import PostgresServer
from tests.rabbitmq_server import RabbitMQServer
from tests.redis_server import RedisServer
from tests.torture.process import Process
from tests.torture.web import Browser, WebServer, look_around, looks

WORKERS = ("worker-a", "worker-b")
SCHEDULER = "scheduler"
_WEB, _VISITOR = "web", "visitor"


def _celery_worker() -> None:
    """The other way of starting a woken worker: Celery's own."""
    from backupsite.celery import app

    app.worker_main(["--quiet", "worker", "--queues=general", "--loglevel=INFO", "--without-mingle"])


class Site:
    """Two workers, a scheduler and a web server over one database; use it as a context manager."""

    def __init__(
        self, logs: Path, user: User, *, server: PostgresServer | None, broker: RedisServer | RabbitMQServer | None
    ) -> None:
        self.logs, self.server, self.broker = logs, server, broker
        self._web = WebServer()
        self.browser = Browser(self._web.port, user)
        self._runs: dict[str, Callable[[], object]] = {
            **dict.fromkeys(WORKERS, partial(call_command, "run_worker")),
            SCHEDULER: partial(call_command, "run_scheduler"),
            _WEB: self._web.serve,
            _VISITOR: partial(look_around, self.browser, logs / "pages"),
        }
        if settings.BROKER_URL:
            self._runs[WORKERS[1]] = _celery_worker
        self._processes: dict[str, Process] = {}
        self._numbers = count(1)
        self._outages: list[tuple[float, float]] = []
        self.looks = 0
        """How many pages were looked at and weighed."""
        self.pid_of_log: dict[Path, int] = {}

    def __enter__(self) -> Site:
        for name in self._runs:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        self._web.close()

    def start(self, name: str, *, clock_shift_seconds: float = 0) -> None:
        log = self.logs / f"{next(self._numbers):05}-{name}.log"
        self._processes[name] = Process(self._runs[name], log, clock_shift_seconds=clock_shift_seconds)
        self.pid_of_log[log] = self._processes[name].pid

    def kill(self, name: str, *, clock_shift_seconds: float = 0) -> None:
        """SIGKILL, and another one in its place."""
        self._processes[name].kill()
        self.start(name, clock_shift_seconds=clock_shift_seconds)

    def kill_web(self) -> None:
        self.kill(_WEB)

    def kill_web_process(self, random: Random) -> None:
        """One of those that answer; gunicorn replaces it."""
        self._processes[_WEB].kill_child(random)

    def freeze(self, name: str, *, seconds: float) -> None:
        """SIGSTOP. Of SQLite's write lock there is one: frozen with it, a worker would freeze the whole site."""
        process = self._processes[name]
        process.freeze()
        while connection.vendor == "sqlite" and _is_locked():
            process.thaw()
            process.freeze()
        process.thaw_after(seconds)

    def limit_files(self, name: str, size_bytes: int) -> None:
        """A full disk, as this process sees it: no file grows beyond this size, the database's included."""
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        if self._processes[name].is_running:
            soft = hard if size_bytes < 0 else size_bytes
            resource.prlimit(self._processes[name].pid, resource.RLIMIT_FSIZE, (soft, hard))

    def restart_database(self) -> None:
        assert self.server is not None
        began = time.monotonic()
        self.server.crash()
        self.server.start()
        connection.close()
        self._outages.append((began, time.monotonic()))

    def was_database_away(self, began: float, ended: float) -> bool:
        """Whether a page that was asked for then may have met a database that did not answer."""
        return any(began <= back and away <= ended for away, back in self._outages)

    def complaints(self) -> list[str]:
        """Pages that did not answer as they should, told once; not those that had no database."""
        seen = looks(self.logs / "pages")
        news, self.looks = seen[self.looks :], len(seen)
        return [
            f"{look.path} answered {look.status}"
            for look in news
            if not look.is_well and not self.was_database_away(look.began, look.ended)
        ]

    def forget_ended_logs(self) -> None:
        living = {process.pid for process in self._processes.values()}
        self.pid_of_log = {path: pid for path, pid in self.pid_of_log.items() if pid in living}

    def revive(self) -> list[str]:
        """Start what ended by itself; the names of what did, which nothing here makes a process do."""
        ended = [name for name, process in self._processes.items() if not process.is_running]
        for name in ended:
            self.start(name)
        return ended


def _is_locked() -> bool:
    database = sqlite3.connect(connection.settings_dict["NAME"], timeout=0.2)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.rollback()
    except sqlite3.OperationalError:
        return True
    finally:
        database.close()
    return False
