"""When schedules are due: against a calendar that is read off the clock of each zone, and at its jumps."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from jobs.schedules import (
    SPREAD,
    WINDOW,
    BasicRule,
    CronRule,
    RuleInvalid,
    due_times,
    due_until,
    find_zone,
    instant_of,
    per_day,
    spread_of,
    times_after,
    zone_names,
)

BERLIN = ZoneInfo("Europe/Berlin")
SANTIAGO = ZoneInfo("America/Santiago")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = [BERLIN, ZoneInfo("America/New_York"), LORD_HOWE, ZoneInfo("Asia/Kolkata"), SANTIAGO]
EVERY_DAY = frozenset(range(1, 8))
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
EARLIEST, LATEST = (NEW_YEAR.replace(tzinfo=None, year=year) for year in (2000, 2030))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first_shown(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first of all moments, five minutes apart, at which a clock in `zone` shows `wall` or a later time."""
    offset = (wall - timedelta(days=1)).replace(tzinfo=zone).utcoffset()
    assert offset is not None
    moment = wall.replace(tzinfo=UTC) - offset - timedelta(hours=2)
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += STEP
    return moment


def calendar(zone: ZoneInfo, days: frozenset[int], *walls: time) -> list[datetime]:
    """Every moment of 2026 at which a schedule of those days and times is due, found day by day."""
    every = [date(2025, 12, 31) + timedelta(days=number) for number in range(367)]
    moments = {
        first_shown(datetime.combine(day, wall), zone) for day in every if day.isoweekday() in days for wall in walls
    }
    return sorted(moment for moment in moments if NEW_YEAR < moment < datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize(
    ("days", "start"),
    [(EVERY_DAY, time(2, 0)), (frozenset({6, 7}), time(0, 30)), (frozenset({1, 7}), time(23, 30))],
    ids=["nightly", "weekends", "before midnight"],
)
def test_a_basic_rule_is_due_when_the_calendar_says(zone, days, start):
    expected = calendar(zone, days, start)
    assert due_times(BasicRule(days, start, zone), NEW_YEAR, len(expected)) == expected


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize(
    ("expression", "days", "walls"),
    [
        ("30 2 * * *", EVERY_DAY, [time(2, 30)]),
        ("*/30 0-3 * * 0", frozenset({7}), [time(hour, minute) for hour in range(4) for minute in (0, 30)]),
    ],
)
def test_a_cron_rule_is_due_when_the_calendar_says(zone, expression, days, walls):
    expected = calendar(zone, days, *walls)
    assert due_times(CronRule(expression, zone), NEW_YEAR, len(expected)) == expected


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        # Berlin skips 2:00 to 3:00 on 29 March and shows it twice on 25 October.
        (BasicRule(EVERY_DAY, time(2, 30), BERLIN), "2026-03-28 12:00", "2026-03-29 01:00"),
        (CronRule("30 2 * * *", BERLIN), "2026-03-28 12:00", "2026-03-29 01:00"),
        (CronRule("30 2 * * *", BERLIN), "2026-10-24 12:00", "2026-10-25 00:30"),
        (CronRule("30 2 * * *", BERLIN), "2026-10-25 00:30", "2026-10-26 01:30"),
        (CronRule("30 2 * * *", BERLIN), "2026-10-25 00:45", "2026-10-26 01:30"),
        # Santiago goes from midnight to 1:00 on 6 September.
        (BasicRule(frozenset({7}), time(0, 0), SANTIAGO), "2026-09-05 12:00", "2026-09-06 04:00"),
        # Lord Howe goes from 2:00 to 2:30 on 4 October.
        (CronRule("10 2 * * *", LORD_HOWE), "2026-10-03 00:00", "2026-10-03 15:30"),
    ],
)
def test_a_skipped_time_is_due_after_the_gap_and_a_repeated_one_once(rule, after, expected):
    assert due_times(rule, at(after), 1) == [at(expected)]


def test_several_skipped_times_are_one_moment():
    times = due_times(CronRule("*/15 * * * *", BERLIN), at("2026-03-29 00:30"), 3)
    assert times == [at("2026-03-29 00:45"), at("2026-03-29 01:00"), at("2026-03-29 01:15")]


@given(
    after=some.datetimes(EARLIEST, LATEST),
    zone=some.sampled_from(ZONES),
    start=some.times(),
    days=some.frozensets(some.integers(1, 7), min_size=1),
    offset=some.integers(0, 7_199),
)
def test_due_times_are_later_in_order_and_one_by_one_the_same(after, zone, start, days, offset):
    rule = BasicRule(days, start.replace(tzinfo=None, microsecond=0), zone, timedelta(seconds=offset))
    after = after.replace(tzinfo=UTC)
    times = due_times(rule, after, 5)
    assert all(before < later for before, later in zip([after, *times], times, strict=False))
    assert [due_times(rule, before, 1)[0] for before in [after, *times[:-1]]] == times
    for due_at in times:
        shown = (due_at - rule.offset).astimezone(zone)
        assert shown.isoweekday() in days
        assert rule.latest_start(due_at) - (due_at - rule.offset) == WINDOW


@given(
    wall=some.datetimes(EARLIEST, LATEST),
    zone=some.sampled_from([find_zone(name) for name in zone_names()]),
)
def test_in_every_zone_a_moment_shows_its_time_or_is_the_end_of_a_gap(wall, zone):
    wall = wall.replace(microsecond=0)
    moment = instant_of(wall, zone)
    shown = moment.astimezone(zone).replace(tzinfo=None)
    assert shown >= wall
    assert (moment - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None) < wall


@settings(deadline=None)  # a time that never comes is looked for through fifty years
@given(expression=some.text(alphabet="0123456789*/,-LW# \x00²SUN", max_size=40))
def test_any_text_is_a_cron_expression_or_is_refused_with_a_sentence(expression):
    sentence = ""
    try:
        rule = CronRule(expression, BERLIN)
    except RuleInvalid as invalid:
        sentence = str(invalid)
    assert sentence.endswith(".") or len(due_times(rule, NEW_YEAR, 1)) == 1


@settings(max_examples=50, deadline=None)
@given(
    after=some.datetimes(EARLIEST, LATEST),
    zone=some.sampled_from(ZONES),
    expression=some.sampled_from(["*/20 0-3 * * *", "30 2 * * *", "0,30 0-3 * * 0", "15 */2 * * 1-5"]),
)
def test_from_any_moment_on_a_cron_rule_gives_the_times_that_follow(after, zone, expression):
    rule, after = CronRule(expression, zone), after.replace(tzinfo=UTC)
    from_earlier = list(due_until(rule, after - timedelta(days=4), after + timedelta(days=4)))
    later = [due_at for due_at in from_earlier if due_at > after]
    assert due_times(rule, after, len(later)) == later


def test_starts_are_spread_over_the_window_and_always_the_same():
    offsets = [spread_of(f"sched-{number}") for number in range(1_000)]
    assert offsets == [spread_of(f"sched-{number}") for number in range(1_000)]
    assert max(map(offsets.count, offsets)) < 10
    assert min(offsets) < timedelta(minutes=5)
    assert SPREAD - timedelta(minutes=5) < max(offsets) < SPREAD < WINDOW


def test_a_cron_rule_is_due_on_the_second_and_may_start_two_hours_later():
    rule = CronRule("17 3 * * 1-5", find_zone("UTC"))
    due_at = due_times(rule, at("2026-11-21 00:00"), 1)[0]
    assert due_at == at("2026-11-23 03:17")
    assert rule.latest_start(due_at) == at("2026-11-23 05:17")


def test_times_between_two_moments_leave_out_the_first_and_hold_the_last():
    rule = CronRule("0 * * * *", find_zone("UTC"))
    assert list(due_until(rule, at("2026-01-01 01:00"), at("2026-01-01 03:00"))) == [
        at("2026-01-01 02:00"),
        at("2026-01-01 03:00"),
    ]


def test_a_cron_rule_never_stops_because_a_time_is_rare():
    times = times_after(CronRule("0 0 29 2 *", BERLIN), NEW_YEAR)
    assert [next(times).year for _ in range(3)] == [2028, 2032, 2036]


@pytest.mark.parametrize(
    ("rule", "pace"),
    [
        (BasicRule(frozenset({1, 4}), time(1), BERLIN), 2 / 7),
        (CronRule("0 */6 * * *", find_zone("UTC")), 4),
        (CronRule("0 0 1 * *", find_zone("UTC")), 12 / 365.25),
    ],
)
def test_the_pace_of_a_rule_is_backups_a_day(rule, pace):
    assert float(per_day(rule, NEW_YEAR)) == pytest.approx(pace, rel=0.01)


@pytest.mark.parametrize(
    ("make", "part", "words"),
    [
        (lambda: BasicRule(frozenset(), time(1), BERLIN), "days", "at least one day"),
        (lambda: BasicRule(frozenset({0}), time(1), BERLIN), "days", "from 1 (Monday) to 7"),
        (lambda: CronRule("0 0 * * * *", BERLIN), "cron", "five fields"),
        (lambda: CronRule("61 * * * *", BERLIN), "cron", "bad minute"),
        (lambda: CronRule("* * */20 * 1L", BERLIN), "cron", "never comes"),
        (lambda: find_zone("Mars/Olympus"), "time_zone", "no time zone called Mars/Olympus"),
        (lambda: find_zone("../etc/passwd"), "time_zone", "no time zone"),
    ],
)
def test_what_is_no_rule_is_refused_with_the_part_it_is_about(make, part, words):
    with pytest.raises(RuleInvalid, match=r".") as caught:
        make()
    assert caught.value.part == part
    assert words in str(caught.value)
