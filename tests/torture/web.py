"""The pages of a site under torture: gunicorn as operators run it, and somebody who looks at them."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from urllib.parse import urlencode

from django.test import Client
from django.utils.crypto import get_random_string

from accounts.models import User

HOST = "127.0.0.1"
PATIENCE_SECONDS = 120.0
"""A page that has not answered by then never will, however busy the machine is."""
PAGES = ("/", "/jobs/", "/jobs/table/", "/backups/", "/clusters/", "/costs/", "/prices/", "/health/ready/")
_PAUSE_SECONDS = 0.05


class WebServer:
    """A port on which somebody listens, whoever is killed: so nobody who calls while a server starts is sent away."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Become gunicorn, with the options of deploy/."""
        options = ["--worker-class=gthread", "--workers=2", "--threads=8", "--keep-alive=5"]
        options += [f"--bind=fd://{self._listener.fileno()}", "--no-control-socket", "--log-level=warning"]
        sys.argv = ["gunicorn", "backupsite.wsgi", *options]
        from gunicorn.app.wsgiapp import run

        run()

    def close(self) -> None:
        self._listener.close()


@dataclass(frozen=True)
class Answer:
    """What came back; no status where the connection broke, as it does when the server is killed."""

    status: int | None
    location: str = ""


class Question:
    """A request that has been sent. Several can be under way at once without a thread, which a fork would lose."""

    def __init__(self, port: int, method: str, path: str, headers: Mapping[str, str], body: str = "") -> None:
        self._connection = HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)
        with suppress(OSError, HTTPException):
            self._connection.request(method, path, body or None, dict(headers))

    def is_read(self) -> bool:
        """Whether the server has taken everything that was sent out of its socket, and so begun with it."""
        ours, theirs = (
            _in_hex(end) for end in (self._connection.sock.getsockname(), self._connection.sock.getpeername())
        )
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = line.split()
            if (local, remote) == (theirs, ours):
                return queues.endswith(":00000000")
        return True

    def answer(self) -> Answer:
        try:
            response = self._connection.getresponse()
            response.read()
            return Answer(response.status, response.getheader("Location") or "")
        except TimeoutError:
            return Answer(504)
        except (OSError, HTTPException):
            return Answer(None)
        finally:
            self._connection.close()


def _in_hex(address: tuple[str, int]) -> str:
    """As /proc/net/tcp writes an address."""
    host, port = address
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"


class Browser:
    """Signed in as somebody, without the pages that a person would have to see first."""

    def __init__(self, port: int, user: User) -> None:
        client = Client(headers={"host": HOST})
        client.force_login(user)
        for page in PAGES:
            client.get(page)  # loads code and templates once, for all the processes to come
        self._port, token = port, get_random_string(32)
        self._headers = {
            "Host": HOST,
            "Cookie": f"sessionid={client.cookies['sessionid'].value}; csrftoken={token}",
            "X-CSRFToken": token,
        }

    def get(self, path: str) -> Question:
        return Question(self._port, "GET", path, self._headers)

    def post(self, path: str, data: Mapping[str, object]) -> Question:
        headers = self._headers | {"Content-Type": "application/x-www-form-urlencoded"}
        return Question(self._port, "POST", path, headers, urlencode(data, doseq=True) or "asked=yes")


def look_around(browser: Browser, report: Path) -> None:
    """Open pages for ever, and write down when, which, and what each answered."""
    random = Random()
    with report.open("a", buffering=1) as lines:
        while True:
            path, began = random.choice(PAGES), time.monotonic()
            status = browser.get(path).answer().status
            lines.write(f"{began} {time.monotonic()} {status} {path}\n")
            time.sleep(_PAUSE_SECONDS)


@dataclass(frozen=True)
class Look:
    """A page that was looked at."""

    began: float
    ended: float
    status: str
    path: str

    @property
    def is_well(self) -> bool:
        """Also one whose connection broke: that is what a killed server leaves."""
        return self.status in {"200", "None"}


def looks(report: Path) -> list[Look]:
    """What stands in the report of somebody who looked around."""
    found = []
    for line in report.read_text().splitlines(keepends=True) if report.exists() else []:
        if line.endswith("\n"):
            began, ended, status, path = line.split()
            found.append(Look(float(began), float(ended), status, path))
    return found
