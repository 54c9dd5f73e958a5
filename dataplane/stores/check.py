"""Does a store do what a backup needs? Tried with one small object."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from dataplane.errors import ObjectMissing, StoreError
from dataplane.stores.base import ObjectStore


@dataclass(frozen=True, slots=True)
class CheckStep:
    what: str
    """`Write`, `Read back`, `List` or `Delete`."""
    ok: bool
    detail: str
    """One sentence; for a failed step, what to do."""


def check_store(store: ObjectStore) -> list[CheckStep]:
    """Write, read back, list and delete one small object. Stops after the first step that fails."""
    key = f"connection-test/{uuid4().hex}.txt"
    content = f"Written by the connection test as {key}. Safe to delete.\n".encode()

    def write() -> str:
        store.write(key, content)
        store.sync()
        return f"Wrote {len(content)} bytes."

    def read_back() -> str:
        if store.read_bytes(key) != content:
            raise StoreError(f"{store.name} returned other bytes than were written. Do not use this store.")
        return "The same bytes came back."

    def list_it() -> str:
        if key not in (found.key for found in store.list("connection-test/")):
            raise StoreError(f"{store.name} does not list an object it has just stored. Do not use this store.")
        return "The object is listed."

    def delete() -> str:
        store.delete(key)
        try:
            store.read_bytes(key)
        except ObjectMissing:
            return "The object is gone."
        raise StoreError(f"{store.name} still returns an object after deleting it. Do not use this store.")

    steps: list[CheckStep] = []
    todo: list[tuple[str, Callable[[], str]]] = [
        ("Write", write), ("Read back", read_back), ("List", list_it), ("Delete", delete),
    ]  # fmt: skip
    for what, step in todo:
        try:
            steps.append(CheckStep(what, ok=True, detail=step()))
        except StoreError as error:
            steps.append(CheckStep(what, ok=False, detail=str(error)))
            break
    return steps
