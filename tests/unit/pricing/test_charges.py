"""Charges: what was used, priced by the sheet of the day; the same however it is grouped, cut and added up."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from pricing.amounts import Amounts
from pricing.charges import charges_between
from pricing.models import DailyUsage
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
