"""Sentences about jobs: pure."""

from datetime import timedelta

import pytest

from jobs.rates import Rate
from jobs.wording import describe_duration, describe_progress


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "–"),
        (0, "under 1 s"),
        (-5, "under 1 s"),
        (3, "3 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (252, "4 min 12 s"),
        (7_500, "2 h 5 min"),
    ],
)
def test_a_duration_reads_as_people_say_it(seconds, expected):
    assert describe_duration(None if seconds is None else timedelta(seconds=seconds)) == expected


def describe(done: int, total: int, rate: Rate | None = None, *, is_verifying: bool = False) -> str:
    return describe_progress(done=done, total=total, rate=rate, is_verifying=is_verifying)


@pytest.mark.parametrize(
    ("seconds_left", "expected"),
    [
        (None, "– left"),
        (0.2, "1 s left"),
        (59.9, "1 min 0 s left"),
        (62.0, "1 min 0 s left"),
        (63.0, "1 min 5 s left"),
        (7_511, "2 h 5 min left"),
    ],
)
def test_progress_says_how_much_how_fast_and_how_long(seconds_left, expected):
    words = describe(13_400_000_000, 20_000_000_000, Rate(110_000_000, seconds_left))
    assert words == f"13.40 GB of 20.00 GB, 110.00 MB/s, {expected}"


def test_progress_without_a_total_has_only_begun():
    assert describe(0, 0) == "Starting"


def test_progress_without_a_rate_does_not_know_when_it_ends():
    assert describe(1_000_000_000, 2_000_000_000) == "1.00 GB of 2.00 GB, – left"


def test_an_estimate_that_was_too_small_never_reads_as_more_than_everything():
    assert describe(3_000_000_000, 2_000_000_000).startswith("3.00 GB of 3.00 GB")


def test_reading_back_is_named():
    assert "read back" in describe(1, 2, is_verifying=True)
