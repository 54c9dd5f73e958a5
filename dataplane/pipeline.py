"""Two steps of one work at the same time: the next item made while the last one is used, or used while it is made."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """`items`, each made in a thread of its own while the one before is used. Errors arrive in their turn."""

    def take() -> list[Item]:
        return list(islice(items, 1))

    with ThreadPoolExecutor(1) as ahead:
        pending = ahead.submit(take)
        while found := pending.result():
            pending = ahead.submit(take)
            yield found[0]


def one_behind(items: Iterator[Item], work: Callable[[Item], Result]) -> Generator[Result, None, None]:
    """`work(item)` of each in turn, in a thread of its own while the caller's makes the next item.

    No more than one item waits, so memory holds two. What was begun has ended when this does, also by an error.
    """
    with ThreadPoolExecutor(1) as behind:
        pending: Future[Result] | None = None
        for item in items:
            done = [] if pending is None else [pending.result()]
            pending = behind.submit(work, item)
            del item  # else it stays in memory until the next one is complete
            yield from done
        if pending is not None:
            yield pending.result()
