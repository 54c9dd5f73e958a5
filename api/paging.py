"""Pages of a list: `count` is the number of all matches, a page past the end is empty."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any

from django.core.cache import cache
from django.db.models import Q, QuerySet
from ninja import Query
from pydantic import Field

from accounts.access import project_numbers_with
from accounts.models import Project, User
from accounts.privileges import Privilege

from .envelope import Model

LARGEST_PAGE = 100
LAST_PAGE = 1_000_000_000
COUNTED_EXACTLY = 1_000
REMEMBERED_SECONDS = 30
MERGED_AT_MOST = 20_000


class Paging(Model):
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 10
    current_page: Annotated[int, Field(ge=1, le=LAST_PAGE)] = 1


class PageOf(Model):
    count: int = Field(description=f"All matches; of more than {COUNTED_EXACTLY:,}, those of half a minute ago.")
    current_page: int
    page_size: int


PagingQuery = Annotated[Paging, Query(...)]


def projects_seen(user: User, privilege: Privilege) -> list[int] | None:
    """The row numbers of the projects in which `user` holds `privilege`; None if those are all there are."""
    mine = project_numbers_with(user, privilege)
    return mine if Project.objects.exclude(pk__in=mine).exists() else None


def paged(
    rows: QuerySet[Any], paging: Paging, name: str, present: Callable[[Any], Any], *, projects: list[int] | None
) -> dict[str, Any]:
    """One page of those of `rows` that belong to `projects` (None: to any), newest first, under `name`."""
    begin = (paging.current_page - 1) * paging.page_size
    # Of no projects there is nothing to ask.
    count = 0 if projects == [] else _count(rows if projects is None else rows.filter(project__in=projects))
    page = _newest(rows, projects, begin, paging.page_size) if begin < count else []
    return {
        "count": count,
        "current_page": paging.current_page,
        "page_size": paging.page_size,
        name: [present(row) for row in page],
    }


def _newest(rows: QuerySet[Any], projects: list[int] | None, begin: int, size: int) -> QuerySet[Any]:
    """In one query, of which an index gives the order: a database would sort all that some of many projects hold."""
    end = begin + size
    rows = rows.order_by("-created_at", "-pk")
    if projects is None:
        return rows[begin:end]
    if len(projects) * end > MERGED_AT_MOST:
        return rows.filter(project__in=projects)[begin:end]
    # Whatever is on the page is among the newest of its own project.
    candidates = Q(pk__in=[])
    for project in projects:
        candidates |= Q(pk__in=rows.filter(project=project).values("pk")[:end])
    return rows.filter(candidates)[begin:end]


def _count(rows: QuerySet[Any]) -> int:
    """Counting a million rows takes as long as reading them, and clients ask with every page."""
    matches = rows.order_by().values("pk")
    name = f"api-count:{sha256(str(matches.query).encode()).hexdigest()}"
    known: int | None = cache.get(name)
    if known is not None:
        return known
    few = matches[: COUNTED_EXACTLY + 1].count()
    if few <= COUNTED_EXACTLY:
        return few
    many: int = matches.count()
    cache.set(name, many, timeout=REMEMBERED_SECONDS)
    return many
