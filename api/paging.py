"""Pages of a list: `count` is the number of all matches, a page past the end is empty."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any

from django.core.cache import cache
from django.db.models import QuerySet
from ninja import Query
from pydantic import Field

from accounts.access import projects_with
from accounts.models import Project, User
from accounts.privileges import Privilege

from .envelope import Model

LARGEST_PAGE = 100
LAST_PAGE = 1_000_000_000
COUNTED_EXACTLY = 1_000
REMEMBERED_SECONDS = 30


class Paging(Model):
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 10
    current_page: Annotated[int, Field(ge=1, le=LAST_PAGE)] = 1


class PageOf(Model):
    count: int = Field(description=f"All matches; of more than {COUNTED_EXACTLY:,}, those of half a minute ago.")
    current_page: int
    page_size: int


PagingQuery = Annotated[Paging, Query(...)]


def of_projects(rows: QuerySet[Any], user: User, privilege: Privilege) -> QuerySet[Any]:
    """Those of `rows` whose project `user` may see.

    Who may see every project there is gets them unfiltered, and one project is named: so the database can read the
    newest rows from an index, where it would have to sort all that some of many projects hold.
    """
    mine = list(projects_with(user, privilege).order_by("pk").values_list("pk", flat=True))
    if not Project.objects.exclude(pk__in=mine).exists():
        return rows
    return rows.filter(project=mine[0]) if len(mine) == 1 else rows.filter(project__in=mine)


def paged(rows: QuerySet[Any], paging: Paging, name: str, present: Callable[[Any], Any]) -> dict[str, Any]:
    """One page of `rows`, which have an order of their own, under `name`."""
    begin = (paging.current_page - 1) * paging.page_size
    count = _count(rows)
    page = list(rows[begin : begin + paging.page_size]) if begin < count else []
    return {
        "count": count,
        "current_page": paging.current_page,
        "page_size": paging.page_size,
        name: [present(row) for row in page],
    }


def _count(rows: QuerySet[Any]) -> int:
    """Counting a million rows takes as long as reading them, and clients ask with every page."""
    matches = rows.order_by().values("pk")
    few = matches[: COUNTED_EXACTLY + 1].count()
    if few <= COUNTED_EXACTLY:
        return few
    name = f"api-count:{sha256(str(matches.query).encode()).hexdigest()}"
    known: int | None = cache.get(name)
    if known is None:
        known = matches.count()
        cache.set(name, known, timeout=REMEMBERED_SECONDS)
    return known
