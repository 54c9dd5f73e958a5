"""How fast, and how long still: pure."""

import pytest

from jobs.rates import Rate, measure_rate

GB = 10**9


def rate(moved: int, left: int, seconds: float, silent: float = 1.0) -> Rate | None:
    return measure_rate(moved_bytes=moved, left_bytes=left, seconds=seconds, silent_seconds=silent)


def test_the_rest_takes_as_long_as_the_average_says():
    assert rate(10 * GB, 5 * GB, 100) == Rate(0.1 * GB, 50)


@pytest.mark.parametrize(("moved", "seconds"), [(0, 60), (-GB, 60), (GB, 1.9)])
def test_nothing_is_known_before_bytes_have_moved_for_a_while(moved, seconds):
    assert rate(moved, GB, seconds) is None


@pytest.mark.parametrize("left", [0, -GB])
def test_no_time_is_told_where_nothing_is_known_to_be_left(left):
    found = rate(GB, left, 10)
    assert found is not None
    assert found.seconds_left is None


def test_a_job_that_stands_still_gets_slower_and_stops_promising_its_end():
    waits = [rate(100 * GB, GB // 10, 100 + silent, silent) for silent in (0, 5, 9, 11, 300)]
    speeds = [wait.bytes_per_second for wait in waits if wait]
    assert speeds == sorted(speeds, reverse=True)
    assert [wait.seconds_left is None for wait in waits if wait] == [False, False, False, True, True]


def test_chunks_that_take_long_are_not_taken_for_standing_still():
    found = rate(GB, 3 * GB, 60, silent=30)
    assert found is not None
    assert found.seconds_left == 180
