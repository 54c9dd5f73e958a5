"""What every page's frame needs to know of the person who looks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .access import organizations_with, projects_with
from .privileges import Privilege


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`may_see_costs`, `may_see_workers` and `may_see_audit`.

    Each costs one query per request, made when a template asks for it, and is false while nobody is signed in.
    """
    questions: dict[str, Callable[[Any], bool]] = {
        "may_see_costs": lambda user: projects_with(user, Privilege.BILLING_VIEW).exists(),
        "may_see_workers": lambda user: organizations_with(user, Privilege.CLUSTER_MANAGE).exists(),
        "may_see_audit": lambda user: projects_with(user, Privilege.AUDIT_VIEW).exists(),
    }
    return {name: SimpleLazyObject(partial(_answer, request, name, ask)) for name, ask in questions.items()}


def _answer(request: HttpRequest, name: str, ask: Callable[[Any], bool]) -> bool:
    # Kept with the request: the page of a refusal is rendered with a context of its own.
    answers: dict[str, bool] = request.__dict__.setdefault("_navigation", {})
    if name not in answers:
        user: Any = getattr(request, "user", None)
        answers[name] = user is not None and user.is_authenticated and ask(user)
    return answers[name]
