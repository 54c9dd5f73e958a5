"""A store that fails where it is told to; everything else passes through to a real one."""

from collections.abc import Callable, Iterable, Iterator

from dataplane.errors import StoreError, StoreUnreachable
from dataplane.stores.base import ObjectInfo, ObjectStore


class FaultyStore:
    """Fails calls for which `fails(verb, key, number)` is true; `number` counts the calls of that verb from 1."""

    def __init__(
        self,
        inner: ObjectStore,
        fails: Callable[[str, str, int], bool],
        error: Callable[[], StoreError] = lambda: StoreUnreachable("The store was told to fail."),
    ) -> None:
        self.inner = inner
        self.name = f"faulty {inner.name}"
        self.calls: list[tuple[str, str]] = []
        self._fails = fails
        self._error = error

    def _note(self, verb: str, key: str) -> None:
        self.calls.append((verb, key))
        if self._fails(verb, key, sum(called == verb for called, _ in self.calls)):
            raise self._error()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self._note("list", prefix)
        return self.inner.list(prefix)

    def read(self, key: str) -> Iterator[bytes]:
        self._note("read", key)
        return self.inner.read(key)

    def read_bytes(self, key: str) -> bytes:
        self._note("read", key)
        return self.inner.read_bytes(key)

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        self._note("write", key)
        return self.inner.write(key, data)

    def delete(self, key: str) -> None:
        self._note("delete", key)
        self.inner.delete(key)

    def sync(self) -> None:
        self._note("sync", "")
        self.inner.sync()
