"""Weekdays and windows as clients write them."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.policy import read_days, read_window, write_days, write_window


@given(st.frozensets(st.integers(1, 7), min_size=1))
def test_weekdays_are_read_as_they_were_written(days):
    assert read_days(write_days(days)) == days


@given(st.times().map(lambda moment: moment.replace(second=0, microsecond=0)))
def test_a_window_is_read_as_it_was_written(begins):
    assert read_window(write_window(begins)) == begins


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("02:00-04:00", time(2)),
        ("3:00-05:00", time(3)),
        ("23:00-01:00", time(23)),
        ("22:00-00:00", time(22)),
        ("22:00-24:00", time(22)),
        ("02:30-04:30", time(2, 30)),
    ],
)
def test_windows_that_clients_really_send(text, begins):
    assert read_window(text) == begins


@pytest.mark.parametrize(
    "text", ["", "02:00", "02:00-05:00", "02:00-02:00", "25:00-27:00", "2-4", "02:61-04:61", "24:00-02:00"]
)
def test_what_is_no_window_of_two_hours_is_refused(text):
    with pytest.raises(ValueError, match="window of two hours"):
        read_window(text)


@pytest.mark.parametrize("text", ["", "0", "8", "1,,2", "mon", "1;2", "1,2,", "-1"])
def test_what_is_no_list_of_weekdays_is_refused(text):
    with pytest.raises(ValueError, match="list of weekdays"):
        read_days(text)
