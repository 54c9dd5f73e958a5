"""Whether anybody is here yet: an empty site tells on its sign-in page how the first owner is made."""

from __future__ import annotations

from functools import cache

from .models import User


class _NobodyYet(Exception):
    """No person is in the database."""


def is_anybody_here() -> bool:
    """One query until it is true, then none: somebody who was here once has seen how it is done."""
    try:
        _check_somebody()
    except _NobodyYet:
        return False
    return True


@cache
def _check_somebody() -> None:
    """Asked until it passes, then never again: an exception is not kept."""
    if not User.objects.exists():
        raise _NobodyYet
