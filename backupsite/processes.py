"""Child processes: run one to its end, or keep several running until told to stop. Knows nothing of the site."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from dataplane.child import dying_with_us

POLL_SECONDS = 0.1
STOP_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that ran this long is healthy: its next end counts as its first."""
LARGEST_LOG_BYTES = 5_000_000


class Child:
    """One program, started again with growing pauses whenever it ends. It dies with this process, however that ends."""

    def __init__(self, name: str, command: Sequence[str], log_dir: Path, *, pass_fds: Sequence[int] = ()) -> None:
        self.name = name
        self.log_path = log_dir / f"{name}.log"
        self._command, self._pass_fds = list(command), tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._ends_in_a_row = 0

    @property
    def exit_code(self) -> int | None:
        """None while it runs, or before it was started."""
        return self._process.poll() if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > LARGEST_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".old.log"))
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                dying_with_us(self._command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self._pass_fds,
                # Ctrl-C in a terminal reaches its whole group; we tell the children ourselves, in order.
                start_new_session=True,
            )
        self._started_at = time.monotonic()

    def look_after(self, say: Callable[[str], None]) -> None:
        """Start it again if it ended and its pause is over; `say` gets a line for every end. Call often."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at:
                self.start()
            return
        code = self._process.poll()
        if code is None:
            return
        self._process = None
        self._ends_in_a_row = 1 if now - self._started_at > STEADY_SECONDS else self._ends_in_a_row + 1
        pause = min(0.5 * 2 ** (self._ends_in_a_row - 1), LONGEST_PAUSE_SECONDS)
        self._start_at = now + pause
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        say(f"{self.name} {ended}; starting it again in {pause:g} s. Its log: {self.log_path}")

    def ask_to_stop(self) -> None:
        if self.is_running and self._process:
            self._process.terminate()

    def kill(self) -> None:
        """End it and whatever shares its process group, at once."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def last_lines(self, count: int) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-count:])


def stop_children(children: Iterable[Child]) -> None:
    """Ask all of them at once, wait up to STOP_SECONDS, then kill what is left."""
    waiting = [child for child in children if child.is_running]
    for child in waiting:
        child.ask_to_stop()
    deadline = time.monotonic() + STOP_SECONDS
    while any(child.is_running for child in waiting) and time.monotonic() < deadline:
        time.sleep(0.05)
    for child in waiting:
        child.kill()


def run_to_end(children: Sequence[Child], stopping: threading.Event) -> Child | None:
    """Start all of them and wait for all; the first that failed, or None. When `stopping` is set, they are stopped."""
    for child in children:
        child.start()
    while any(child.is_running for child in children):
        if stopping.wait(POLL_SECONDS) or any(child.exit_code for child in children):
            stop_children(children)
    return next((child for child in children if child.exit_code), None)
