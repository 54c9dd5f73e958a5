"""A few threads over many objects, with no more in memory than those threads hold."""

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NoReturn, TypeVar

from dataplane.progress import stop_if_asked
from dataplane.stores.base import ObjectStore
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore

LOCAL_THREADS = min(4, os.cpu_count() or 4)
"""More than there are cores only wait for each other: a copy between disks hashes as long as it reads and writes."""
BUCKET_THREADS = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def threads_for(*stores: ObjectStore) -> int:
    """Disks are busy with a few threads; a bucket answers late, so more requests must be under way."""
    return LOCAL_THREADS if all(isinstance(store, (LocalStore, MemoryStore)) for store in stores) else BUCKET_THREADS


def each(
    items: Iterable[Item], work: Callable[[Item], Result], *, threads: int, should_stop: Callable[[], bool]
) -> Generator[Result, None, None]:
    """`work(item)` for every item, as results come in; at most `threads` items are under way at once.

    The first error, or Stopped, ends it after what is under way has finished. `should_stop` is asked once per item,
    in the caller's thread.
    """
    waiting = iter(items)
    handed: SimpleQueue[tuple[Item] | None] = SimpleQueue()
    results: SimpleQueue[Callable[[], Result]] = SimpleQueue()

    def serve() -> None:
        while (given := handed.get()) is not None:
            try:
                results.put(partial(_give, work(*given)))
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
                results.put(partial(_raise, error))

    # Plain queues: a future for every item costs as much as copying a small file.
    workers = [Thread(target=serve, name=f"objects-{number}", daemon=True) for number in range(threads)]
    for worker in workers:
        worker.start()
    try:
        handed_count = 0
        while True:
            # One more for each thread than it works on, so that none waits for the caller.
            for item in islice(waiting, 2 * threads - handed_count):
                stop_if_asked(should_stop)
                handed.put((item,))
                handed_count += 1
            if not handed_count:
                return
            yield results.get()()
            handed_count -= 1
    finally:
        with suppress(Empty):
            while True:
                handed.get_nowait()
        for _ in workers:
            handed.put(None)
        for worker in workers:
            worker.join()


def _give(result: Result) -> Result:
    return result


def _raise(error: BaseException) -> NoReturn:
    raise error
