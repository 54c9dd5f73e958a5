"""A store in memory, for tests and for trying things out."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

from dataplane.errors import ObjectMissing
from dataplane.stores.base import ObjectInfo, ObjectStore, checked_key, checked_prefix


@dataclass(frozen=True, slots=True)
class _Stored:
    data: bytes
    info: ObjectInfo


class MemoryStore:
    """Keeps objects in a dict, holding to the same contract as the real stores. Listings tell each object's digest."""

    def __init__(self, *, name: str = "memory") -> None:
        self.name = name
        self._objects: dict[str, _Stored] = {}
        self._lock = Lock()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        checked_prefix(prefix)
        with self._lock:
            found = [stored.info for key, stored in self._objects.items() if key.startswith(prefix)]
        return iter(sorted(found, key=lambda info: info.key))

    def find(self, key: str) -> ObjectInfo | None:
        stored = self._objects.get(checked_key(key))
        return stored.info if stored else None

    def read(self, key: str) -> Iterator[bytes]:
        yield self.read_bytes(key)

    def read_bytes(self, key: str) -> bytes:
        try:
            return self._objects[checked_key(key)].data
        except KeyError:
            raise ObjectMissing(self.name, key) from None

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        whole = data if isinstance(data, bytes) else b"".join(data)
        info = ObjectInfo(checked_key(key), len(whole), datetime.now(UTC), hashlib.sha256(whole).hexdigest())
        with self._lock:
            self._objects[key] = _Stored(whole, info)
        return info

    def copier(self, source: ObjectStore) -> Callable[[str], None] | None:
        return None

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(checked_key(key), None)

    def sync(self) -> None:
        """Memory has nothing to flush."""
