"""A small OpenID Connect provider: discovery, tokens for a code with PKCE, and what it knows of a person."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET, KEY_ID = "backupsite", "secret-of-the-client", "key-1"


@cache
def signing_key() -> rsa.RSAPrivateKey:
    """One for all providers: making it takes longer than everything else here."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Provider:
    """Start it, `authorize` what a browser was sent with, and it will vouch for `person` to whoever brings the code."""

    person: dict[str, Any] = field(default_factory=dict)
    is_broken: bool = False
    codes: dict[str, str] = field(default_factory=dict)
    """What each code was given for: the challenge that whoever redeems it has to meet."""

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def authorize(self, location: str) -> dict[str, str]:
        """What the provider's page does when the person has signed in there: a code and the state, for the callback."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert location.startswith(f"{self.issuer}/authorize?")
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked["code_challenge"]
        return {"code": code, "state": asked["state"]}

    def _answer(self, path: str, posted: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        if self.is_broken:
            return 500, {"error": "server_error"}
        match path:
            case "/.well-known/openid-configuration":
                names = ("authorize", "token", "userinfo", "jwks")
                places = {name: f"{self.issuer}/{name}" for name in names}
                return 200, {
                    "issuer": self.issuer,
                    "authorization_endpoint": places["authorize"],
                    "token_endpoint": places["token"],
                    "userinfo_endpoint": places["userinfo"],
                    "jwks_uri": places["jwks"],
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                }
            case "/token":
                return self._redeem(posted)
            case "/userinfo" if authorization == "Bearer access-token":
                return 200, self.person
            case "/jwks":
                key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key().public_key()))
                return 200, {"keys": [key | {"kid": KEY_ID, "use": "sig"}]}
        return 404, {"error": "not_found"}

    def _redeem(self, posted: dict[str, str]) -> tuple[int, dict[str, Any]]:
        verifier = hashlib.sha256(posted.get("code_verifier", "").encode()).digest()
        meets = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if self.codes.pop(posted.get("code", ""), None) != meets or posted.get("client_secret") != CLIENT_SECRET:
            return 400, {"error": "invalid_grant"}
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": int(time.time()), "exp": int(time.time()) + 300}
        token = jwt.encode(claims | self.person, signing_key(), algorithm="RS256", headers={"kid": KEY_ID})
        return 200, {"access_token": "access-token", "token_type": "Bearer", "id_token": token, "expires_in": 300}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                posted = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
                path = urlsplit(self.path).path
                status, answer = provider._answer(path, posted, self.headers.get("Authorization", ""))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
