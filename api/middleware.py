"""JSON for whatever goes wrong below the API's addresses."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .envelope import refuse
from .errors import Code

PREFIX = "/v2/"
_WORDS = {
    400: (Code.BAD_REQUEST, "The request cannot be read."),
    403: (Code.NOT_ALLOWED, "That is not allowed."),
    404: (Code.NOT_FOUND, "There is no such call."),
    405: (Code.BAD_METHOD, "This call takes another method."),
    413: (Code.TOO_LARGE, "The body is too large."),
}


class JsonErrorsMiddleware:
    """Answers with JSON whatever goes wrong below the API's addresses, also where no call was reached."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code < 400 or not request.path.startswith(PREFIX) or _is_json(response):
            return response
        code, message = _WORDS.get(response.status_code, (Code.OURS, "Something went wrong here. It is in the log."))
        kept = {name: response[name] for name in ("Allow", "Retry-After") if name in response}
        return refuse(code, message, status=response.status_code, headers=kept)


def _is_json(response: HttpResponse) -> bool:
    if response.headers.get("Content-Type", "").partition(";")[0] != "application/json":
        return False
    if response.streaming:
        return True
    try:
        return isinstance(json.loads(response.content), dict)
    except ValueError:
        return False
