"""Requests as views receive them after the middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from .models import User

if TYPE_CHECKING:
    from .guard import Access


class HtmxHttpRequest(HttpRequest):
    """A signed-in request; `htmx` is truthy when htmx sent it."""

    htmx: HtmxDetails
    user: User
    access: Access
    """What the view declares."""
    has_asked: bool
    """Whether the view has found something with what it declares."""
