"""A RabbitMQ server of the tests' own: on free ports of the loopback address, in a folder that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from dataplane.child import dying_with_us
from tests.site import free_port

HOW_TO_GET_RABBITMQ = "sudo apt-get install rabbitmq-server"
# Debian's program in PATH changes its account and needs root; this is the one that it calls.
_DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_SECONDS = 120


def find_rabbitmq() -> str | None:
    return str(_DEBIAN) if _DEBIAN.exists() else shutil.which("rabbitmq-server")


class RabbitMQServer:
    """Use in a `with`; `stop` and `start` in between for an outage, which loses every message that is not durable."""

    def __init__(self) -> None:
        self.port, self._node_port, self._names_port = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._folder = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self._names: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RabbitMQServer:
        try:
            (self._folder / "plugins").write_text("[].")
            # Erlang's register of names: started here, or the server would start one that stays for ever.
            self._names = self._run(["epmd"])
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._names is not None:
            self._names.kill()
            self._names.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, at first or again; one that runs stays as it is."""
        if self._process is not None and self._process.poll() is None:
            return
        program = find_rabbitmq()
        if program is None:
            raise FileNotFoundError(f"RabbitMQ is not installed. Do this: {HOW_TO_GET_RABBITMQ}")
        self._process = self._run([program])
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGKILL to the server and to what it started."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        folder = self._folder
        environment = os.environ | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "tests@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.sh"),
        }
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(
                dying_with_us(command),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(client.recv(1))
        return False
