"""The `zilliz` command line client, unmodified, in an environment of its own, pointed at a site of ours.

Some of its commands call a fixed address of the vendor, whatever they are told. For them a proxy on the loopback
address plays that address with a certificate that only this client believes, and passes the call on to the site:
nothing ever leaves the machine.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VERSION = "1.0.2"
VENDOR = "api.cloud.zilliz.com"
HOME = Path(sys.prefix) / f"zilliz-cli-{VERSION}"


HOW_TO_GET_IT = f"zilliz-cli=={VERSION} comes from the package index; make test installs it where that can be reached"


def install() -> Path:
    """The command, installed if it was not yet; CalledProcessError where it cannot be had."""
    command = HOME / "bin" / "zilliz"
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with HOME.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not command.exists():
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(HOME)], check=True)
            pip = [sys.executable, "-m", "pip", "--python", str(HOME / "bin" / "python"), "install", "--quiet"]
            subprocess.run([*pip, "--disable-pip-version-check", f"zilliz-cli=={VERSION}"], check=True)
    return command


class ZillizCli:
    """`zilliz` as a user has it who has set its base URL and a key."""

    def __init__(self, folder: Path, *, url: str, key: str) -> None:
        self._command, self._folder, self._url, self._key = install(), folder, url, key
        self._proxy = _Vendor(folder, url)

    def __enter__(self) -> Self:
        self._proxy.start()
        self.run("configure", "set", "base_url", self._url)
        return self

    def __exit__(self, *exception: object) -> None:
        self._proxy.stop()

    def run(self, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "ZILLIZ_CONFIG_DIR": str(self._folder / "zilliz"),
            "ZILLIZ_API_KEY": self._key if key is None else key,
            "HTTPS_PROXY": self._proxy.url,
            "SSL_CERT_FILE": str(self._proxy.authority),
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return subprocess.run(
            [str(self._command), *arguments],
            env=environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ask(self, *arguments: str) -> Any:
        """What a command prints as JSON; AssertionError unless it succeeded."""
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def refusal(self, *arguments: str, key: str | None = None) -> tuple[int, str]:
        """Code and message of a command that fails."""
        done = self.run(*arguments, "-o", "json", key=key)
        assert done.returncode == 1, f"{arguments}: {done.stdout}{done.stderr}"
        # A hint for the user may stand around it.
        told, _ = json.JSONDecoder().raw_decode(done.stderr[done.stderr.index("{") :])
        return told["error"]["code"], told["error"]["message"]


class _Vendor:
    """A proxy that answers for the vendor's address and for no other."""

    def __init__(self, folder: Path, url: str) -> None:
        self._site = urlsplit(url)
        self.authority = folder / "authority.pem"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(_make_certificate(folder, self.authority))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), client:
                client.settimeout(30)
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        if not _read_head(client).startswith(f"CONNECT {VENDOR}:443 ".encode()):
            client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self._context.wrap_socket(client, server_side=True) as secure:
            head = _read_head(secure)
            lines = head.rstrip(b"\r\n").split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
            body = b""
            while len(body) < length:
                body += secure.recv(length - len(body))
            kept = [line for line in lines if not line.lower().startswith((b"host:", b"connection:"))]
            kept += [f"Host: {self._site.netloc}".encode(), b"Connection: close"]
            with socket.create_connection((self._site.hostname or "", self._site.port or 80)) as site:
                site.sendall(b"\r\n".join(kept) + b"\r\n\r\n" + body)
                while part := site.recv(1 << 16):
                    secure.sendall(part)


def _read_head(connection: socket.socket) -> bytes:
    """Up to the empty line that ends the header, byte by byte: what follows belongs to somebody else."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        one = connection.recv(1)
        if not one:
            raise OSError("closed")
        head += one
    return head


def _make_certificate(folder: Path, authority: Path) -> Path:
    """A certificate for the vendor's name with its key; who trusts `authority` believes it."""
    now = datetime.now(UTC)
    issuer_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Only for these tests")])

    def begin(subject: x509.Name, public_key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    issuer_id = x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key())
    root = begin(issuer, issuer_key.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    root = root.add_extension(issuer_id, critical=False)
    leaf = begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, VENDOR)]), key.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(VENDOR)]), critical=False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
    pem = serialization.Encoding.PEM
    authority.write_bytes(root.sign(issuer_key, hashes.SHA256()).public_bytes(pem))
    chain = folder / "vendor.pem"
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + leaf.sign(issuer_key, hashes.SHA256()).public_bytes(pem))
    return chain
