"""From facts to days: what is charged, whose it is, and that nothing depends on how the days were gone through."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.calculator import LineKind
from pricing.rollup import CORRECTION, HELD, KEPT, SENT, Carried, Fact, Used, roll_up, split

FIRST = date(2026, 3, 1)
NIGHTLY, WEEKLY = "sched-nightly", "sched-weekly"


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def storage(facts: list[Fact], *, days: int = 5, begun: Carried | None = None) -> list[tuple[int, str, int, int]]:
    """(number of the day, schedule, bytes charged, whole bytes) of each row."""
    rows = roll_up(begun or Carried(), facts, first=FIRST, last=day(days - 1)).rows
    return [
        ((row.day - FIRST).days, row.schedule, row.size_bytes, row.whole_bytes)
        for row in rows
        if row.kind is LineKind.STORAGE
    ]


def test_what_lies_there_is_charged_on_every_day_until_it_is_gone():
    facts = [
        Fact(HELD, day(1), 100),
        Fact(KEPT, day(1), 100),
        Fact(HELD, day(3), -100),
        Fact(KEPT, day(3), -100),
    ]
    assert storage(facts) == [(1, "", 100, 100), (2, "", 100, 100), (3, "", 100, 100)]


def test_what_came_and_went_within_a_day_is_charged_for_one():
    assert storage([Fact(HELD, day(1), 100), Fact(HELD, day(1), -100)]) == [(1, "", 100, 0)]


def test_a_correction_counts_at_once_in_both_directions():
    facts = [
        Fact(HELD, day(0), 100),
        Fact(HELD, day(1), -30, cause=CORRECTION),
        Fact(HELD, day(2), 5, cause=CORRECTION),
    ]
    assert [size for _, _, size, _ in storage(facts, days=3)] == [100, 70, 75]


def test_schedules_share_what_lies_there_by_the_whole_sizes_of_what_they_keep():
    facts = [
        Fact(HELD, day(0), 101, schedule=NIGHTLY),
        Fact(KEPT, day(0), 100, schedule=NIGHTLY),
        Fact(KEPT, day(0), 100, schedule=WEEKLY),
    ]
    # The odd byte goes by name, so that the parts add up.
    assert storage(facts, days=1) == [(0, NIGHTLY, 51, 100), (0, WEEKLY, 50, 100)]


def test_what_is_left_when_no_copy_is_kept_is_shared_as_on_the_day_before():
    facts = [
        Fact(HELD, day(0), 100, schedule=NIGHTLY),
        Fact(KEPT, day(0), 100, schedule=NIGHTLY),
        Fact(KEPT, day(1), -100, schedule=NIGHTLY),
    ]
    assert storage(facts, days=4)[2:] == [(2, NIGHTLY, 100, 0), (3, NIGHTLY, 100, 0)]


def test_what_an_attempt_left_that_came_to_nothing_belongs_to_who_asked_for_it():
    assert storage([Fact(HELD, day(0), 7, schedule=NIGHTLY)], days=2) == [(0, NIGHTLY, 7, 0), (1, NIGHTLY, 7, 0)]


def test_transfer_is_charged_on_its_day_by_source_and_schedule():
    facts = [
        Fact(SENT, day(1), 10, NIGHTLY, "gcp-us-west1", whole_bytes=10),
        Fact(SENT, day(1), 0, NIGHTLY, "gcp-us-west1", whole_bytes=90),
        Fact(SENT, day(1), 4, "", "gcp-us-east4", whole_bytes=4, retry_bytes=4),
    ]
    rows = roll_up(Carried(), facts, first=FIRST, last=day(2)).rows
    assert rows == (
        Used(day(1), LineKind.TRANSFER, "gcp-us-east4", "", 4, 4, 4),
        Used(day(1), LineKind.TRANSFER, "gcp-us-west1", NIGHTLY, 10, 100),
    )


def test_a_fact_of_another_time_is_refused():
    with pytest.raises(ValueError, match="does not belong"):
        roll_up(Carried(), [Fact(HELD, day(9), 1)], first=FIRST, last=day(2))


sizes = st.integers(min_value=0, max_value=10**6)
schedules = st.sampled_from(["", NIGHTLY, WEEKLY])


@st.composite
def lives(draw: st.DrawFn) -> list[Fact]:
    """Copies that come, share, are sent and go, in any order, with corrections in between."""
    facts = []
    for _ in range(draw(st.integers(0, 6))):
        begin, length, schedule = draw(st.integers(0, 15)), draw(st.integers(0, 15)), draw(schedules)
        size, shared = draw(sizes), draw(sizes)
        facts += [Fact(HELD, day(begin), size, schedule), Fact(KEPT, day(begin), size + shared, schedule)]
        facts.append(Fact(SENT, day(begin), size, schedule, "gcp-us-west1", whole_bytes=size + shared))
        if draw(st.booleans()):
            facts.append(Fact(KEPT, day(begin + length), -size - shared, schedule))
            freed = draw(st.integers(0, size))
            facts.append(Fact(HELD, day(begin + length), -freed, schedule))
    for _ in range(draw(st.integers(0, 2))):
        facts.append(Fact(HELD, day(draw(st.integers(0, 20))), draw(st.integers(-100, 100)), cause=CORRECTION))
    return facts


LAST = day(40)


@given(lives(), st.lists(st.integers(0, 40), max_size=6))
def test_it_makes_no_difference_where_the_roll_up_paused(facts, pauses):
    whole = roll_up(Carried(), facts, first=FIRST, last=LAST)
    rows: list[Used] = []
    carried, first = Carried(), FIRST
    for pause in [*sorted({day(number) for number in pauses}), LAST]:
        part = roll_up(carried, [fact for fact in facts if first <= fact.day <= pause], first=first, last=pause)
        # The day of the pause is rolled up once more, as it is when something happens on it.
        rows = [row for row in rows if row.day < first] + list(part.rows)
        carried, first = part.before, pause
    assert tuple(rows) == whole.rows
    assert (part.before, part.after) == (whole.before, whole.after)


@given(lives(), st.randoms(use_true_random=False))
def test_it_makes_no_difference_in_which_order_facts_were_noted(facts, random):
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert roll_up(Carried(), shuffled, first=FIRST, last=LAST) == roll_up(Carried(), facts, first=FIRST, last=LAST)


@given(lives())
def test_no_day_is_charged_for_less_than_lies_there_when_it_ends(facts):
    rows = roll_up(Carried(), facts, first=FIRST, last=LAST).rows
    for number in range(41):
        held = sum(fact.size_bytes for fact in facts if fact.kind == HELD and fact.day <= day(number))
        charged = sum(row.size_bytes for row in rows if row.day == day(number) and row.kind is LineKind.STORAGE)
        assert charged >= max(held, 0)


@given(lives(), st.integers(0, 20), st.integers(0, 20), sizes, schedules)
def test_a_further_copy_never_costs_less(facts, begin, length, size, schedule):
    more = [Fact(HELD, day(begin), size, schedule), Fact(HELD, day(begin + length), -size, schedule)]
    rows = [roll_up(Carried(), chosen, first=FIRST, last=LAST).rows for chosen in (facts, facts + more)]
    fewer_bytes, more_bytes = (sum(row.size_bytes for row in of) for of in rows)
    assert more_bytes >= fewer_bytes


@given(st.integers(0, 10**18), st.dictionaries(schedules, st.integers(0, 10**15)))
@settings(max_examples=200)
def test_the_parts_add_up_to_the_whole_and_none_is_a_byte_off(total, shares):
    parts = split(total, shares)
    assert sum(parts.values()) == total
    of_all = sum(shares.values())
    assert all(abs(parts[name] * of_all - total * share) <= of_all for name, share in shares.items() if of_all)
