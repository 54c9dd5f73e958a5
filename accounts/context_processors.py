"""What every page's frame needs to know of the person who looks."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .access import projects_with
from .privileges import Privilege


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`may_see_costs`: one query per request, made when a template asks for it; false while nobody is signed in."""

    def may_see_costs() -> bool:
        if not hasattr(request, "_may_see_costs"):
            user: Any = getattr(request, "user", None)
            is_signed_in = user is not None and user.is_authenticated
            found = is_signed_in and projects_with(user, Privilege.BILLING_VIEW).exists()
            request._may_see_costs = found  # type: ignore[attr-defined]
        return bool(request._may_see_costs)  # type: ignore[attr-defined]

    return {"may_see_costs": SimpleLazyObject(may_see_costs)}
