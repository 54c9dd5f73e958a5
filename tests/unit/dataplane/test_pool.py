from threading import Barrier, Event, Lock
from time import sleep

import pytest

from dataplane.errors import Stopped
from dataplane.pool import each
from tests.unit.dataplane.builders import never


def test_every_item_gives_its_result_once() -> None:
    assert sorted(each(range(100), lambda item: item * 2, threads=3, should_stop=never)) == list(range(0, 200, 2))


def test_nothing_to_do_ends_at_once() -> None:
    assert list(each((), str, threads=3, should_stop=never)) == []


def test_no_more_items_are_under_way_than_there_are_threads() -> None:
    lock, under_way, most, meeting = Lock(), 0, 0, Barrier(3)

    def work(item: int) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        if item < 3:
            meeting.wait(60)  # the first ones are under way together
        sleep(0.002)
        with lock:
            under_way -= 1

    assert len(list(each(range(40), work, threads=3, should_stop=never))) == 40
    assert most == 3


def test_items_are_taken_as_they_are_needed_and_not_all_at_once() -> None:
    taken: list[int] = []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    results = each(items(), str, threads=2, should_stop=never)
    next(results)
    assert len(taken) <= 4
    results.close()
    assert len(taken) <= 4


def test_an_error_is_raised_once_what_is_under_way_has_finished_and_nothing_new_begins() -> None:
    failed, begun, finished = Event(), [], []

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            failed.set()
            raise ValueError("the first one fails")
        failed.wait(60)
        sleep(0.01)
        finished.append(item)

    with pytest.raises(ValueError, match="the first one fails"):
        list(each(range(1000), work, threads=2, should_stop=never))
    assert len(begun) < 10
    assert sorted(finished) == sorted(begun)[1:]


def test_a_stop_is_obeyed_before_the_next_item_is_handed_out() -> None:
    begun: list[int] = []
    with pytest.raises(Stopped):
        list(each(range(1000), begun.append, threads=2, should_stop=lambda: len(begun) >= 5))
    assert len(begun) < 15
