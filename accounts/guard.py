"""What each view asks of whoever calls it: declared once, above the view, and asked here before the view runs.

    @needs(Privilege.BACKUP_MANAGE)
    @require_GET
    def backup_quote(request, code):
        cluster = find(Cluster.objects.existing(), request, code=code)

`find` asks for what the view declares, so that what is declared is what is asked. A view that declares nothing is not
served, and while `CHECK_DECLARATIONS` is set (in tests, and with DEBUG) neither is one that declares something about
one thing and then shows a thing that it did not `find`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from .access import find_in_organization, find_with, organizations_with, projects_with
from .audit_context import note_refusal
from .errors import PrivilegeMissing
from .http import HtmxHttpRequest
from .privileges import Need, Privilege

_Row = TypeVar("_Row", bound=models.Model)
_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])


class Of(Enum):
    """What a view's privilege is about."""

    ONE_THING = "one thing"
    """One row of a project, or the project: the view gets it by `find`."""
    ANY_PROJECT = "any project"
    """No single row; the privilege must be held in at least one project."""
    ORGANIZATION = "the organization"
    """One row of an organization, or the organization: the view gets it by `find`."""
    ANY_ORGANIZATION = "any organization"
    """No single row; the privilege must be held in the whole of at least one organization."""


# As clients of the control plane API v2 know them: key invalid, no permission; the last is ours.
CODE_OF_STATUS = {401: 21119, 403: 96015, 404: 40404}

ONE_THING, ANY_PROJECT, ORGANIZATION, ANY_ORGANIZATION = Of
_FOUND = {ONE_THING: find_with, ORGANIZATION: find_in_organization}


@dataclass(frozen=True)
class Access:
    """What one view asks: nothing (`why_open` says why), to be signed in, or a need, perhaps another by method."""

    of: Of | None = None
    needs: Need | Mapping[str, Need] | None = None
    why_open: str = ""
    is_for_machines: bool = False
    """Refusals are JSON, and nobody is sent to a sign-in page."""

    def need_for(self, request: HttpRequest) -> Need | None:
        """KeyError for a method that a declaration by method leaves out."""
        return self.needs[self.method_of(request)] if isinstance(self.needs, Mapping) else self.needs

    @staticmethod
    def method_of(request: HttpRequest) -> str:
        return "GET" if request.method == "HEAD" else request.method or ""


def needs(
    needed: Privilege | Need | Mapping[str, Privilege | Need], *, of: Of = ONE_THING, for_machines: bool = False
) -> Callable[[_View], _View]:
    """Declare that a view asks for what is `needed`; a mapping says so by method, and refuses every other method."""
    if isinstance(needed, Mapping):
        return _declare(Access(of, {name: _as_need(need) for name, need in needed.items()}, "", for_machines))
    return _declare(Access(of, _as_need(needed), "", for_machines))


def signed_in(view: _View) -> _View:
    """Declare that every signed-in person may call a view, which shows each of them only what they may see."""
    return _declare(Access())(view)


def with_key(view: _View) -> _View:
    """Declare that every program with a living API key may call a view, and nobody else."""
    return _declare(Access(is_for_machines=True))(view)


def open_to_all(why: str) -> Callable[[_View], _View]:
    """Declare that a view asks nobody to sign in, and why that is right."""
    return _declare(Access(why_open=why))


def declaration_of(view: Callable[..., object], view_name: str = "") -> Access | None:
    """What `view` declares, or for one that is not ours the table FOREIGN_VIEWS under its name in the URLs."""
    declared: Access | None = getattr(view, "access", None)
    return declared or _foreign_views().get(view_name)


def find(rows: models.QuerySet[_Row], request: HtmxHttpRequest, **lookup: object) -> _Row:
    """The one row of `rows` that `lookup` names, if whoever asks may do with it what the view declares.

    Http404 for a stranger and for what does not exist; PrivilegeMissing (403) for a colleague (rule R4).
    """
    need = request.access.need_for(request)
    if need is None or request.access.of not in _FOUND:
        raise ImproperlyConfigured("A view that finds one thing has to declare which privilege it needs of it.")
    request.has_asked = True
    return _FOUND[request.access.of](request.user, need, rows, **lookup)


class GuardMiddleware:
    """Asks, before a view runs, what it declares."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HtmxHttpRequest) -> HttpResponse:
        response = self.get_response(request)
        access: Access | None = getattr(request, "access", None)
        # A refusal needs no row, and neither does what fell over; everything else shows or changes one.
        shows_something = response.status_code < 400 or response.status_code == 422
        if shows_something and access and access.of in _FOUND and settings.CHECK_DECLARATIONS and not request.has_asked:
            raise ImproperlyConfigured(f"{request.path} is about one thing, but was answered without `find`.")
        return response

    def process_view(
        self, request: HtmxHttpRequest, view: Callable[..., object], args: object, kwargs: object
    ) -> HttpResponse | None:
        match = request.resolver_match
        access = declaration_of(view, match.view_name if match else "")
        if access is None:
            raise ImproperlyConfigured(f"{request.path} is not served: its view has no declaration of accounts.guard.")
        methods = list(access.needs) if isinstance(access.needs, Mapping) else ["GET", "POST"]
        if access.method_of(request) not in methods:
            return HttpResponseNotAllowed(methods)
        if not access.why_open and not request.user.is_authenticated:
            if access.is_for_machines:
                return _refuse(401, "Send a valid API key: Authorization: Bearer KEY.")
            return redirect_to_login(request.get_full_path())
        request.access, request.has_asked = access, False
        return self._ask(request, access)

    def process_exception(self, request: HtmxHttpRequest, exception: Exception) -> HttpResponse | None:
        access: Access | None = getattr(request, "access", None)
        if isinstance(exception, PermissionDenied) and request.user.is_authenticated:
            note_refusal(exception, user=request.user)
        if access is None or not access.is_for_machines:
            return None
        if isinstance(exception, PermissionDenied):
            return _refuse(403, str(exception))
        return _refuse(404, "There is no such thing.") if isinstance(exception, Http404) else None

    def _ask(self, request: HtmxHttpRequest, access: Access) -> HttpResponse | None:
        """Ask now for what belongs to no single row."""
        need = access.need_for(request)
        if need is None or access.of in _FOUND:
            return None
        in_organization = access.of is ANY_ORGANIZATION
        ask = organizations_with if in_organization else projects_with
        held = {privilege for privilege in need.privileges if ask(request.user, privilege).exists()}
        if need.is_met_by(held):
            return None
        refusal = PrivilegeMissing(need.missing_in(held), in_organization=in_organization)
        note_refusal(refusal, user=request.user)
        if access.is_for_machines:
            return _refuse(403, str(refusal))
        raise refusal


def _declare(access: Access) -> Callable[[_View], _View]:
    def mark(view: _View) -> _View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return mark


def _as_need(needed: Privilege | Need) -> Need:
    return Need((needed,)) if isinstance(needed, Privilege) else needed


@cache
def _foreign_views() -> Mapping[str, Access]:
    table: Mapping[str, Access] = import_string(settings.FOREIGN_VIEWS)
    return table


def _refuse(status: int, sentence: str) -> JsonResponse:
    """As every answer to a program that is no success: a code, which is never 0, and a sentence."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JsonResponse({"code": CODE_OF_STATUS[status], "message": sentence}, status=status, headers=headers)
