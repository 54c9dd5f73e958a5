"""Pages of lists that go from the newest to the oldest, found by places and never by counting.

A place is a moment and a row number, in an index behind whatever was chosen by equality. A list of several projects is
several lists, of which the newest rows are taken together in one query: a database that is asked for some of many
projects at once sorts all that they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet

LISTS_AT_ONCE = 200
"""SQLite takes 500 parts in one query."""


class Place(NamedTuple):
    at: datetime
    pk: int


@dataclass(frozen=True, slots=True)
class Page:
    """The row numbers on one page, newest first, and whether there are newer and older ones."""

    pks: list[int]
    has_newer: bool
    has_older: bool


def find_page(
    lists: Iterable[QuerySet[Any]],
    *,
    by: tuple[str, str],
    size: int,
    before: Place | None = None,
    after: Place | None = None,
) -> Page:
    """The newest rows of `lists`, or the ones just older than `before`, or just newer than `after`.

    `by` names the columns or annotations of a place; rows of one place count once. A page that would begin at the very
    newest row is the first one, and full: what is new does not make it shorter.
    """
    lists = list(lists)
    if after is not None:
        found = find_newest(lists, by=by, limit=size + 1, after=after)
        if len(found) > size:
            return Page(found[:size][::-1], has_newer=True, has_older=True)
        before = None
    found = find_newest(lists, by=by, limit=size + 1, before=before)
    return Page(found[:size], has_newer=before is not None, has_older=len(found) > size)


def find_newest(
    lists: Sequence[QuerySet[Any]],
    *,
    by: tuple[str, str],
    limit: int,
    before: Place | None = None,
    after: Place | None = None,
) -> list[int]:
    """Row numbers, newest first; with `after` the ones just newer, oldest first. One query for 200 lists."""
    places: list[tuple[Any, int]] = []
    for start in range(0, len(lists), LISTS_AT_ONCE):
        some = lists[start : start + LISTS_AT_ONCE]
        sql, values = newest_query(some, by=by, limit=limit, before=before, after=after)
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            places += cursor.fetchall()
    places.sort(reverse=after is None)
    return [pk for _, pk in places[:limit]]


def newest_query(
    lists: Sequence[QuerySet[Any]],
    *,
    by: tuple[str, str],
    limit: int,
    before: Place | None = None,
    after: Place | None = None,
) -> tuple[str, tuple[Any, ...]]:
    """The question that `find_newest` asks, with its values; at least one list."""
    sign, word = ("", "ASC") if after is not None else ("-", "DESC")
    parts: list[str] = []
    values: list[Any] = []
    for number, rows in enumerate(lists):
        # Only what the lists have in common is asked of them: the order and the places.
        ordered = _bounded(rows, by, before, after).order_by(*(sign + name for name in by)).values_list(*by).distinct()
        sql, mine = ordered[:limit].query.sql_with_params()
        parts.append(f"SELECT * FROM ({sql}) AS list{number}")  # noqa: S608  (Django wrote it; values stay apart)
        values += mine
    return f"{' UNION ALL '.join(parts)} ORDER BY 1 {word}, 2 {word} LIMIT {int(limit)}", tuple(values)


def _bounded(rows: QuerySet[Any], by: tuple[str, str], before: Place | None, after: Place | None) -> QuerySet[Any]:
    """The range is what an index is entered by; what stands beside it leaves out the place itself and its equals."""
    at, pk = by
    if before is not None:
        beside = Q(**{f"{at}__lt": before.at}) | Q(**{f"{pk}__lt": before.pk})
        rows = rows.filter(beside, **{f"{at}__lte": before.at})
    if after is not None:
        beside = Q(**{f"{at}__gt": after.at}) | Q(**{f"{pk}__gt": after.pk})
        rows = rows.filter(beside, **{f"{at}__gte": after.at})
    return rows
