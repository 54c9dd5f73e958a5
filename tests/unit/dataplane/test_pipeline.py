"""Two steps of one work at the same time, and never more than one item between them."""

from collections.abc import Iterator
from contextlib import closing
from threading import Event

import pytest

from dataplane.pipeline import one_ahead, one_behind


def test_items_come_in_order_and_only_one_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            yield number

    for number in one_ahead(items()):
        assert len(made) <= number + 2
    assert made == [0, 1, 2, 3]


def test_an_error_arrives_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the store is gone")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_an_item_is_worked_on_while_the_next_one_is_made() -> None:
    next_is_made, seen = Event(), list[int]()

    def items() -> Iterator[int]:
        yield 1
        next_is_made.set()
        yield 2

    def work(item: int) -> int:
        assert next_is_made.wait(60)
        seen.append(item)
        return 10 * item

    assert list(one_behind(items(), work)) == [10, 20]
    assert seen == [1, 2]


def test_no_more_than_one_item_waits_for_the_work_on_the_one_before() -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            assert len(done) >= number - 1
            yield number

    assert list(one_behind(items(), done.append)) == [None] * 5
    assert done == [0, 1, 2, 3, 4]


def test_work_that_fails_ends_the_pipeline_with_its_error() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    def work(item: int) -> int:
        if item == 1:
            raise OSError("the disk is full")
        return item

    behind = one_behind(items(), work)
    assert next(behind) == 0
    with pytest.raises(OSError, match="full"):
        list(behind)
    assert made == [0, 1, 2]


def test_nothing_goes_on_behind_a_pipeline_that_was_left() -> None:
    begun, may_end, ended = Event(), Event(), Event()

    def work(item: int) -> int:
        if item:
            begun.set()
            may_end.wait(60)
            ended.set()
        return item

    with closing(one_behind(iter([0, 1]), work)) as behind:
        assert next(behind) == 0
        assert begun.wait(60)
        may_end.set()
    assert ended.is_set()
