"""What a restore was asked to do, as it is written into a job and read back by the worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .errors import JobRefused

MAX_COLLECTION_NAME = 255


def describe_leftovers(code: str, cluster: str) -> str:
    """What a restore may leave behind that ends while no worker holds it: nobody else talks to its cluster."""
    return f"A collection whose name ends in __restoring_{attempt_id(code)} may be left in {cluster}; drop it there."


def attempt_id(code: str) -> str:
    """The same for every attempt of a restore: by it, a retry finds what an earlier one left behind."""
    return code.removeprefix("job-")


@dataclass(frozen=True)
class CollectionToRestore:
    """One collection of the backup and the name it gets in the target cluster (same database)."""

    database: str
    name: str
    new_name: str


@dataclass(frozen=True)
class RestoreRequest:
    collections: tuple[CollectionToRestore, ...]
    cu_size: int
    load: bool
    makes_cluster: bool = False

    @classmethod
    def same_names(cls, held: Iterable[tuple[str, str]], *, cu_size: int, load: bool) -> RestoreRequest:
        return cls(tuple(CollectionToRestore(database, name, name) for database, name in held), cu_size, load)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> RestoreRequest:
        collections = tuple(CollectionToRestore(**row) for row in stored["collections"])
        return cls(collections, stored["cu_size"], stored["load"], stored["makes_cluster"])

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"collections": [asdict(row) for row in self.collections]}

    def check(self) -> None:
        """Raise JobRefused if this cannot be meant: nothing chosen, two collections under one name, bad names."""
        if not self.collections:
            raise JobRefused("Choose at least one collection to restore.", field="collections")
        if not 1 <= self.cu_size <= 1024:
            raise JobRefused("The CU size must be between 1 and 1,024.", field="cu_size")
        taken: set[tuple[str, str]] = set()
        for row in self.collections:
            if not row.new_name or len(row.new_name) > MAX_COLLECTION_NAME:
                raise JobRefused(
                    f"A collection name has 1 to {MAX_COLLECTION_NAME} characters; yours for {row.name} has "
                    f"{len(row.new_name):,}.",
                    field="collections",
                )
            if not row.new_name.replace("_", "a").isalnum() or not row.new_name.isascii() or row.new_name[0].isdigit():
                raise JobRefused(
                    f"“{row.new_name}” is no collection name: use letters, digits and underscores, no digit first.",
                    field="collections",
                )
            if (row.database, row.new_name) in taken:
                raise JobRefused(f"Two collections cannot both become {row.new_name}.", field="collections")
            taken.add((row.database, row.new_name))
