"""Pages of a list: `count` is the number of all matches, a page past the end is empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from django.db.models import QuerySet
from ninja import Query
from pydantic import Field

from .envelope import Model

LARGEST_PAGE = 100
LAST_PAGE = 1_000_000_000


class Paging(Model):
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 10
    current_page: Annotated[int, Field(ge=1, le=LAST_PAGE)] = 1


class PageOf(Model):
    count: int
    current_page: int
    page_size: int


PagingQuery = Annotated[Paging, Query(...)]


def paged(rows: QuerySet[Any], paging: Paging, name: str, present: Callable[[Any], Any]) -> dict[str, Any]:
    """One page of `rows`, which have an order of their own, under `name`."""
    begin = (paging.current_page - 1) * paging.page_size
    count = rows.count()
    page = list(rows[begin : begin + paging.page_size]) if begin < count else []
    return {
        "count": count,
        "current_page": paging.current_page,
        "page_size": paging.page_size,
        name: [present(row) for row in page],
    }
