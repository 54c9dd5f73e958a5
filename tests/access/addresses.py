"""Every address of the site, as the URLconf has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from accounts.guard import Access, declaration_of


@dataclass(frozen=True)
class Address:
    name: str
    """As `reverse` takes it."""
    route: str
    """As a person would write it: `/clusters/<code>/`."""
    view: Callable[..., Any]

    @property
    def declaration(self) -> Access | None:
        return declaration_of(self.view, self.name)

    @property
    def access(self) -> Access:
        found = self.declaration
        assert found is not None, f"{self.route} has no declaration"
        return found

    @property
    def takes_arguments(self) -> bool:
        return "<" in self.route


def addresses() -> list[Address]:
    return sorted(_walk(get_resolver().url_patterns, "/", ()), key=lambda address: address.route)


def _walk(patterns: Sequence[URLPattern | URLResolver], start: str, namespaces: tuple[str, ...]) -> Iterator[Address]:
    for pattern in patterns:
        route = start + _readable(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from _walk(pattern.url_patterns, route, inner)
        else:
            assert pattern.name, f"{route} has no name"
            yield Address(":".join((*namespaces, pattern.name)), route, pattern.callback)


def _readable(pattern: str) -> str:
    """A path without the kinds of its arguments, a regular expression without its rules."""
    named = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", pattern.removeprefix("^").removesuffix("$"))
    return re.sub(r"<\w+:(\w+)>", r"<\1>", named)
