"""What every request of a signed-in person passes through."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect

from .guard import declaration_of
from .http import HtmxHttpRequest
from .second_factors import lacks_required_factor
from .signin_adapters import address_or_none_of

SEEN_EVERY_SECONDS = 60
MOST_REMEMBERED = 10_000

# What somebody needs who has to set up a second factor, besides what is open to all, such as signing out.
SETTING_UP = frozenset(
    {
        "mfa_index",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "mfa_view_recovery_codes",
        "account_reauthenticate",
        "mfa_reauthenticate",
        "mfa_reauthenticate_webauthn",
    }
)


class LastSeenMiddleware:
    """Notes when and from where a session was last used, once a minute: pages that ask every second write nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._noted: dict[str, float] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        key = request.session.session_key
        # Asked last and only of a session that was read: nobody's page costs a query more for this.
        if key and request.session.accessed and request.user.is_authenticated:
            self._note(key, request)
        return response

    def _note(self, key: str, request: HttpRequest) -> None:
        now = time.monotonic()
        if now - self._noted.get(key, -SEEN_EVERY_SECONDS) < SEEN_EVERY_SECONDS:
            return
        if len(self._noted) >= MOST_REMEMBERED:
            self._noted.clear()
        self._noted[key] = now
        # Each process keeps its own notes; the condition spares the row what another has just written.
        due = UserSession.objects.filter(
            session_key=key, last_seen_at__lt=timezone.now() - timedelta(seconds=SEEN_EVERY_SECONDS)
        )
        due.update(last_seen_at=timezone.now(), ip=address_or_none_of(request))


class TwoFactorMiddleware:
    """Leads whoever lacks the second factor that their organization asks for to where it is set up, and nowhere else.

    A key has no factors: what acts with one is restricted already, by the privileges it was given.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HtmxHttpRequest, view: Callable[..., object], args: object, kwargs: object
    ) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        access = declaration_of(view, name)
        if name in SETTING_UP or (access is not None and access.why_open):
            return None
        user = request.user
        if not user.is_authenticated or user.restriction is not None or not lacks_required_factor(user):
            return None
        address = reverse("mfa_index")
        return HttpResponseClientRedirect(address) if request.htmx else redirect(address)
