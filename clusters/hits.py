"""What a table of search results shows of collections nobody knew when it was written. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataplane.milvus import SearchHit

MOST_FIELDS = 3


@dataclass(frozen=True)
class HitRow:
    key: object
    values: tuple[tuple[str, object], ...]
    """Name and value of each shown field, the same names in every row; None where the hit lacks the field."""
    score: float


def shown_fields(hits: Sequence[SearchHit], *, primary_field: str) -> list[str]:
    """Up to MOST_FIELDS fields with a plain value, texts first, otherwise as the collection orders them."""
    kinds: dict[str, type] = {}
    for hit in hits:
        for name, value in hit.fields.items():
            if name != primary_field and isinstance(value, str | int | float):
                kinds.setdefault(name, type(value))
    return sorted(kinds, key=lambda name: kinds[name] is not str)[:MOST_FIELDS]


def hit_rows(hits: Sequence[SearchHit], fields: Sequence[str]) -> list[HitRow]:
    return [HitRow(hit.key, tuple((name, hit.fields.get(name)) for name in fields), hit.score) for hit in hits]
