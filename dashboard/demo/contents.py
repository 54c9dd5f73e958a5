"""Which clusters the demo has and what lies in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clusters.embedding import DIMENSION, WORD_FIELD, embed_words
from clusters.models import Plan
from dataplane.manifest import FieldEntry, IndexEntry, Schema

from . import made_up
from .docstrings import LONGEST_TEXT, read_docstrings


@dataclass(frozen=True)
class DemoCollection:
    name: str
    schema: Schema
    rows: Callable[[], Iterable[tuple[str, dict[str, Any]]]]
    """Gives (partition, row); the empty partition is the default one. Slow: it makes the vectors."""
    partitions: tuple[str, ...] = ()

    @property
    def indexes(self) -> tuple[IndexEntry, ...]:
        """One for each vector field, without which a collection cannot be loaded."""
        vectors = (entry.name for entry in self.schema.fields if entry.type == "FLOAT_VECTOR")
        return tuple(IndexEntry(name, name, "AUTOINDEX", "COSINE", {}) for name in vectors)


@dataclass(frozen=True)
class ClusterContents:
    name: str
    plan: Plan
    region: str
    cu_size: int
    collections: tuple[DemoCollection, ...]


def _field(name: str, type_name: str, *, is_primary: bool = False, **params: int) -> FieldEntry:
    return FieldEntry(
        name=name,
        type=type_name,
        element_type="",
        description="",
        is_primary=is_primary,
        auto_id=False,
        is_nullable=False,
        is_partition_key=False,
        params=params,
        default=None,
    )


def _schema(*fields: FieldEntry, has_dynamic_field: bool = False) -> Schema:
    return Schema(description="", has_dynamic_field=has_dynamic_field, fields=fields)


def _docstring_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    for number, found in enumerate(read_docstrings(), start=1):
        words = embed_words(f"{found.module} {found.name} {found.text}")
        yield "", {"id": number, "module": found.module, "name": found.name, "text": found.text, WORD_FIELD: words}


# Milvus counts a VARCHAR's bytes, of which a character has up to four.
DOCSTRINGS = DemoCollection(
    name="docstrings",
    schema=_schema(
        _field("id", "INT64", is_primary=True),
        _field("module", "VARCHAR", max_length=200),
        _field("name", "VARCHAR", max_length=400),
        _field("text", "VARCHAR", max_length=4 * LONGEST_TEXT),
        _field(WORD_FIELD, "FLOAT_VECTOR", dim=DIMENSION),
    ),
    rows=_docstring_rows,
)
PRODUCTS = DemoCollection(
    name="products",
    schema=_schema(
        _field("sku", "VARCHAR", is_primary=True, max_length=20),
        _field("title", "VARCHAR", max_length=200),
        _field("attributes", "JSON"),
        _field("image", "FLOAT_VECTOR", dim=made_up.PRODUCT_DIMENSION),
        has_dynamic_field=True,
    ),
    partitions=tuple(made_up.PRODUCT_KINDS),
    rows=made_up.products,
)
CUSTOMERS = DemoCollection(
    name="customers",
    schema=_schema(
        _field("customer", "INT64", is_primary=True),
        _field("city", "VARCHAR", max_length=80),
        _field("orders", "INT32"),
        _field("is_subscribed", "BOOL"),
        _field("taste", "FLOAT_VECTOR", dim=made_up.TASTE_DIMENSION),
    ),
    rows=made_up.customers,
)
TICKETS = DemoCollection(
    name="tickets",
    schema=_schema(
        _field("id", "INT64", is_primary=True),
        _field("topic", "VARCHAR", max_length=40),
        _field("text", "VARCHAR", max_length=1_000),
        _field(WORD_FIELD, "FLOAT_VECTOR", dim=DIMENSION),
    ),
    rows=made_up.tickets,
)
NOTES = DemoCollection(
    name="notes",
    schema=_schema(
        _field("id", "INT64", is_primary=True),
        _field("label", "VARCHAR", max_length=100),
        _field("vector", "FLOAT_VECTOR", dim=made_up.NOTE_DIMENSION),
    ),
    rows=made_up.notes,
)

CLUSTERS = (
    ClusterContents("docs-search", Plan.DEDICATED, "gcp-us-west1", 2, (DOCSTRINGS, PRODUCTS)),
    ClusterContents("recommendations", Plan.DEDICATED, "aws-us-east-1", 1, (CUSTOMERS,)),
    ClusterContents("support-tickets", Plan.DEDICATED, "az-eastus", 1, (TICKETS,)),
    ClusterContents("playground", Plan.SERVERLESS, "gcp-us-west1", 1, (NOTES,)),
)
