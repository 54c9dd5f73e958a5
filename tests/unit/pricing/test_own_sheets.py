"""An organization's own price sheets: they go before the site's, and never rewrite what was charged."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.errors import PrivilegeMissing
from pricing.calculator import ANYWHERE, Area, LineKind, Place, Scope
from pricing.currencies import SizeUnit
from pricing.drafts import PriceLine, SheetDraft
from pricing.errors import PricesRefused, SheetRefused
from pricing.models import PriceSheet
from pricing.services import add_sheets, draft_of, rates_for, withdraw_sheet
from tests.builders import make_organization

pytestmark = pytest.mark.django_db

TODAY = date(2026, 6, 15)
TOMORROW = TODAY + timedelta(days=1)
OREGON = Place("gcp-us-west1", "North America")
FRANKFURT = Place("gcp-europe-west3", "Europe")


def storage(price: str, region: str = "") -> PriceLine:
    target = Area(Scope.REGION, region) if region else ANYWHERE
    return PriceLine(LineKind.STORAGE, ANYWHERE, target, Decimal(price))


def draft(*lines: PriceLine, **changes: Any) -> SheetDraft:
    return replace(
        SheetDraft("gcp", "Contract", TOMORROW, "USD", "Our contract", lines or (storage("0.01"),)), **changes
    )


def known_today() -> SheetDraft:
    sheet = PriceSheet.objects.with_prices().valid_on(TODAY, "gcp")
    assert sheet is not None
    return draft_of(sheet)


@pytest.fixture
def add(people):
    def add_them(*drafts: SheetDraft, user=people.owner, today: date = TODAY) -> list[PriceSheet]:
        return add_sheets(user=user, organization=people.organization, drafts=drafts, today=today)

    return add_them


def price_on(day: date, organization_id: int | None) -> Decimal | None:
    return rates_for("gcp", day, organization_id).storage_price(OREGON.region)


def test_an_own_sheet_prices_from_its_day_on_and_only_for_its_organization(people, add):
    add(draft())
    ours = people.organization.pk
    others = people.stranger.organization_memberships.get().organization_id
    assert [price_on(day, ours) for day in (TODAY, TOMORROW)] == [Decimal("0.02"), Decimal("0.01")]
    assert [price_on(TOMORROW, somebody) for somebody in (others, None)] == [Decimal("0.02")] * 2


def test_a_newer_sheet_of_the_site_does_not_go_before_an_own_one(people, add):
    add(draft())
    newer = PriceSheet.objects.create(provider="gcp", name="newer", valid_from=TOMORROW, is_default=True)
    newer.storage_prices.create(price_per_gb_month=Decimal("0.5"))
    assert price_on(TOMORROW, people.organization.pk) == Decimal("0.01")
    assert price_on(TOMORROW, None) == Decimal("0.5")


def test_what_is_stored_is_what_was_asked_for(add):
    [sheet] = add(
        draft(
            storage("0.01"),
            storage("0.019", "gcp-us-west1"),
            PriceLine(LineKind.TRANSFER, Area(Scope.CONTINENT, "Europe"), ANYWHERE, Decimal("0.07")),
        )
    )
    read = draft_of(PriceSheet.objects.with_prices().get(pk=sheet.pk))
    assert read == draft(*read.lines)
    assert len(read.lines) == 3


@pytest.mark.parametrize("day", [TODAY, TODAY - timedelta(days=100)])
def test_a_sheet_that_begins_today_or_earlier_may_not_change_a_price(add, day):
    with pytest.raises(PricesRefused, match=f"What was charged stays charged.*begin on {TOMORROW}"):
        add(draft(valid_from=day))
    assert not PriceSheet.objects.exclude(organization=None).exists()


@pytest.mark.parametrize("change", [{"currency": "EUR"}, {"unit": SizeUnit.GIB}])
def test_the_same_numbers_in_another_currency_or_unit_are_other_prices(add, change):
    same = replace(known_today(), name="Same numbers", valid_from=TODAY, **change)
    with pytest.raises(PricesRefused, match="What was charged stays charged"):
        add(same)
    [sheet] = add(replace(same, valid_from=TOMORROW))
    assert (sheet.currency, sheet.unit) == (same.currency, same.unit)


def test_a_currency_that_nobody_knows_is_refused(add):
    with pytest.raises(PricesRefused, match="is no currency known here"):
        add(draft(currency="XXX"))


def test_a_sheet_that_begins_earlier_may_add_prices_that_were_missing(people, add):
    long_ago = TODAY - timedelta(days=30)
    known = known_today()
    europe = PriceLine(LineKind.TRANSFER, Area(Scope.CONTINENT, "Europe"), ANYWHERE, Decimal("0.12"))
    assert rates_for("gcp", TODAY).transfer_price(FRANKFURT, OREGON) is None
    add(draft(*known.lines, europe, valid_from=long_ago))
    rates = rates_for("gcp", TODAY, people.organization.pk)
    assert rates.transfer_price(FRANKFURT, OREGON) == Decimal("0.12")
    assert rates.storage_price(OREGON.region) == Decimal("0.02")


def test_days_that_a_later_own_sheet_prices_are_none_of_an_earlier_ones_business(people, add):
    known = known_today()
    [changed] = add(draft(*(replace(line, price=Decimal(1)) for line in known.lines)))
    later = TOMORROW + timedelta(days=10)
    add(replace(known, name="Until then", valid_from=TODAY), today=later - timedelta(days=5))
    assert price_on(later, people.organization.pk) == Decimal(1)
    assert price_on(TODAY, people.organization.pk) == Decimal("0.02")
    assert changed.valid_from == TOMORROW


def test_a_sheet_replaces_the_own_one_of_the_same_day_which_is_kept(people, add):
    add(draft())
    add(draft(storage("0.03"), name="Better contract"))
    assert price_on(TOMORROW, people.organization.pk) == Decimal("0.03")
    assert PriceSheet.objects.filter(organization=people.organization).count() == 2


def test_of_several_sheets_one_mistake_keeps_all_out(add):
    with pytest.raises(PricesRefused) as refused:
        add(draft(), draft(storage("0.01", "atlantis-1"), name="Other", valid_from=TOMORROW + timedelta(days=1)))
    assert [(number, mistake.line) for number, mistake in refused.value.found] == [(1, 0)]
    assert not PriceSheet.objects.exclude(organization=None).exists()


def test_two_sheets_of_one_file_may_not_begin_on_one_day(add):
    with pytest.raises(PricesRefused, match="begins on the same day"):
        add(draft(), draft(name="Other"))


def test_a_name_is_given_once_per_provider(add):
    add(draft())
    with pytest.raises(PricesRefused, match="already"):
        add(draft(valid_from=TOMORROW + timedelta(days=1)))


@pytest.mark.parametrize("name", ["project_admin", "viewer", "stranger"])
def test_only_who_manages_the_bills_of_the_organization_may_add_or_withdraw(people, add, name):
    [sheet] = add(draft(), user=people.billing_admin)
    with pytest.raises(PrivilegeMissing):
        add(draft(name="Other"), user=getattr(people, name))
    with pytest.raises(PrivilegeMissing):
        withdraw_sheet(user=getattr(people, name), sheet=sheet, today=TODAY)


def test_a_sheet_can_be_withdrawn_until_it_begins(people, add):
    [sheet] = add(draft())
    with pytest.raises(SheetRefused, match="has priced days already"):
        withdraw_sheet(user=people.owner, sheet=sheet, today=TOMORROW)
    withdraw_sheet(user=people.owner, sheet=sheet, today=TODAY)
    assert price_on(TOMORROW, people.organization.pk) == Decimal("0.02")


def test_a_sheet_that_came_with_the_site_stays(people):
    with pytest.raises(SheetRefused, match="came with the site"):
        withdraw_sheet(user=people.owner, sheet=PriceSheet.objects.filter(provider="gcp")[0], today=TODAY)


def test_an_organization_sees_its_own_sheets_and_the_sites(people, add):
    [sheet] = add(draft())
    other = make_organization("Other")
    assert sheet in PriceSheet.objects.of(people.organization.pk)
    assert sheet not in PriceSheet.objects.of(other.pk)
    assert sheet not in PriceSheet.objects.of(None)
