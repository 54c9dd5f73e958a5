"""Sentences about jobs: pure."""

from datetime import timedelta

import pytest

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


def test_progress_says_how_much_how_fast_and_how_long():
    words = describe_progress(
        done=13_400_000_000, total=20_000_000_000, bytes_per_second=110_000_000, is_verifying=False
    )
    assert words == "13.40 GB of 20.00 GB, 110.00 MB/s, 1 min 0 s left"


def test_progress_without_a_total_has_only_begun():
    assert describe_progress(done=0, total=0, bytes_per_second=None, is_verifying=False) == "Starting"


def test_an_estimate_that_was_too_small_never_reads_as_more_than_everything():
    words = describe_progress(done=3_000_000_000, total=2_000_000_000, bytes_per_second=1.0, is_verifying=False)
    assert words.startswith("3.00 GB of 3.00 GB")
    assert "left" not in words


def test_reading_back_is_named():
    assert "read back" in describe_progress(done=1, total=2, bytes_per_second=None, is_verifying=True)
