"""Requests that nobody in their right mind sends, to every address there is; the same ones for the same seed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from django.urls import URLPattern, URLResolver, get_resolver

_ARGUMENT = re.compile(r"<(?:\w+:)?(?P<path>\w+)>|\(\?P<(?P<regex>\w+)>[^)]*\)")
_CONTROL = re.compile(
    r"<(?:input|select|textarea|button)\b[^>]*?\bname=\"([^\"]+)\"[^>]*?(?:\bvalue=\"([^\"]*)\")?[^>]*>"
)
_OPTION = re.compile(r"<option\b[^>]*?\bvalue=\"([^\"]*)\"")

ODD = (
    "", " ", "0", "-1", "1", "00", "1.5", "1e999", "-0", "NaN", "Infinity", "99999999999999999999999", "٣",
    "²", "0x10",
    "true", "None", "null", "[]", "{}", "[[", '{"a": [1, null]}', "\0", "a\0b", "\ud800", "\ufeff",
    "\u202etxt", "🦄" * 9, "é",
    "é", "ﬀ", "İ", "ß", "A" * 300, "A" * 20_000, "%", "%00", "%ff", "%s%s%n", "{{ 7*7 }}", "{0.__class__}",
    "'\"", "';--",
    "1' OR '1'='1", "<script>alert(1)</script>", "javascript:alert(1)", "\r\nSet-Cookie: a=b", "\n", "\t",
    "..", "../../etc",
    "/", "//", "\\", ".", "?", "#", "*", "2024-02-30", "0000-00-00", "9999-12-31", "10000-01-01", "2024-13",
    "1-1", "24:00",
    "12:60", "1969-12-31T23:59:59", "Mars/Olympus", "* * * * *", "0 0 31 2 *", "@yearly", "*/0 * * * *",
    "1-99 * * * *",
    "file:///", "file:///etc", "file://%00", "s3://", "s3://[", "http://127.0.0.1", "http://[::1",
    "http://a@b:c/", "https://x:99999",
    "gcp-us-west1", "aws-us-east-1", "gcp-mars-north1", "owner", "backup: manage", "manual", "auto", "failed",
    "successful",
    "inxx_0", "job_1", "backup", "default", "docs", "next", "-created_at", "on", "yes", "desc", "keep", "everything",
)  # fmt: skip
NAMES = (
    "projectId", "clusterId", "backupId", "regionId", "jobId", "currentPage", "pageSize", "frequency", "retentionDays",
    "page", "after", "before", "next", "state", "type", "region", "regions", "cluster", "schedule", "words",
    "month", "day", "name",
    "confirmation", "url", "options", "endpoint", "token", "cron", "days", "kept_days", "time_zone",
    "collections", "copy",
    "scope", "size_gb", "provider", "email", "password", "login", "role", "privileges", "project",
    "organization", "code", "q",
    "csrfmiddlewaretoken", "_method", "window_start", "targets", "file", "csv", "prices", "from", "until",
    "action", "key",
)  # fmt: skip
METHODS = ("GET",) * 14 + ("POST",) * 12 + ("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW")
TYPES = ("application/x-www-form-urlencoded",) * 5 + (
    "multipart/form-data; boundary=x", "multipart/form-data", "application/json", "text/plain", "application/xml",
    "application/x-www-form-urlencoded; charset=utf-7", "multipart/form-data; boundary=" + "x" * 300, "nonsense", "",
)  # fmt: skip
HEADERS = {
    "HTTP_HX_REQUEST": ("true", "false", "\xff"),
    "HTTP_HX_TARGET": ODD, "HTTP_HX_TRIGGER": ODD, "HTTP_HX_CURRENT_URL": ("http://testserver/jobs/", "//x",
    "http://[", *ODD),
    "HTTP_HX_CURRENT_URL_URI_AUTOENCODED": ("true",), "HTTP_HX_HISTORY_RESTORE_REQUEST": ("true",),
    "HTTP_HX_BOOSTED": ("true",),
    "HTTP_ACCEPT": ("application/json", "text/csv", "*/*;q=x", ""), "HTTP_ACCEPT_ENCODING": ("gzip", "br;q=", "\0"),
    "HTTP_ACCEPT_LANGUAGE": ("de", "x" * 500, "*"), "HTTP_HOST": ("evil.example.com", "testserver:99999", "",
    "a b", "[::1"),
    "HTTP_X_FORWARDED_FOR": ("1.2.3.4, 5.6.7.8", "x", "::1%lo", "a\0b"),
    "HTTP_X_FORWARDED_HOST": ("evil.example.com",),
    "HTTP_X_HTTP_METHOD_OVERRIDE": ("DELETE",), "HTTP_IF_MODIFIED_SINCE": ("yesterday",
    "Thu, 01 Jan 9999999 00:00:00 GMT"),
    "HTTP_IF_NONE_MATCH": ('"x"', "*", 'W/"'), "HTTP_RANGE": ("bytes=0-0", "bytes=9-1"),
    "HTTP_REFERER": ("http://[", *ODD),
    "HTTP_AUTHORIZATION": ("Bearer x", "Basic eDp4", "Basic \xff", "Bearer " + "A" * 9_000),
    "HTTP_EXPECT": ("100-continue",),
    "HTTP_ORIGIN": ("null", "http://evil.example.com", "http://["), "CONTENT_LENGTH": ("-1", "x", "5", "99999999999"),
    "REMOTE_ADDR": ("", "x", "::ffff:1.2.3.4"),
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    who: str
    method: str
    path: str
    body: bytes
    content_type: str
    environ: dict[str, Any] = field(default_factory=dict)
    """Headers as WSGI names them."""

    def __str__(self) -> str:
        words = f"{self.method} {self.path[:500]} as {self.who}"
        return f"{words}\n  {self.content_type[:80]}: {self.body[:800]!r}\n  {str(self.environ)[:800]}"


def routes() -> list[str]:
    """Every address with its arguments still open."""
    return sorted(set(_routes(get_resolver(), "")))


def _routes(resolver: URLResolver, before: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, route)
        elif isinstance(pattern, URLPattern):
            yield f"/{route.removesuffix('$')}"


class Fuzzer:
    """Makes requests out of `things`, which are there, by the argument that names them (`code`: by where the route
    begins), `codes` of anything at all, and nonsense. `show` gives a page as the owner sees it, so that forms are
    filled in with names and values they know.
    """

    def __init__(
        self,
        random: Random,
        *,
        things: Mapping[str, str],
        codes: Sequence[str],
        who: Sequence[str],
        show: Callable[[str], str],
    ) -> None:
        self._random, self._things, self._codes, self._who, self._show = random, things, codes, who, show
        self._routes = routes()
        self._forms: dict[str, list[tuple[str, str]]] = {}

    def request(self) -> Request:
        random = self._random
        route, method, content_type = random.choice(self._routes), random.choice(METHODS), random.choice(TYPES)
        path = self._path(route)
        if method == "GET" or random.random() < 0.5:
            path += "?" + self._fields(route, most=4)
        names = random.sample(list(HEADERS), random.choice((0, 0, 0, 1, 1, 3)))
        headers = {name: str(random.choice(HEADERS[name])) for name in names}
        if random.random() < 0.3:
            headers["HTTP_HX_REQUEST"] = "true"
        body = b"" if method in ("GET", "HEAD") else self._body(route, content_type)
        return Request(random.choice(self._who), method, path, body, content_type, headers)

    def _path(self, route: str) -> str:
        path = _ARGUMENT.sub(lambda argument: self._argument(route, _name_of(argument)), route)
        return path if self._random.random() > 0.03 else path + _quoted(self._word())

    def _argument(self, route: str, name: str) -> str:
        chance = self._random.random()
        if chance < 0.6:
            return self._fitting(route, name)
        return _quoted(self._random.choice(self._codes) if chance < 0.85 else self._word())

    def _fitting(self, route: str, name: str) -> str:
        found = self._things.get(name) or self._things.get(route.split("/")[1]) or self._codes[0]
        return _quoted(found)

    def _word(self) -> str:
        return self._random.choice(self._codes if self._random.random() < 0.2 else ODD)

    def _fields(self, route: str, *, most: int) -> str:
        known, pairs = self._form(route), []
        for _ in range(self._random.randint(0, most)):
            is_known = bool(known) and self._random.random() < 0.7
            name, value = self._random.choice(known) if is_known else (self._random.choice(NAMES), "")
            pairs.append((name, value if value and self._random.random() < 0.5 else self._word()))
        return _form_encoded(pairs)

    def _body(self, route: str, content_type: str) -> bytes:
        random = self._random
        if "json" in content_type:
            value: Any = random.choice(
                (None, [], 7, {"a": [{}]}, {random.choice(NAMES): self._word() for _ in range(4)})
            )
            return random.choice((json.dumps(value).encode(), b"{", b"\xff", b"[" * 5_000))
        if "multipart" in content_type:
            file = random.choice(("", '; filename="a.csv"', '; filename="../../x"', "; filename="))
            head = f'--x\r\nContent-Disposition: form-data; name="{random.choice(NAMES)}"{file}\r\n\r\n'.encode()
            whole = head + self._word().encode("utf-8", "replace") + b"\r\n--x--\r\n"
            return random.choice((whole, whole, head, b"--x", b"\xff" * 40))
        # A whole form with a thing or two wrong comes further than one in which nothing is right.
        filled = [(name, self._word() if random.random() < 0.2 else value) for name, value in self._form(route)]
        return random.choice((self._fields(route, most=8), _form_encoded(filled), _form_encoded(filled))).encode()

    def _form(self, route: str) -> list[tuple[str, str]]:
        """(name, value) of every control on the page at `route`."""
        if route not in self._forms:
            page = self._show(_ARGUMENT.sub(lambda argument: self._fitting(route, _name_of(argument)), route))
            options = [unescape(value) for value in _OPTION.findall(page) if value]
            found = [(unescape(name), unescape(value)) for name, value in _CONTROL.findall(page)]
            choice = self._random.choice
            self._forms[route] = [(name, value or (choice(options) if options else "")) for name, value in found]
        return self._forms[route]


def _name_of(argument: re.Match[str]) -> str:
    return str(argument["path"] or argument["regex"])


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _form_encoded(pairs: Iterable[tuple[str, str]]) -> str:
    return urlencode([(name, value.encode("utf-8", "surrogatepass")) for name, value in pairs])
