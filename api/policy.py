"""The policy of the API and a schedule of ours, each in the words of the other. Pure; no queries.

A policy is a list of weekdays and a window of two hours in UTC, for a whole cluster. A schedule may be more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import time

from jobs.schedules import end_of_window

WINDOW = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
FREQUENCY = re.compile(r"[1-7](,[1-7])*")


def read_days(frequency: str) -> frozenset[int]:
    """The weekdays of "1,2,5", where 1 is Monday; ValueError with a sentence for anything else."""
    text = "".join(frequency.split())
    if not FREQUENCY.fullmatch(text):
        raise ValueError("frequency is a list of weekdays from 1 (Monday) to 7 (Sunday), such as 1,2,5.")
    return frozenset(map(int, text.split(",")))


def read_window(start_time: str) -> time:
    """When the window "02:00-04:00" begins; ValueError with a sentence unless it is two hours long."""
    found = WINDOW.fullmatch(start_time.strip())
    sentence = "startTime is a window of two hours in UTC, such as 02:00-04:00."
    if found is None:
        raise ValueError(sentence)
    hour, minute, end_hour, end_minute = map(int, found.groups())
    if end_hour == 24 and end_minute == 0:
        end_hour = 0
    try:
        begins, ends = time(hour, minute), time(end_hour, end_minute)
    except ValueError as error:
        raise ValueError(sentence) from error
    if end_of_window(begins) != ends:
        raise ValueError(sentence)
    return begins


def write_days(days: Iterable[int]) -> str:
    return ",".join(map(str, sorted(days)))


def write_window(begins: time) -> str:
    return f"{begins:%H:%M}-{end_of_window(begins):%H:%M}"
