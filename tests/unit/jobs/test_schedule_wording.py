"""Schedules in words, and their times as a clock shows them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from jobs.schedule_wording import describe_pace, describe_rule, next_runs
from jobs.schedules import BasicRule, CronRule, find_zone

BERLIN, UTC_ZONE = find_zone("Europe/Berlin"), find_zone("UTC")
EVERY_DAY = frozenset(range(1, 8))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (BasicRule(EVERY_DAY, time(1), BERLIN), "Every day, 01:00 to 03:00, Europe/Berlin"),
        (BasicRule(frozenset(range(1, 6)), time(23), UTC_ZONE), "Monday to Friday, 23:00 to 01:00, UTC"),
        (BasicRule(frozenset({6, 7}), time(0), UTC_ZONE), "Saturday and Sunday, 00:00 to 02:00, UTC"),
        (BasicRule(frozenset({1, 3, 5}), time(0), UTC_ZONE), "Monday, Wednesday, Friday, 00:00 to 02:00, UTC"),
        (CronRule("30 2 * * 1-5", UTC_ZONE), "Cron 30 2 * * 1-5, UTC"),
    ],
)
def test_a_rule_reads_as_people_say_it(rule, words):
    assert describe_rule(rule) == words


@pytest.mark.parametrize(
    ("per_day", "words"),
    [
        (Decimal(1440), "1,440 a day"),
        (Decimal(1), "1 a day"),
        (Decimal(5) / 7, "5 a week"),
        (Decimal(1) / 30, "1 a month"),
        (Decimal(1) / 365, "1 a year"),
        (Decimal(1) / 1461, "0.2 a year"),
    ],
)
def test_a_pace_is_told_in_the_unit_that_gives_a_number(per_day, words):
    assert describe_pace(per_day) == words


def shown(rule: BasicRule | CronRule, day: str) -> tuple[str, str]:
    run = next_runs(rule, datetime.fromisoformat(day).replace(tzinfo=UTC), 1)[0]
    return str(run), run.note


def test_a_window_is_shown_until_a_place_in_it_is_known():
    rule = BasicRule(EVERY_DAY, time(1), BERLIN)
    assert shown(rule, "2026-11-21T12:00") == ("Sun 2026-11-22 01:00 to 03:00 CET", "")
    placed = BasicRule(EVERY_DAY, time(1), BERLIN, timedelta(minutes=17))
    assert shown(placed, "2026-11-21T12:00") == ("Sun 2026-11-22 01:17 CET", "")


def test_what_the_clock_does_on_the_day_is_said():
    rule = BasicRule(EVERY_DAY, time(2), BERLIN)
    assert shown(rule, "2026-03-29") == (
        "Sun 2026-03-29 03:00 to 05:00 CEST",
        "the clock skips 02:00 on this day",
    )
    assert shown(rule, "2026-10-24T22:00") == (
        "Sun 2026-10-25 02:00 to 03:00 CEST",
        "the clock shows this time twice; it runs the first time",
    )
    assert shown(CronRule("30 2 * * *", BERLIN), "2026-10-24T22:00")[1].startswith("the clock shows this time twice")
