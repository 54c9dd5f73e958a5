"""What every object store promises."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dataplane.errors import StoreMisconfigured


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    size_bytes: int
    modified_at: datetime | None = None
    """When the object was last written, by the store's clock, with a zone. None where that is not known."""
    sha256: str | None = None
    """Of the stored bytes, as the store itself keeps it. None where it keeps none: folders, and buckets in listings."""


class ObjectStore(Protocol):
    """One bucket or folder in one region. Adapters turn provider errors into `dataplane.errors`.

    Safe to call from several threads at once.
    """

    name: str
    """How messages call this store, e.g. `gcp-europe-west3 (file:///...)`. Never holds a secret."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with `prefix`, sorted by key, with its `modified_at`.

        Raises, never ends early, when the listing fails: who deletes what is not listed relies on it.
        """

    def find(self, key: str) -> ObjectInfo | None:
        """What a listing tells of this key; None only when the store proved the object absent."""

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces of at most a few MiB; ObjectMissing only when the store proved it absent."""

    def read_bytes(self, key: str) -> bytes:
        """The whole object."""

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        """Replace the object as one step: nobody ever sees a part of it. Durable only after `sync()`."""

    def copier(self, source: "ObjectStore") -> Callable[[str], None] | None:
        """What copies the object of a key from `source` to here without its bytes passing through us.

        None where there is no such way between the two, or none known here. It writes over what was here, as one step,
        and proves nothing: what it copied is to be compared with its digest. StoreError when the provider refuses.
        """

    def delete(self, key: str) -> None:
        """Remove the object; a key that is not there is fine."""

    def sync(self) -> None:
        """Make everything written so far survive a power cut; called before a manifest is written and after."""


def checked_key(key: str) -> str:
    """`key`, if every adapter can hold it as it is: no empty, `.` or `..` part, no backslash or control character."""
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in key or not key.isprintable() or len(key) > 900:
        raise StoreMisconfigured(
            f"The object key {key[:100]!r} is not allowed. Use plain names joined by single slashes."
        )
    return key


def checked_prefix(prefix: str) -> str:
    """A listing prefix: empty, or a key that may end in one slash."""
    if prefix:
        checked_key(prefix.removesuffix("/"))
    return prefix
