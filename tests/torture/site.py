"""The processes of a site under torture, each started again when it was killed, as a supervisor does."""

from __future__ import annotations

import resource
import sqlite3
from itertools import count
from pathlib import Path

from django.db import connection

import jobs.work  # noqa: F401 - so that no process has to load the Milvus client
from tests.postgres import PostgresServer
from tests.torture.process import Process

WORKERS = ("worker-a", "worker-b")
SCHEDULER = "scheduler"

_COMMANDS = {**dict.fromkeys(WORKERS, "run_worker"), SCHEDULER: "run_scheduler"}


class Site:
    """Two workers and a scheduler over one database; use it as a context manager."""

    def __init__(self, logs: Path, server: PostgresServer | None) -> None:
        self.logs, self.server = logs, server
        self._processes: dict[str, Process] = {}
        self._numbers = count(1)
        self.pid_of_log: dict[Path, int] = {}

    def __enter__(self) -> Site:
        for name in _COMMANDS:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()

    def start(self, name: str, *, clock_shift_seconds: float = 0) -> None:
        log = self.logs / f"{next(self._numbers):05}-{name}.log"
        self._processes[name] = Process(_COMMANDS[name], log, clock_shift_seconds=clock_shift_seconds)
        self.pid_of_log[log] = self._processes[name].pid

    def kill(self, name: str, *, clock_shift_seconds: float = 0) -> None:
        """SIGKILL, and another one in its place."""
        self._processes[name].kill()
        self.start(name, clock_shift_seconds=clock_shift_seconds)

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
        self.server.crash()
        self.server.start()
        connection.close()

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
