"""A real Milvus 2.3.5 standalone server, out of the wheel `milvus`, for tests and benchmarks.

The server listens on every interface and cannot be told otherwise. So it gets a network namespace of its own, where
its ports are always free, and one port on 127.0.0.1 leads there. That takes Linux with user namespaces.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import lzma
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from types import TracebackType
from typing import Self

from dataplane.child import dying_with_us

START_SECONDS = 90.0
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_IMPATIENT = {
    "DATACOORD_SEGMENTFLUSHINTERVAL": "0",
    "QUERYCOORD_CHECKINTERVAL": "100",
    "QUERYCOORD_DISTPULLINTERVAL": "100",
    "PROXY_TIMETICKINTERVAL": "50",
    "ROOTCOORD_TIMETICKINTERVAL": "50",
}
"""How often its parts look whether there is something to do; by default, seconds pass before a flush begins."""
_FORWARD_BYTES = 1 << 20


def why_missing() -> str | None:
    """The sentence that says how to get the server, or None when it can be started here."""
    if importlib.util.find_spec("milvus") is None:
        return "The Milvus server for tests is not installed: run make test, which installs requirements-dev.txt."
    probe = [sys.executable, "-c", "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x50000000) != 0)"]
    if sys.platform != "linux" or subprocess.run(probe, check=False).returncode:
        return "The Milvus server for tests needs Linux with user namespaces, to be reachable from this machine only."
    return None


class MilvusServer:
    """Serves an empty cluster from a temporary folder until the block ends, or its starter does.

    `with_users` turns authentication on; the user root then has the password Milvus.
    """

    def __init__(self, *, with_users: bool = False) -> None:
        self.with_users = with_users
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def token(self) -> str:
        return "root:Milvus" if self.with_users else ""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="milvus-server-"))
        self._listener.listen()
        fd = self._listener.fileno()
        with (self._folder / "host.log").open("wb") as log:
            self._host = subprocess.Popen(
                dying_with_us(
                    [sys.executable, "-m", __spec__.name, str(self._folder), str(fd), str(int(self.with_users))]
                ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[fd],
                start_new_session=True,
            )
        assert self._host.stdout is not None
        if self._host.stdout.readline() != b"ready\n":
            said = (self._folder / "host.log").read_text(errors="replace").strip().splitlines()
            self.__exit__(None, None, None)
            raise RuntimeError(f"The Milvus server did not start: {said[-1] if said else 'it said nothing'}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._host.pid, signal.SIGKILL)  # it ends by nothing less
        self._host.communicate()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _programs() -> Path:
    """The folder with the unpacked server, unpacked once per environment."""
    milvus = importlib.import_module("milvus")
    found = Path(sys.prefix) / f"milvus-server-{milvus.__version__}"
    if not found.exists():
        unpacked = Path(tempfile.mkdtemp(prefix=".milvus-", dir=sys.prefix))
        for packed in (Path(str(milvus.__file__)).parent / "data" / "bin").glob("*.lzma"):
            program = unpacked / packed.stem
            program.write_bytes(lzma.decompress(packed.read_bytes()))
            program.chmod(0o755)
        try:
            unpacked.rename(found)
        except OSError:  # another process was faster
            shutil.rmtree(unpacked)
    return found


def _enter_own_network() -> None:
    """A network with nothing but a loopback device, seen by this process and its children."""
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        name, flags = struct.unpack("16sh", ioctl(control, _SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))
        ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh", name, flags | _IFF_UP))


def _start(folder: Path, *, with_users: bool) -> tuple[subprocess.Popen[bytes], int]:
    programs = _programs()
    config = importlib.import_module("milvus").MilvusServerConfig(data_dir=str(folder))
    config.set("authorization_enabled", with_users)
    config.resolve()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            dying_with_us([str(programs / "milvus"), "run", "standalone"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={
                "HOME": str(folder),
                "DEPLOY_MODE": "STANDALONE",
                "METRICS_PORT": "9091",
                "MILVUS_RUN_DIR": str(folder / "run"),
                "LD_LIBRARY_PATH": str(programs),
                **_IMPATIENT,
            },
        )
    return server, int(config.get("proxy_port"))


def _wait_until_healthy(server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with (
            suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen("http://127.0.0.1:9091/healthz", timeout=5) as answer,
        ):
            if b"OK" in answer.read():
                return
        time.sleep(0.05)
    raise TimeoutError(f"no healthy server; exit code {server.poll()}")


def _forward(source: socket.socket, target: socket.socket) -> None:
    buffer = memoryview(bytearray(_FORWARD_BYTES))
    with suppress(OSError):
        while size := source.recv_into(buffer):
            target.sendall(buffer[:size])
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _serve(folder: Path, listener: socket.socket, *, with_users: bool) -> None:
    _enter_own_network()
    server, port = _start(folder, with_users=with_users)
    _wait_until_healthy(server)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        # The listener stays in the network it was made in: what it accepts comes from outside.
        outside, _ = listener.accept()
        inside = socket.create_connection(("127.0.0.1", port))
        for one, other in ((outside, inside), (inside, outside)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_forward, args=(one, other), daemon=True).start()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])), with_users=sys.argv[3] == "1")
