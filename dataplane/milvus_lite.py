"""A Milvus Lite server as a child process, for demos and tests: a real database in one folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from dataplane.child import dying_with_us
from dataplane.errors import ClusterError, ClusterUnreachable

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class MilvusLiteServer:
    """Serves the databases in `data_dir` on 127.0.0.1; the folder admits one server at a time.

    Without `port`, a free one is taken at the first start and kept for later ones, unless somebody took it meanwhile.
    On Linux the server dies with the thread that started it, so start it from a thread that lives as long as needed.
    """

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self.data_dir = data_dir
        self._port = port
        self._has_fixed_port = port is not None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        if self._port is None:
            self._port = free_port()
        return self._port

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_path(self) -> Path:
        return self.data_dir / "server.log"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers; ClusterUnreachable says what it wrote if it does not."""
        if self.is_running:
            return
        try:
            self._start_once()
        except ClusterError:
            if self._has_fixed_port:
                raise
            # Between our choice and the server's bind, any program's outgoing connection may get the very port.
            self._port = None
            self._start_once()

    def _start_once(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if _accepts(self.port):
            raise ClusterError(
                f"Milvus Lite cannot start: port {self.port} is taken. Stop what listens there, or choose another port."
            )
        command = [sys.executable, "-m", "milvus_lite", "server", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments we made
                dying_with_us(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not _accepts(self.port):
            if not self.is_running or time.monotonic() > deadline:
                self.stop()
                raise ClusterUnreachable(
                    f"Milvus Lite did not start on port {self.port}: {self._last_words()}. "
                    f"Read {self.log_path.name} in its folder."
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server and wait for it; fine when it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it wrote nothing"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
