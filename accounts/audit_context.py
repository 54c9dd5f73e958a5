"""From where the work at hand was asked for: known at the edge, by a middleware or a command, and read by `record`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db import models

    from .audit_actions import Action
    from .models import Organization, Project, User


@dataclass
class Refusal:
    """A no that somebody met, kept until the request has ended: written before, it would go with the transaction."""

    exception: Exception
    user: User
    action: Action | None = None
    target: models.Model | None = None
    project: Project | None = None
    organization: Organization | None = None


@dataclass
class Source:
    """Where one request, or one command, comes from."""

    address: str = ""
    request_id: str = ""
    key_code: str = ""
    key_name: str = ""
    command: str = ""
    refusals: list[Refusal] = field(default_factory=list)


_source: ContextVar[Source | None] = ContextVar("audit_source", default=None)


def current_source() -> Source:
    """Where the work at hand comes from; an empty one for workers and schedulers, which nobody asks."""
    return _source.get() or Source()


@contextmanager
def coming_from(source: Source) -> Iterator[Source]:
    """What is recorded inside comes from `source`."""
    token = _source.set(source)
    try:
        yield source
    finally:
        _source.reset(token)


def note_refusal(exception: Exception, *, user: User, **about: Any) -> None:
    """Remember that `user` was refused, for the end of the request; told again of it, add what is known now.

    Whoever stands further out knows better what was wanted, so what is said last counts.
    """
    refusals = current_source().refusals
    if refusals and refusals[-1].exception in (exception, exception.__cause__):
        for name, value in about.items():
            setattr(refusals[-1], name, value)
    else:
        refusals.append(Refusal(exception, user, **about))
