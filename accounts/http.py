"""Requests as views receive them after the middleware."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from .models import User


class HtmxHttpRequest(HttpRequest):
    """A signed-in request; `htmx` is truthy when htmx sent it."""

    htmx: HtmxDetails
    user: User
