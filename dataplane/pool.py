"""A few threads over many objects, with no more in memory than those threads hold."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from dataplane.progress import stop_if_asked
from dataplane.stores.base import ObjectStore
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore

LOCAL_THREADS = 4
BUCKET_THREADS = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def threads_for(*stores: ObjectStore) -> int:
    """Disks are busy with a few threads; a bucket answers late, so more requests must be under way."""
    return LOCAL_THREADS if all(isinstance(store, (LocalStore, MemoryStore)) for store in stores) else BUCKET_THREADS


def each(
    items: Iterable[Item], work: Callable[[Item], Result], *, threads: int, should_stop: Callable[[], bool]
) -> Iterator[Result]:
    """`work(item)` for every item, as results come in; at most `threads` items are under way at once.

    The first error, or Stopped, ends it after what is under way has finished. `should_stop` is asked once per item,
    in the caller's thread.
    """
    waiting = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="objects") as pool:
        under_way: set[Future[Result]] = set()
        while True:
            for item in islice(waiting, threads - len(under_way)):
                stop_if_asked(should_stop)
                under_way.add(pool.submit(work, item))
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
