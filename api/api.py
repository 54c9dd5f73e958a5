"""The calls put together, and how everything that goes wrong is answered: as JSON, with a code."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled, ValidationError

from . import calls_backups, calls_jobs, calls_money, calls_places, calls_policy
from .envelope import refuse
from .errors import CODE_OF_FIELD, ApiRefused, Code
from .operation import Operations
from .throttle import PerKey

TITLE = "backupsite, control plane API v2"
ABOUT = (
    "Backups, copies to other regions, policies, restores and jobs, in the words of the Zilliz Cloud control plane API "
    f"v2, so that its clients work here. What is marked “{'Beyond the original service'}” is ours. "
    "Every call needs an API key: `Authorization: Bearer KEY`."
)

api = NinjaAPI(title=TITLE, version="2", description=ABOUT, docs_url=None, openapi_url=None, throttle=[PerKey()])
calls = Operations(api)
for room in (calls_places, calls_backups, calls_policy, calls_jobs, calls_money):
    room.add_calls(calls)


@api.exception_handler(ApiRefused)
def answer_refused(request: HttpRequest, refusal: ApiRefused) -> HttpResponse:
    return refuse(refusal.code, str(refusal), status=refusal.status)


@api.exception_handler(PermissionDenied)
def answer_not_allowed(request: HttpRequest, refusal: PermissionDenied) -> HttpResponse:
    return refuse(Code.NOT_ALLOWED, str(refusal), status=403)


@api.exception_handler(Http404)
def answer_missing(request: HttpRequest, missing: Http404) -> HttpResponse:
    return refuse(Code.NOT_FOUND, "There is no such thing.", status=404)


@api.exception_handler(Throttled)
def answer_throttled(request: HttpRequest, throttled: Throttled) -> HttpResponse:
    seconds = str(int(throttled.wait or 1))
    message = f"Rate limit: this key has made too many calls. Try again in {seconds} seconds."
    return refuse(Code.TOO_MANY_REQUESTS, message, status=429, headers={"Retry-After": seconds})


@api.exception_handler(HttpError)
def answer_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return refuse(Code.BAD_REQUEST, "The body is not JSON." if error.status_code == 400 else str(error), status=400)


@api.exception_handler(ValidationError)
def answer_invalid(request: HttpRequest, invalid: ValidationError) -> HttpResponse:
    """The first thing that is wrong, by the name of its field."""
    first: dict[str, Any] = invalid.errors[0]
    path = [str(part) for part in first["loc"]]
    named = [part for part in path if part in CODE_OF_FIELD]
    code = CODE_OF_FIELD[named[-1]] if named else Code.BAD_REQUEST
    where = path[-1] if path else "body"
    return refuse(code, f"{where}: {first['msg']}."[:500], status=400)


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    document: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/v2")))
    document["components"].setdefault("securitySchemes", {})["key"] = {"type": "http", "scheme": "bearer"}
    document["security"] = [{"key": []}]
    return document
