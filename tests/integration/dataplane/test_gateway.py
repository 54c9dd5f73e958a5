"""Stores behind the gateway: nothing but what was judged is reached, not by a redirect and not by a second answer."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dataplane.cluster_types import ClusterEndpoint
from dataplane.errors import EndpointInvalid, StoreError, StoreMisconfigured
from dataplane.gateway import gateway_url
from dataplane.milvus_connection import Connection
from dataplane.reach import Reach
from dataplane.stores.base import ObjectStore
from dataplane.stores.open import open_store

ONE, OTHER = "127.0.0.1", "127.0.0.2"
REACH = Reach(networks=(ip_network(f"{ONE}/32"),))
KEYS = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1", "allow_invalid_certificates": "true"}


class Server:
    """An S3 server that keeps objects in memory, or sends everybody on to another address."""

    def __init__(self, host: str, *, redirect: str = "", certificate: Path | None = None) -> None:
        self.requests: list[str] = []
        self.objects: dict[str, bytes] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                server.requests.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                found = server.objects.get(self.path, b"")
                if self.command == "PUT":
                    server.objects[self.path], found = body, b""
                status = 307 if redirect else 200 if found or self.command == "PUT" else 404
                self.send_response(status)
                if redirect:
                    self.send_header("Location", redirect)
                self.send_header("ETag", '"1"')
                self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                self.wfile.write(found)

            do_GET = do_PUT = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer((host, 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://{host}:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(host: str, **options: object) -> Server:
        servers.append(Server(host, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=store", "-days", "2"]
    subprocess.run([*command, "-keyout", str(path), "-out", str(tmp_path / "c.pem")], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (tmp_path / "c.pem").read_bytes())
    return path


def bucket(endpoint: str) -> ObjectStore:
    return open_store("s3://backups/here", options=KEYS | {"endpoint": endpoint}, reach=REACH)


def test_objects_of_any_size_come_back_as_they_were_sent(serve):
    store = bucket(serve(ONE).url)
    for key, content in {"a": b"x", "a b?&": b"odd", "large": bytes(range(256)) * 20_000}.items():
        store.write(key, content)
        assert store.read_bytes(key) == content


def test_a_server_with_tls_is_reached_through_a_tunnel(serve, certificate):
    server = serve(ONE, certificate=certificate)
    store = bucket(server.url)
    store.write("key", b"content" * 100_000)
    assert store.read_bytes("key") == b"content" * 100_000
    assert server.requests == ["PUT /backups/here/key", "GET /backups/here/key"]


def test_a_redirect_to_an_address_that_may_not_be_reached_is_not_followed(serve):
    inner = serve(OTHER)
    inner.objects["/latest/meta-data"] = b"secret"
    store = bucket(serve(ONE, redirect=f"{inner.url}/latest/meta-data").url)
    with pytest.raises(StoreError) as failed:
        store.read_bytes("key")
    assert "secret" not in str(failed.value)
    assert inner.requests == []


def test_a_name_that_means_another_address_the_second_time_leads_nowhere(serve, monkeypatch):
    inner = serve(OTHER)
    answers = iter([ONE])

    def resolve(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers, OTHER), 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    store = bucket(f"http://rebinding.example.com:{urlsplit(inner.url).port}")
    with pytest.raises(StoreError):
        store.read_bytes("key")
    assert inner.requests == []


def test_an_address_that_may_not_be_reached_is_refused_before_anything_is_sent(serve):
    inner = serve(OTHER)
    with pytest.raises(StoreMisconfigured, match="ALLOWED_NETWORKS"):
        bucket(inner.url)
    with pytest.raises(EndpointInvalid, match="ALLOWED_NETWORKS"), Connection(ClusterEndpoint(inner.url, reach=REACH)):
        pass
    assert inner.requests == []


@pytest.mark.parametrize(
    ("request_line", "has_secret", "status"),
    [
        ("GET http://{server}/ HTTP/1.1", False, 407),
        ("CONNECT {server} HTTP/1.1", False, 407),
        ("GET / HTTP/1.1", True, 400),
        ("GET ftp://{server}/ HTTP/1.1", True, 400),
        ("CONNECT {server}x HTTP/1.1", True, 400),
        ("nonsense", True, 400),
        (f"CONNECT {OTHER}:80 HTTP/1.1", True, 403),
        ("CONNECT 0x7f.2:80 HTTP/1.1", True, 403),
        ("GET http://169.254.169.254/ HTTP/1.1", True, 403),
        (f"CONNECT {ONE}:1 HTTP/1.1", True, 502),
    ],
)
def test_the_gateway_serves_this_process_alone_and_connects_nowhere_else(serve, request_line, has_secret, status):
    server, proxy = serve(ONE), urlsplit(gateway_url(REACH))
    headers = ""
    if has_secret:
        secret = b64encode(f"store:{proxy.password}".encode()).decode()
        headers = f"Proxy-Authorization: Basic {secret}\r\n"
    with socket.create_connection((str(proxy.hostname), int(proxy.port or 0)), timeout=5) as connection:
        line = request_line.format(server=urlsplit(server.url).netloc)
        connection.sendall(f"{line}\r\n{headers}\r\n".encode())
        answer = connection.recv(1000).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert server.requests == []
