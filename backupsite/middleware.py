"""What every request passes through."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from .security import PERMISSIONS_POLICY


class HeadersMiddleware:
    """Headers that Django has no setting for. The first middleware, so that no answer goes without them.

    Whatever does not say for itself how long it may be kept (files do) is kept by nobody: after signing out, Back must
    not show a page, and no proxy may hand one person's page to another.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class BodySizeMiddleware:
    """Answers 413 to a body larger than LARGEST_REQUEST_BYTES before any of it is read.

    Django's own limits leave files alone, which go to the disk. A body that does not say its length is read as empty.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()):
            return HttpResponseBadRequest("The length of the body is no number.\n", content_type="text/plain")
        # Told apart by its digits first: turning millions of them into a number takes long, and Python refuses.
        if len(length) > 18 or int(length) > settings.LARGEST_REQUEST_BYTES:
            sentence = f"The largest request is {settings.LARGEST_REQUEST_BYTES:,} bytes. Send less at a time.\n"
            return HttpResponse(sentence, content_type="text/plain", status=413)
        return self.get_response(request)


class SignInForHtmxMiddleware:
    """Sends a signed-out htmx request to the sign-in page as a whole, so that no login form lands inside a card.

    Afterwards the person is back on the page that sent the request, not on the fragment it asked for.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        htmx = getattr(request, "htmx", None)
        if not htmx or response.status_code != 302:
            return response
        login_url = resolve_url(settings.LOGIN_URL)
        if urlsplit(response["Location"]).path != login_url:
            return response
        page = _page_of(htmx)
        return HttpResponseClientRedirect(redirect_to_login(page).url if page else login_url)


class NullCharacterMiddleware:
    """Answers 400 to a null character that came as far as PostgreSQL, which takes none; nobody types one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DataError):
            return None
        sent = [value for data in (request.GET, request.POST) for _, values in data.lists() for value in values]
        if any("\0" in str(text) for text in (request.path, *sent)) or _has_null_in_json(request):
            return HttpResponseBadRequest()
        return None


def _has_null_in_json(request: HttpRequest) -> bool:
    # A view has read it, or there would be no such trouble; so it is in memory.
    return request.content_type == "application/json" and b"\\u0000" in request.body


def _page_of(htmx: HtmxDetails) -> str | None:
    """Path and query of the page that sent the request; None where the browser names none of this site's."""
    try:
        path = htmx.current_url_abs_path
    except ValueError:  # half a bracket: no browser sent that
        return None
    # A path may begin with two slashes, which a browser would take for another host.
    return path if path and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else None
