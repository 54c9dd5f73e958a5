"""A store in memory, for tests and for trying things out."""

from collections.abc import Iterable, Iterator
from threading import Lock

from dataplane.errors import ObjectMissing
from dataplane.stores.base import ObjectInfo, checked_key, checked_prefix


class MemoryStore:
    """Keeps objects in a dict, holding to the same contract as the real stores."""

    def __init__(self, *, name: str = "memory") -> None:
        self.name = name
        self._objects: dict[str, bytes] = {}
        self._lock = Lock()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        checked_prefix(prefix)
        with self._lock:
            found = sorted((key, len(data)) for key, data in self._objects.items() if key.startswith(prefix))
        return iter([ObjectInfo(key, size_bytes) for key, size_bytes in found])

    def read(self, key: str) -> Iterator[bytes]:
        yield self.read_bytes(key)

    def read_bytes(self, key: str) -> bytes:
        try:
            return self._objects[checked_key(key)]
        except KeyError:
            raise ObjectMissing(self.name, key) from None

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        whole = data if isinstance(data, bytes) else b"".join(data)
        with self._lock:
            self._objects[checked_key(key)] = whole
        return ObjectInfo(key, len(whole))

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(checked_key(key), None)

    def sync(self) -> None:
        """Memory has nothing to flush."""
