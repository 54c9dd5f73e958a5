"""What was used on each day: the days add up to the bill, however they are cut."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from backups.models import Copy
from backups.states import CopyState
from jobs.usage import total_of, usage_between
from pricing.calculator import LineKind, add_up, billable_days, storage_cost
from pricing.models import PriceSheet
from pricing.services import rates_by_day, rates_for
from tests.builders import OREGON, VIRGINIA, make_backup, make_cluster, make_stores

pytestmark = pytest.mark.django_db

GB = 10**9
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def copies(people, stores_root):
    """The original in Oregon and a copy in Virginia, which was stored at noon of 10 March and is kept."""
    make_stores(people.organization, OREGON, VIRGINIA, root=stores_root)
    backup = make_backup(make_cluster(people.project, name="docs"), copies={VIRGINIA: CopyState.AVAILABLE})
    Copy.objects.filter(backup=backup).update(stored_at=NOON, size_bytes=3 * GB)
    Copy.objects.filter(backup=backup, is_original=False).update(sent_bytes=2 * GB, source_region=OREGON)
    return Copy.objects.that_cost()


def lines_of(copies, first: date, last: date, *, now: datetime):
    return usage_between(copies.all(), first, last, now=now)


def test_each_day_a_copy_is_kept_is_charged_once_and_its_transfer_on_the_first(copies):
    lines = lines_of(copies, date(2026, 3, 1), date(2026, 3, 31), now=NOON + timedelta(days=2, seconds=-1))
    told = [(line.day.day, line.kind, line.region, line.quantity) for line in lines]
    assert told == [
        (10, LineKind.STORAGE, VIRGINIA, Decimal(3) / 30),
        (10, LineKind.STORAGE, OREGON, Decimal(3) / 30),
        (10, LineKind.TRANSFER, VIRGINIA, Decimal(2)),
        (11, LineKind.STORAGE, VIRGINIA, Decimal(3) / 30),
        (11, LineKind.STORAGE, OREGON, Decimal(3) / 30),
    ]


def test_a_copy_that_lived_for_a_minute_is_charged_for_one_day(copies):
    Copy.objects.update(state=CopyState.DELETED, deleted_at=NOON + timedelta(minutes=1))
    lines = lines_of(copies, date(2026, 3, 1), date(2026, 3, 31), now=NOON + timedelta(days=20))
    assert {line.day for line in lines} == {date(2026, 3, 10)}


def test_the_days_add_up_to_what_keeping_the_copy_costs(copies):
    now = NOON + timedelta(days=45, hours=3)
    days = billable_days(NOON, now)
    lines = lines_of(copies, date(2026, 1, 1), date(2026, 12, 31), now=now)
    stored = [line for line in lines if line.kind is LineKind.STORAGE]
    assert len(stored) == 2 * days
    assert total_of(stored) == pytest.approx(2 * storage_cost(3 * GB, Decimal("0.02"), days), abs=Decimal("1e-20"))


@pytest.mark.parametrize("cut", [date(2026, 3, day) for day in (1, 10, 11, 25)] + [date(2026, 4, 9)])
def test_a_period_cut_in_two_costs_what_it_costs_in_one(copies, cut):
    first, last, now = date(2026, 3, 1), date(2026, 4, 30), NOON + timedelta(days=30)
    whole = total_of(lines_of(copies, first, last, now=now))
    before = lines_of(copies, first, cut - timedelta(days=1), now=now)
    after = lines_of(copies, cut, last, now=now)
    assert add_up([total_of(before), total_of(after)]) == whole


def test_a_day_is_charged_at_the_prices_of_that_day(copies, people):
    dearer = PriceSheet.objects.create(provider="gcp", name="dearer", valid_from=date(2026, 3, 11), is_default=True)
    dearer.storage_prices.create(price_per_gb_month=Decimal(1))
    lines = lines_of(copies, date(2026, 3, 10), date(2026, 3, 11), now=NOON + timedelta(days=2, seconds=-1))
    prices = [line.unit_price for line in lines if line.kind is LineKind.STORAGE]
    assert prices == [Decimal("0.02"), Decimal("0.02"), Decimal(1), Decimal(1)]


def test_what_has_no_price_has_no_amount(copies):
    PriceSheet.objects.all().delete()
    lines = lines_of(copies, date(2026, 3, 10), date(2026, 3, 10), now=NOON)
    assert {line.amount for line in lines} == {None}


def test_the_rates_of_many_days_are_those_of_each(people, django_assert_num_queries):
    organization = people.organization.pk
    for owner, day in [(None, date(2026, 3, 5)), (people.organization, date(2026, 3, 8)), (None, date(2026, 3, 9))]:
        PriceSheet.objects.create(
            organization=owner, provider="gcp", name=f"from {day}", valid_from=day, is_default=True
        ).storage_prices.create(price_per_gb_month=Decimal(day.day))
    days = [day + timedelta(days=number) for day in (date(2024, 12, 30), date(2026, 3, 3)) for number in range(8)]
    with django_assert_num_queries(3):
        found = rates_by_day("gcp", days, organization)
    assert found == {day: rates_for("gcp", day, organization) for day in days}
