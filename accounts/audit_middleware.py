"""Says of each request where it came from, and writes down what it was refused."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .addresses import client_address
from .audit import record_refusals
from .audit_context import Source, coming_from


class AuditMiddleware:
    """Stands outside of whatever may refuse."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        source = Source(address=client_address(request), request_id=secrets.token_hex(8))
        with coming_from(source):
            response = self.get_response(request)
            if source.refusals:
                match = request.resolver_match
                code = str(match.kwargs.get("code", "")) if match else ""
                path, was_denied = f"{request.method} {request.path}", response.status_code == 403
                record_refusals(source, path=path, code=code, was_denied=was_denied)
        return response
