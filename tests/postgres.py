"""A PostgreSQL server of the tests' own, and `python -m tests.postgres PROGRAM …`, which runs a program with one.

The program finds the server in DATABASE_URL. On a laptop without PostgreSQL nothing is run, and a sentence says so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from dataplane.child import dying_with_us
from tests.site import free_port

HOW_TO_GET_POSTGRESQL = "sudo apt-get install postgresql"
_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 120
# It refuses to run as root; Debian's package brings this account.
_ACCOUNT = "postgres"
# Nothing here outlives the tests, so nothing has to reach a disk.
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=64MB")


def find_postgresql() -> Path | None:
    """The folder of the newest server's programs: in PATH, or where Debian puts them, out of it."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = [path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    return max(versions, key=lambda path: int(path.parent.name), default=None)


class PostgresServer:
    """A fresh server on a free port of the loopback address and on a socket; it is gone when the `with` ends.

    One that is to `crash()` has to keep what it committed.
    """

    def __init__(self, *, keeps_commits: bool = False) -> None:
        self._options = [*_QUICK, *(["synchronous_commit=on"] if keeps_commits else [])]
        programs = find_postgresql()
        if programs is None:
            raise FileNotFoundError(f"PostgreSQL is not installed. Do this: {HOW_TO_GET_POSTGRESQL}")
        self._programs, self.port = programs, free_port()
        # Short, because a socket's path may have 107 characters; and where its account may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://backups@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> PostgresServer:
        try:
            if os.getuid() == 0:
                shutil.chown(self._folder, _ACCOUNT)
            self._run("initdb", "--auth=trust", "--username=backups", "--encoding=UTF8", "--locale=C", "--no-sync")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self) -> None:
        """Start it, at first or again, over the same data; returns when it answers."""
        options = [
            part for option in (f"unix_socket_directories={self._folder}", *self._options) for part in ("-c", option)
        ]
        command = self._command("postgres", f"--port={self.port}", *options)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                dying_with_us(command), cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_SECONDS
        ready = [str(self._programs / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        while subprocess.run(ready, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, connections and all; the data stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait()

    def crash(self) -> None:
        """SIGKILL to its first process, and wait until those it leaves behind have noticed."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        deadline = time.monotonic() + _START_SECONDS
        # They hold the shared memory, and a new server refuses to start beside them.
        while self._is_at_work() and time.monotonic() < deadline:
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_at_work(self) -> bool:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # ended meanwhile, or another account's
                if (folder / "cwd").readlink() == self._folder / "data":
                    return True
        return False

    def _command(self, program: str, *arguments: str) -> list[str]:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        if os.getuid() != 0:
            return command
        return ["setpriv", f"--reuid={_ACCOUNT}", f"--regid={_ACCOUNT}", "--init-groups", *command]

    def _run(self, program: str, *arguments: str) -> None:
        answer = subprocess.run(
            self._command(program, *arguments), cwd=self._folder, capture_output=True, text=True, check=False
        )
        if answer.returncode:
            raise RuntimeError(f"{program} failed:\n{answer.stdout}{answer.stderr}")


def main() -> int:
    if find_postgresql() is None:
        print(f"SKIPPED, because PostgreSQL is not installed: {' '.join(sys.argv[1:])}")
        print(f"To have it: {HOW_TO_GET_POSTGRESQL}")
        return 1 if os.environ.get("CI") else 0
    with PostgresServer() as server:
        environment = os.environ | {"DATABASE_URL": server.url}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
