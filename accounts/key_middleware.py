"""Lets programs in with a key, where a view is declared to be for them, and there with nothing else."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse

from .guard import declaration_of
from .keys import authenticate_request


class NoSession(SessionBase):
    """What a program has instead of a session: there is nothing in it, and keeping something there is an error."""

    def load(self) -> dict[str, object]:
        return {}


class KeyMiddleware:
    """Stands before the check of CSRF tokens, which it calls off for views that are for machines.

    That is safe because such a view never learns of a cookie: who asks is said by the key alone, which no page of
    another site can send.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., object], args: object, kwargs: object) -> None:
        match = request.resolver_match
        access = declaration_of(view, match.view_name if match else "")
        if access is None or not access.is_for_machines:
            return
        request.COOKIES.clear()
        request.session = NoSession()
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        user = authenticate_request(request)
        request.user = user or AnonymousUser()
        request.api_key = user.acting_key if user else None  # type: ignore[attr-defined]
