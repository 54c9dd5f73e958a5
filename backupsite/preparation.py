"""What `make run` gets ready before it starts anything: keys, environment, port, lock, static files. No Django here."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dashboard.demo.notes import write_private_file
from dataplane.reach import PRIVATE_NETWORKS

BASE_DIR = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"


class CannotStart(Exception):
    """The sentence tells the person at the terminal why, and what to do."""


@dataclass(frozen=True)
class Options:
    """What the operator chose through the environment."""

    port: int
    var_dir: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Options:
        text = environment.get("PORT", "8000").strip()
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
            raise CannotStart(
                f"PORT must be a number from 1 to 65535, but is {text!r}. For example: make run PORT=8001"
            )
        return cls(port=int(text), var_dir=Path(environment.get("VAR_DIR") or BASE_DIR / "var").resolve())

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def take_port(port: int) -> socket.socket:
    """A listening socket, which the web server inherits: nobody can take the port between this check and its start,
    and it stays ours while a web server that ended is started again. CannotStart if it is taken.
    """
    listener = socket.socket()
    # Connections of a site that has just been stopped do not count.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(256)
    except PermissionError as error:
        listener.close()
        raise CannotStart(f"Port {port} needs privileges this account lacks. Try: make run PORT=8000") from error
    except OSError as error:
        listener.close()
        other = port + 1 if port < 65535 else 8000
        raise CannotStart(
            f"Port {port} on {HOST} is taken. Stop what listens there, or choose another: make run PORT={other}"
        ) from error
    return listener


def take_folder(options: Options) -> TextIO:
    """Make the folder and lock it for as long as the returned file is open. CannotStart names whoever has it."""
    var_dir = options.var_dir
    try:
        var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (var_dir / "run.lock").open("a+")
    except OSError as error:
        raise CannotStart(
            f"{var_dir} cannot be written ({error.strerror}). Name another folder with VAR_DIR."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        owner = lock.read().strip() or "another process"
        lock.close()
        raise CannotStart(
            f"The site already runs over {var_dir} ({owner}). Stop that one first, or give this one a folder and "
            "a port of its own: VAR_DIR=/some/folder make run PORT=8001"
        ) from error
    lock.truncate(0)
    lock.write(f"process {os.getpid()} at {options.url}\n")
    lock.flush()
    return lock


def environment_for(var_dir: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of every child: what the operator set, and safe values for a site on the loopback address.

    Makes the two keys on the first start. Losing them means new sign-ins, and lost cluster tokens and credentials.
    """
    chosen = dict(environment)
    chosen |= {"DJANGO_SETTINGS_MODULE": "backupsite.settings", "VAR_DIR": str(var_dir), "PYTHONUNBUFFERED": "1"}
    keys = {
        "SECRET_KEY": ("secret.key", secrets.token_urlsafe(50)),
        "ENCRYPTION_KEYS": ("encryption.key", base64.urlsafe_b64encode(os.urandom(32)).decode()),
    }
    for name, (file_name, new_key) in keys.items():
        if name in chosen or f"{name}_FILE" in chosen:
            continue
        path = var_dir / file_name
        if not path.exists():
            write_private_file(path, new_key)
        chosen[f"{name}_FILE"] = str(path)
    # Requests and gRPC would send even what goes to the loopback address through a company's proxy.
    for name in ("no_proxy", "NO_PROXY"):
        chosen[name] = ",".join(filter(None, [chosen.get(name), HOST, "localhost"]))
    defaults = {"HTTPS": "false", "ALLOWED_HOSTS": f"{HOST},localhost", "EMBEDDED_CLUSTERS": "true"}
    # Whoever tries the site has a Milvus or an S3 server on this machine rather than anywhere else.
    defaults["ALLOWED_NETWORKS"] = ",".join(map(str, (*PRIVATE_NETWORKS, "127.0.0.0/8", "::1/128")))
    return defaults | chosen


def static_stamp() -> str:
    """A digest of everything that decides what collectstatic makes."""
    sources = [BASE_DIR / "requirements.txt", BASE_DIR / "backupsite/finders.py", BASE_DIR / "backupsite/storage.py"]
    sources += sorted(path for path in (BASE_DIR / "static").rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(BASE_DIR)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
