"""How a call is declared: its path, what it needs, what it answers, and an example that a test runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import wraps
from typing import Any, TypeVar

from django.urls import URLPattern
from ninja import NinjaAPI

from accounts.guard import Access, Of
from accounts.privileges import Need, Privilege

from .envelope import Answer, Refusal

_View = TypeVar("_View", bound=Callable[..., Any])

OURS = "Beyond the original service"
REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 413, 429})


@dataclass(frozen=True)
class Example:
    """One call that works. In `path`, and wherever a value begins with `$`, a name stands for what the reader has."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None


class Operations:
    """The calls of an API, and who may make each of them."""

    def __init__(self, api: NinjaAPI) -> None:
        self.api = api
        self._access: dict[str, Access] = {}

    def add(
        self,
        method: str,
        route: str,
        *,
        answers: Any,
        tag: str,
        needs: Privilege | Need | None = None,
        of: Of | None = None,
        example: Example | None = None,
    ) -> Callable[[_View], _View]:
        """Declare a call. Its function gets the request and returns the `data` of the answer."""

        def register(view: _View) -> _View:
            self._declare(method, route, Need((needs,)) if isinstance(needs, Privilege) else needs, of)
            self.api.api_operation(
                [method],
                route,
                response={200: Answer[answers], REFUSALS: Refusal},
                tags=[tag],
                operation_id=view.__name__,
                url_name=view.__name__.replace("_", "-"),
                by_alias=True,
                openapi_extra={"x-example": asdict(example or Example())},
            )(_answering(view))
            return view

        return register

    def _declare(self, method: str, route: str, need: Need | None, of: Of | None) -> None:
        declared = self._access.get(route, Access(of, {} if need else None, is_for_machines=True))
        needs = {**declared.needs, method: need} if isinstance(declared.needs, Mapping) and need else None
        self._access[route] = Access(of, needs, is_for_machines=True)

    def urls(self) -> list[URLPattern]:
        """The calls as Django serves them, each path once and with its declaration."""
        by_route = {route.replace("{", "<").replace("}", ">").lstrip("/"): route for route in self._access}
        patterns: dict[str, URLPattern] = {}
        for pattern in self.api.urls[0]:
            route = str(pattern.pattern)
            if isinstance(pattern, URLPattern) and route in by_route and route not in patterns:
                view: Any = pattern.callback
                view.access = self._access[by_route[route]]
                patterns[route] = pattern
        # What is spelled out goes before what a name stands for.
        return sorted(patterns.values(), key=lambda pattern: str(pattern.pattern).replace("<", "~"))


def _answering(view: Callable[..., Any]) -> Callable[..., Any]:
    """`view` with its data in the envelope."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"code": 0, "data": view(*args, **kwargs)}

    # Its annotations are names in the module of `view`, and are looked up in that of `answer`.
    answer.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]
    return answer
