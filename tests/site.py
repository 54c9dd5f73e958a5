"""The whole site as a newcomer starts it: `python -m backupsite.up` in a folder and on a port of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 180.0
STOP_SECONDS = 60.0
PATIENCE_SECONDS = 120.0
"""However busy the machine is, what has not come true by then never will."""
# What tests/settings.py puts into the environment for this process; a newcomer's has none of it.
_OURS = (
    "DJANGO_SETTINGS_MODULE",
    "VAR_DIR",
    "DATABASE_URL",
    "BROKER_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "HTTPS",
    "ALLOWED_HOSTS",
    "ALLOWED_NETWORKS",
    "LOCAL_STORES_ROOT",
    "PORT",
)


# Below what the kernel gives to whoever connects, so that nobody gets a port by chance before it is used.
_PORTS = range(10_000, 32_000)


def free_port() -> int:
    chance = random.SystemRandom()  # of its own, for two processes that were seeded alike ask for different ports
    while True:
        with socket.socket() as listener, suppress(OSError):
            port = chance.choice(_PORTS)
            listener.bind(("127.0.0.1", port))
            return port


def clean_environment(**added: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OURS} | added


class RunningSite:
    """Start it and stop it as often as you like; the folder `var` keeps its data in between."""

    def __init__(self, var: Path, *, port: int | None = None, **environment: str) -> None:
        self.var = var
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = clean_environment(VAR_DIR=str(var), PORT=str(self.port), **environment)
        self._process: subprocess.Popen[bytes] | None = None
        self.start_seconds: list[float] = []
        """How long each start took until the site answered."""

    @property
    def notes(self) -> dict[str, Any]:
        """What demo.json says."""
        found: dict[str, Any] = json.loads((self.var / "demo.json").read_text())
        return found

    @property
    def users(self) -> dict[str, dict[str, str]]:
        """email and password by role."""
        return {user["role"]: user for user in self.notes["users"]}

    @property
    def clusters(self) -> dict[str, dict[str, str]]:
        """id, plan and region by name."""
        return {cluster["name"]: cluster for cluster in self.notes["clusters"]}

    @property
    def output(self) -> str:
        """Everything the command has written to its terminal."""
        return (self.var / "terminal.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start the command without waiting for the site."""
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "terminal.log").open("wb") as terminal:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backupsite.up"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start, and wait until the site answers and the demo's clusters can be searched."""
        began, already = time.monotonic(), self.log("clusters").count("has loaded")
        self.launch()
        self.wait_for("The site answers at")
        self.start_seconds.append(time.monotonic() - began)
        wait_until(lambda: self.log("clusters").count("has loaded") >= already + 4, "the demo can be searched")

    def wait_for(self, text: str) -> None:
        """Wait until the terminal shows `text`."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while text not in self.output:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{text!r} did not appear. The terminal shows:\n{self.output}")
            time.sleep(0.05)

    def log(self, name: str) -> str:
        path = self.var / "log" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def processes(self) -> dict[int, str]:
        """Command line by process id of everything alive that was started for this folder."""
        mark = f"VAR_DIR={self.var}".encode()
        found = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                if mark not in (folder / "environ").read_bytes().split(b"\0"):
                    continue
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # ended meanwhile, or another account's
                continue
            if command:  # a zombie has none
                found[int(folder.name)] = command
        return found

    def process_of(self, command: str) -> int:
        """The process whose command line contains `command`; of a program that forks, the parent."""
        found = {pid for pid, line in self.processes().items() if command in line}
        return next(pid for pid in found if _parent_of(pid) not in found)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal Ctrl-C sends, wait, and give the exit code; 0 if it does not run."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page, redirects followed."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_until(
    is_true: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS, pause: float = 0.02
) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(pause)
