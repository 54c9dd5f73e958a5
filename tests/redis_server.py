"""A Redis server of the tests' own: on a free port of the loopback address, with nothing on disk."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import suppress

from dataplane.child import dying_with_us
from tests.site import free_port

HOW_TO_GET_REDIS = "sudo apt-get install redis-server"
_START_SECONDS = 60


def find_redis() -> str | None:
    return shutil.which("redis-server")


class RedisServer:
    """Use in a `with`; `stop` and `start` in between for an outage, which loses every message."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, at first or again; one that runs stays as it is."""
        if self._process is not None and self._process.poll() is None:
            return
        program = find_redis()
        if program is None:
            raise FileNotFoundError(f"Redis is not installed. Do this: {HOW_TO_GET_REDIS}")
        command = [program, f"--port {self.port}", "--bind 127.0.0.1", "--save ''", "--appendonly no"]
        self._process = subprocess.Popen(
            dying_with_us(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Redis did not start")
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False
