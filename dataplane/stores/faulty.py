"""A store that does wrong where it is told to, around any other: to prove what code does when a store fails or lies."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Literal, TypeVar

from dataplane.errors import StoreUnreachable
from dataplane.stores.base import ObjectInfo, ObjectStore

Verb = Literal["list", "find", "read", "write", "copy", "delete", "sync"]

Result = TypeVar("Result")


class Crash(Exception):
    """The process ended here, as far as the code under test can tell: no store raises this, so nobody may handle it."""


def _told_to_fail() -> Exception:
    return StoreUnreachable("The store was told to fail.")


def _as_it_is(key: str, data: bytes) -> bytes:
    return data


class FaultyStore:
    """Passes every call on to `inner`, except where it is told to fail or to answer with other bytes.

    `fails(verb, key, number)` is asked at every call; `number` counts the calls of that verb from 1, `key` is the
    prefix of a listing and empty for a sync. Where it is true, `error()` is raised: before `inner` is asked, or with
    `acts_first` after it has done the work, as when only the answer is lost. `reads(key, data)` is what a read returns
    of the object that holds `data`, `writes(key, data)` what a write stores of it: a disk that lies. Together with
    `acts_first`, a write that keeps only half is one that was torn. `calls` keeps every call in order.
    """

    def __init__(
        self,
        inner: ObjectStore,
        fails: Callable[[Verb, str, int], bool] = lambda verb, key, number: False,
        error: Callable[[], Exception] = _told_to_fail,
        *,
        acts_first: bool = False,
        reads: Callable[[str, bytes], bytes] = _as_it_is,
        writes: Callable[[str, bytes], bytes] = _as_it_is,
    ) -> None:
        self.inner = inner
        self.name = f"faulty {inner.name}"
        self.calls: list[tuple[Verb, str]] = []
        self._fails = fails
        self._error = error
        self._acts_first = acts_first
        self._reads = reads
        self._writes = writes
        self._counts: Counter[Verb] = Counter()
        self._lock = Lock()

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self._call("list", prefix, lambda: self.inner.list(prefix))

    def find(self, key: str) -> ObjectInfo | None:
        return self._call("find", key, lambda: self.inner.find(key))

    def read(self, key: str) -> Iterator[bytes]:
        yield self.read_bytes(key)

    def read_bytes(self, key: str) -> bytes:
        return self._call("read", key, lambda: self._reads(key, self.inner.read_bytes(key)))

    def write(self, key: str, data: bytes | Iterable[bytes]) -> ObjectInfo:
        whole = data if isinstance(data, bytes) else b"".join(data)
        return self._call("write", key, lambda: self.inner.write(key, self._writes(key, whole)))

    def copier(self, source: ObjectStore) -> Callable[[str], None] | None:
        copy = self.inner.copier(source.inner if isinstance(source, FaultyStore) else source)
        return copy and (lambda key: self._call("copy", key, lambda: copy(key)))

    def delete(self, key: str) -> None:
        self._call("delete", key, lambda: self.inner.delete(key))

    def sync(self) -> None:
        self._call("sync", "", self.inner.sync)

    def _call(self, verb: Verb, key: str, work: Callable[[], Result]) -> Result:
        with self._lock:
            self._counts[verb] += 1
            number = self._counts[verb]
            self.calls.append((verb, key))
        fails = self._fails(verb, key, number)
        if fails and not self._acts_first:
            raise self._error()
        result = work()
        if fails:
            raise self._error()
        return result


def flip_bit(store: ObjectStore, key: str, bit: int) -> None:
    """Turn one bit of a stored object, counted from its beginning; negative from its end."""
    data = bytearray(store.read_bytes(key))
    place = bit % (len(data) * 8)
    data[place // 8] ^= 1 << place % 8
    store.write(key, bytes(data))


def truncate(store: ObjectStore, key: str, size_bytes: int) -> None:
    """Keep only the first `size_bytes` of a stored object; negative: all but the last."""
    store.write(key, store.read_bytes(key)[:size_bytes])


def swap(store: ObjectStore, first: str, second: str) -> None:
    """Each of two stored objects gets the bytes of the other."""
    first_data, second_data = store.read_bytes(first), store.read_bytes(second)
    store.write(first, second_data)
    store.write(second, first_data)
