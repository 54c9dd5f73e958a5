"""Charges: what was used, priced by the sheet of the day; the same however it is grouped, cut and added up."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.amounts import Amounts, Priced, parts_of
from pricing.calculator import LineKind, add_up
from pricing.charges import GROUPS, charges_between
from pricing.currencies import SizeUnit
from pricing.errors import CurrenciesMixed
from pricing.models import DailyUsage, PriceSheet
from tests.builders import FRANKFURT, OREGON, VIRGINIA

pytestmark = pytest.mark.django_db

GB = 10**9
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
TODAY = date(2026, 11, 20)


def use(organization, day: date, size_bytes: int, *, kind: str = "storage", **changes) -> DailyUsage:
    values = {"project": "proj-a", "cluster": "cluster-a", "region": VIRGINIA, "whole_bytes": size_bytes}
    if kind == "transfer":
        values["source"] = OREGON
    return DailyUsage.objects.create(
        organization=organization, day=day, kind=kind, size_bytes=size_bytes, **(values | changes)
    )


def total_of(charges) -> Decimal:
    found = Amounts.of(charge.priced for charge in charges).only
    return found[0] if found else Decimal(0)


def test_a_month_of_twenty_gigabytes_in_two_regions_costs_what_the_calculator_says(people):
    for day in range(1, 31):
        for region in (VIRGINIA, FRANKFURT):
            use(people.organization, date(2026, 3, day), 20 * GB, region=region)
    for region in (VIRGINIA, FRANKFURT):
        use(people.organization, date(2026, 3, 1), 20 * GB, region=region, kind="transfer")
    charges = charges_between(people.organization.pk, *MARCH, today=TODAY)
    assert (len(charges), total_of(charges)) == (62, Decimal("2.8"))
    whole = charges_between(people.organization.pk, *MARCH, per_day=False, today=TODAY)
    assert (len(whole), total_of(whole)) == (4, Decimal("2.8"))


DAYS = [date(2026, 3, 1) + timedelta(days=number) for number in range(31)]


@pytest.fixture
def used(people):
    """A month of everything: two projects, shared schedules, three regions, odd sizes, and prices that change."""
    newer = PriceSheet.objects.create(
        provider="gcp", name="newer", valid_from=DAYS[11], is_default=True, currency="EUR", unit=SizeUnit.GIB
    )
    newer.storage_prices.create(price_per_gb_month=Decimal("0.0317"))
    random = Random(7)
    for number in range(120):
        kind = random.choice(["storage", "transfer"])
        use(
            people.organization,
            random.choice(DAYS),
            random.randrange(10**13),
            kind=kind,
            project=random.choice(["proj-a", "proj-b"]),
            cluster=f"cluster-{number}",
            region=random.choice([VIRGINIA, FRANKFURT, "nowhere-1"]),
            schedule=random.choice(["", "sched-a", "sched-b"]),
        )
    return people.organization.pk


def amounts_of(organization_id: int, first: date = DAYS[0], last: date = DAYS[-1], **how) -> Amounts:
    charges = charges_between(organization_id, first, last, today=TODAY, **how)
    return Amounts.of(charge.priced for charge in charges)


def test_however_charges_are_grouped_they_add_up_to_the_same(used):
    whole = amounts_of(used)
    assert whole.currencies == ("EUR", "USD")
    for count in range(len(GROUPS) + 1):
        for by in combinations(GROUPS, count):
            found = amounts_of(used, by=by, per_day=count % 2 == 0)
            assert (found.by_currency, found.missing) == (whole.by_currency, whole.missing)


def test_a_period_cut_in_two_costs_what_it_costs_as_one(used):
    whole = amounts_of(used).by_currency
    for number in range(1, len(DAYS)):
        parts = amounts_of(used, last=DAYS[number - 1], per_day=False)
        parts.add_all(amounts_of(used, first=DAYS[number], per_day=False))
        assert parts.by_currency == whole


def test_projects_add_up_to_the_organization(used):
    parts = amounts_of(used, projects=["proj-a"])
    parts.add_all(amounts_of(used, projects=["proj-b"]))
    assert (parts.by_currency, parts.missing) == (amounts_of(used).by_currency, amounts_of(used).missing)


def test_more_days_never_cost_less(used):
    sums = [amounts_of(used, last=day, per_day=False) for day in DAYS]
    for currency in ("EUR", "USD"):
        amounts = [found.in_currency(currency) for found in sums]
        assert amounts == sorted(amounts)


priced = st.builds(
    Priced,
    kind=st.sampled_from(LineKind),
    region=st.just(VIRGINIA),
    source=st.just(OREGON),
    currency=st.sampled_from(["EUR", "USD"]),
    parts=st.none() | st.decimals(0, 10**9, places=9),
)


@given(st.lists(priced), st.randoms(use_true_random=False))
def test_it_makes_no_difference_in_which_order_amounts_are_added_up(lines, random):
    shuffled = list(lines)
    random.shuffle(shuffled)
    one, other = Amounts.of(lines), Amounts.of(shuffled)
    assert (one.by_currency, one.missing) == (other.by_currency, other.missing)


@given(
    st.sampled_from(LineKind),
    st.integers(0, 10**18),
    st.integers(0, 10**18),
    st.sampled_from(SizeUnit),
    st.decimals(0, 1000, places=6),
)
def test_more_bytes_never_cost_less_and_parts_cost_what_the_whole_costs(kind, size, more, unit, price):
    parts = [parts_of(kind, of, unit.size_bytes, price) for of in (size, more, size + more)]
    assert parts[2] >= parts[0]
    assert add_up(parts[:2]) == parts[2]


def test_what_lies_in_a_region_that_nobody_knows_has_no_price_and_says_so(people):
    use(people.organization, DAYS[0], GB, region="nowhere-1")
    [charge] = charges_between(people.organization.pk, *MARCH, today=TODAY)
    assert charge.amount is None
    assert Amounts.of([charge.priced]).missing == ("No storage price is set for nowhere-1.",)


def test_months_without_anything_used_and_days_to_come_cost_nothing(people):
    use(people.organization, DAYS[0], GB)
    assert charges_between(people.organization.pk, date(2025, 1, 1), date(2025, 1, 31), today=TODAY) == []
    assert charges_between(people.organization.pk, *MARCH, today=date(2026, 2, 28)) == []
    assert Amounts().only is None


def test_amounts_of_two_currencies_have_no_sum():
    amounts = Amounts()
    amounts.add_amount(Decimal(1), "USD")
    amounts.add_amount(Decimal(2), "EUR")
    with pytest.raises(CurrenciesMixed, match="EUR and USD"):
        _ = amounts.only
    assert list(amounts) == [(Decimal(2), "EUR"), (Decimal(1), "USD")]
