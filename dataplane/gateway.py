"""The way out for a library that looks names up by itself and follows redirects: a proxy on the loopback address.

obstore resolves names and follows redirects where nobody can look. So for addresses that people typed it is given this
proxy, which resolves each name once, judges every answer, and connects to what it judged. What is inside an HTTPS
connection stays between obstore and the server.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

from dataplane.reach import AddressRefused, Reach

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 330.0
"""Longer than obstore waits for one request."""
LARGEST_HEAD_BYTES = 64 * 1024
PIECE_BYTES = 256 * 1024

_gateways: dict[tuple[int, Reach], Gateway] = {}
_lock = threading.Lock()


def gateway_url(reach: Reach) -> str:
    """The proxy of this process for `reach`, started when it is first needed; it ends with the process."""
    key = (os.getpid(), reach)  # a child that was forked has none of its parent's threads
    with _lock:
        if key not in _gateways:
            _gateways[key] = Gateway(reach)
        return _gateways[key].url


class Gateway:
    """Listens until the process ends. Only who knows its secret may use it: other accounts share the loopback."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        password = secrets.token_urlsafe(24)
        self._authorization = b"Basic " + b64encode(f"store:{password}".encode())
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://store:{password}@127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="gateway", daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), name="gateway-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            client.settimeout(IDLE_SECONDS)
            with suppress(OSError):  # either side went away; the other one is told by closing
                try:
                    self._pass_on(client)
                except AddressRefused as refusal:
                    log.warning("A store was refused an address: %s", refusal)
                    _answer(client, "403 Forbidden")
                except _BadRequest:
                    _answer(client, "400 Bad Request")

    def _pass_on(self, client: socket.socket) -> None:
        incoming = _Incoming(client)
        head = incoming.read_head()
        if head is None:
            return
        if not secrets.compare_digest(head.fields.get(b"proxy-authorization", b""), self._authorization):
            _answer(client, "407 Proxy Authentication Required")
            return
        try:
            server = self._connect(head.host, head.port)
        except OSError:
            _answer(client, "502 Bad Gateway")
            return
        with server:
            if head.is_tunnel:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with _copying(server, client):
                if head.is_tunnel:
                    _copy(client, server, first=incoming.rest())
                else:
                    _send_requests(head, incoming, server)

    def _connect(self, host: str, port: int) -> socket.socket:
        trouble: OSError | None = None
        for address in self._reach.resolve(host, port):
            try:
                server = socket.create_connection((address, port), timeout=CONNECT_SECONDS)
            except OSError as error:
                trouble = error
                continue
            server.settimeout(IDLE_SECONDS)
            return server
        raise trouble or OSError(f"{host} has no address")


class _BadRequest(Exception):
    """Nothing that obstore would send."""


class _Head:
    """Request line and fields of a request to a proxy."""

    def __init__(self, text: bytes) -> None:
        first, *lines = text.split(b"\r\n")
        try:
            self.method, target, self.version = first.split(b" ")
            pairs = [line.split(b":", 1) for line in lines]
            self.lines = [(name, value.strip()) for name, value in pairs]
            self.is_tunnel = self.method == b"CONNECT"
            parts = urlsplit(f"//{target.decode('ascii')}" if self.is_tunnel else target.decode("ascii"))
            self.host, self.port = parts.hostname or "", parts.port or 80
            self.body_bytes = int(self.fields.get(b"content-length", b"0"))
        except ValueError as error:
            raise _BadRequest from error
        is_known = self.is_tunnel or parts.scheme == "http"
        if not self.host or not is_known or b"transfer-encoding" in self.fields or self.body_bytes < 0:
            raise _BadRequest
        # To the byte, because the request is signed: what follows the host.
        self.target = b"/" + target.partition(b"//")[2].partition(b"/")[2]

    @property
    def fields(self) -> dict[bytes, bytes]:
        return {name.lower(): value for name, value in self.lines}

    def for_server(self) -> bytes:
        """As the server wants it: without the host in its first line, and without our secret."""
        kept = [name + b": " + value for name, value in self.lines if not name.lower().startswith(b"proxy-")]
        return b"\r\n".join([b" ".join((self.method, self.target, self.version)), *kept, b"", b""])


class _Incoming:
    """What a client sends, cut into heads and bodies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def read_head(self) -> _Head | None:
        """The next request's, or None when the client has no more."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > LARGEST_HEAD_BYTES:
                raise _BadRequest
            piece = self._connection.recv(PIECE_BYTES)
            if not piece:
                return None
            self._buffer += piece
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        return _Head(head)

    def read_body(self, size_bytes: int) -> Iterator[bytes]:
        while size_bytes:
            piece = self._buffer[:size_bytes] or self._connection.recv(min(size_bytes, PIECE_BYTES))
            if not piece:
                raise ConnectionError("the client left in the middle of a body")
            self._buffer = self._buffer[len(piece) :]
            size_bytes -= len(piece)
            yield piece

    def rest(self) -> bytes:
        rest, self._buffer = self._buffer, b""
        return rest


def _send_requests(head: _Head, incoming: _Incoming, server: socket.socket) -> None:
    """Send the request, and those that follow on the same connection, as long as they are for the same server."""
    following: _Head | None = head
    while following and not following.is_tunnel and (following.host, following.port) == (head.host, head.port):
        server.sendall(following.for_server())
        for piece in incoming.read_body(following.body_bytes):
            server.sendall(piece)
        following = incoming.read_head()


@contextmanager
def _copying(source: socket.socket, target: socket.socket) -> Iterator[None]:
    """Copy the answers in a thread of their own meanwhile, to their end. Whichever side ends first ends both."""

    def run() -> None:
        with suppress(OSError), ExitStack() as stack:
            stack.callback(_hang_up, target)
            _copy(source, target)

    thread = threading.Thread(target=run, name="gateway-answers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        _hang_up(source)
        thread.join()


def _copy(source: socket.socket, target: socket.socket, *, first: bytes = b"") -> None:
    if first:
        target.sendall(first)
    view = memoryview(bytearray(PIECE_BYTES))  # one buffer for all: this is on the way of every byte
    while size_bytes := source.recv_into(view):
        target.sendall(view[:size_bytes])


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _answer(client: socket.socket, status: str) -> None:
    client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
