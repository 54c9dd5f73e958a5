"""Free transfer: by month and organization, never more than was used, and set by who may."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.audit_models import AuditEntry
from accounts.errors import PrivilegeMissing
from pricing.allowances import Discount, discounts_between, set_allowance
from pricing.charges import month_of
from pricing.errors import AllowanceRefused
from pricing.models import DailyUsage, TransferAllowance
from pricing.usage import day_of
from tests.builders import OREGON, VIRGINIA, text_of

pytestmark = pytest.mark.django_db

GB = 10**9
TODAY = date(2026, 3, 20)


@pytest.fixture
def allow(people):
    def allow_it(amount: str, *, user=people.owner, month: date = date(2026, 3, 1), currency: str = "USD"):
        return set_allowance(
            user=user,
            organization=people.organization,
            month=month,
            amount=Decimal(amount),
            currency=currency,
            today=TODAY,
        )

    return allow_it


def send(people, day: date, size_bytes: int) -> None:
    DailyUsage.objects.create(
        organization=people.organization,
        day=day,
        kind="transfer",
        project="proj-a",
        cluster="cluster-a",
        source=OREGON,
        region=VIRGINIA,
        size_bytes=size_bytes,
        whole_bytes=size_bytes,
    )


def discounts(people, first: date, last: date) -> list[Discount]:
    return discounts_between(people.organization.pk, first, last, today=date(2026, 12, 1))


def test_no_more_is_free_than_was_sent_and_each_month_begins_anew(people, allow):
    allow("10")
    send(people, date(2026, 3, 2), 100 * GB)
    send(people, date(2026, 4, 2), 10_000 * GB)
    found = discounts(people, date(2026, 3, 1), date(2026, 4, 30))
    assert [(one.month.month, one.amount) for one in found] == [(3, Decimal(2)), (4, Decimal(10))]


def test_the_first_bytes_of_a_month_are_free_wherever_it_is_cut(people, allow):
    allow("10")
    for day in range(1, 31):
        send(people, date(2026, 3, day), 30 * GB)
    for cut in range(1, 30):
        parts = discounts(people, date(2026, 3, 1), date(2026, 3, cut))
        parts += discounts(people, date(2026, 3, cut + 1), date(2026, 3, 31))
        assert sum(part.amount for part in parts) == Decimal(10)


def test_transfer_in_another_currency_is_not_free(people, allow):
    allow("10", currency="EUR")
    send(people, date(2026, 3, 2), 100 * GB)
    assert discounts(people, date(2026, 3, 1), date(2026, 3, 31)) == []


def test_an_allowance_counts_from_its_month_until_the_next_one(people, allow):
    allow("1")
    allow("0", month=date(2026, 4, 1))
    send(people, date(2026, 2, 2), 100 * GB)
    send(people, date(2026, 3, 2), 100 * GB)
    send(people, date(2026, 4, 2), 100 * GB)
    found = discounts(people, date(2026, 2, 1), date(2026, 4, 30))
    assert [(one.month, one.amount) for one in found] == [(date(2026, 3, 1), Decimal(1))]


@pytest.mark.parametrize(
    ("amount", "changes"),
    [
        ("-1", {}),
        ("NaN", {}),
        ("1e9", {}),
        ("1", {"currency": "XXX"}),
        ("1", {"month": date(2026, 2, 1)}),
        ("1", {"month": date(2026, 4, 2)}),
    ],
)
def test_what_makes_no_sense_and_months_that_are_over_are_refused(allow, amount, changes):
    with pytest.raises(AllowanceRefused):
        allow(amount, **changes)
    assert not TransferAllowance.objects.exists()


def test_only_who_manages_billing_sets_it_and_it_is_written_down(people, allow):
    with pytest.raises(PrivilegeMissing):
        allow("10", user=people.viewer)
    assert not TransferAllowance.objects.exists()
    allow("10")
    assert AuditEntry.objects.get(action="allowance.set").actor == people.owner


def test_an_owner_enters_it_on_a_page_and_the_price_list_says_it(client, people):
    client.force_login(people.owner)
    # The next month, which is still to be had should this one end meanwhile.
    month = month_of(day_of(timezone.now()))[1] + timedelta(days=1)
    url = reverse("pricing:allowance", args=[people.organization.code])
    posted = {"amount": "10", "currency": "USD", "month": month.isoformat()}
    assert client.post(url, posted | {"amount": "-1"}).status_code == 422
    assert client.post(url, posted | {"month": "2020-01-01"}).status_code == 422
    assert client.get(url).status_code == 200
    html = text_of(client.post(url, posted, follow=True))
    assert f"From {month:%B %Y} on, $10.00 of transfer is free in each calendar month." in html
