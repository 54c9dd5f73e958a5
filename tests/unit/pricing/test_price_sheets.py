"""What the price tables refuse, what ships with the site, and which sheet prices a day."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from pricing.calculator import Place, estimate
from pricing.models import AreaKind, PriceSheet, StoragePrice, TransferPrice
from pricing.services import rates_for

pytestmark = pytest.mark.django_db

TODAY = date(2026, 6, 1)
OREGON = Place("gcp-us-west1", "North America")
VIRGINIA = Place("gcp-us-east4", "North America")
FRANKFURT = Place("gcp-europe-west3", "Europe")


def make_sheet(
    *,
    provider: str = "cloud",
    name: str = "a sheet",
    valid_from: date = date(2025, 1, 1),
    is_default: bool = True,
    currency: str = "USD",
    unit: str = "GB",
) -> PriceSheet:
    return PriceSheet.objects.create(
        provider=provider, name=name, valid_from=valid_from, is_default=is_default, currency=currency, unit=unit
    )


def make_transfer(
    sheet: PriceSheet,
    *,
    source: tuple[str, str] = (AreaKind.ANY, ""),
    target: tuple[str, str] = (AreaKind.ANY, ""),
    price: str = "0.01",
) -> TransferPrice:
    return TransferPrice.objects.create(
        sheet=sheet,
        source_kind=source[0],
        source=source[1],
        target_kind=target[0],
        target=target[1],
        price_per_gb=Decimal(price),
    )


def assert_refused(create: Callable[[], object], constraint_part: str) -> None:
    with pytest.raises(IntegrityError, match=constraint_part), transaction.atomic():
        create()


def test_r14_the_shipped_google_cloud_sheet_prices_the_seeds_example():
    quote = estimate(20 * 10**9, source=OREGON, targets=[VIRGINIA, FRANKFURT], days=30, rates=rates_for("gcp", TODAY))
    assert (quote.storage_total, quote.transfer_total, quote.total) == (
        Decimal("0.80"),
        Decimal("2.00"),
        Decimal("2.80"),
    )


def test_the_conflicting_price_to_europe_is_kept_with_its_source_but_prices_nothing():
    other = PriceSheet.objects.get(provider="gcp", is_default=False)
    assert other.transfer_prices.get(target="Europe").price_per_gb == Decimal("0.05")
    assert "contradicts" in other.source_note
    assert rates_for("gcp", TODAY).transfer_price(OREGON, FRANKFURT) == Decimal("0.08")


def test_only_known_aws_and_azure_prices_ship():
    aws = rates_for("aws", TODAY)
    assert aws.storage_price("aws-us-east-1") == Decimal("0.025")
    assert aws.storage_price("aws-us-west-2") is None
    assert aws.transfer == ()
    azure = rates_for("azure", TODAY)
    assert (azure.storage, azure.transfer, azure.valid_from) == ((), (), None)


def test_every_shipped_sheet_says_where_its_prices_come_from():
    assert PriceSheet.objects.count() == 3
    assert not PriceSheet.objects.filter(source_note="").exists()


def test_a_day_is_priced_by_the_newest_default_sheet_that_has_begun():
    make_sheet(name="old", valid_from=date(2026, 1, 1))
    make_sheet(name="new", valid_from=date(2026, 6, 1))
    make_sheet(name="announced", valid_from=date(2026, 7, 1))
    make_sheet(name="compared", valid_from=date(2026, 5, 31), is_default=False)
    named = {day: rates_for("cloud", day).source for day in [date(2026, 1, 1), date(2026, 5, 31), TODAY]}
    assert named == {date(2026, 1, 1): "old", date(2026, 5, 31): "old", TODAY: "new"}
    assert rates_for("cloud", date(2025, 12, 31)).valid_from is None


def test_exactly_one_sheet_of_a_provider_is_in_force():
    make_sheet(name="old", valid_from=date(2026, 1, 1))
    make_sheet(name="new", valid_from=date(2026, 6, 1))
    make_sheet(name="announced", valid_from=date(2026, 7, 1))
    in_force = PriceSheet.objects.in_force_on(TODAY).filter(provider="cloud")
    assert [sheet.name for sheet in in_force] == ["new"]


def test_rates_carry_every_row_of_the_sheet():
    sheet = make_sheet()
    StoragePrice.objects.create(sheet=sheet, region="", price_per_gb_month=Decimal("0.000001"))
    make_transfer(
        sheet, source=(AreaKind.REGION, OREGON.region), target=(AreaKind.CONTINENT, "Europe"), price="0.123456"
    )
    rates = rates_for("cloud", TODAY)
    assert rates.storage_price("anything") == Decimal("0.000001")
    assert rates.transfer_price(OREGON, FRANKFURT) == Decimal("0.123456")
    assert rates.transfer_price(VIRGINIA, FRANKFURT) is None


def test_rates_take_three_queries_however_many_prices_there_are(django_assert_num_queries):
    sheet = make_sheet()
    for number in range(20):
        StoragePrice.objects.create(sheet=sheet, region=f"region-{number}", price_per_gb_month=Decimal(1))
        make_transfer(sheet, source=(AreaKind.REGION, f"region-{number}"))
    with django_assert_num_queries(3):
        rates_for("cloud", TODAY)


def test_the_tables_refuse_negative_prices():
    sheet = make_sheet()
    assert_refused(
        lambda: StoragePrice.objects.create(sheet=sheet, price_per_gb_month=Decimal("-0.01")),
        "storage_price_not_negative",
    )
    assert_refused(lambda: make_transfer(sheet, price="-0.01"), "transfer_price_not_negative")


def test_the_tables_refuse_a_second_price_for_the_same_thing():
    sheet = make_sheet()
    StoragePrice.objects.create(sheet=sheet, price_per_gb_month=Decimal(1))
    assert_refused(lambda: StoragePrice.objects.create(sheet=sheet, price_per_gb_month=Decimal(2)), "UNIQUE|unique")
    make_transfer(sheet)
    assert_refused(lambda: make_transfer(sheet, price="2"), "UNIQUE|unique")


def test_the_tables_refuse_an_area_whose_name_and_kind_disagree():
    sheet = make_sheet()
    assert_refused(lambda: make_transfer(sheet, source=(AreaKind.ANY, "Europe")), "source_named_unless_any")
    assert_refused(lambda: make_transfer(sheet, target=(AreaKind.CONTINENT, "")), "target_named_unless_any")
    assert_refused(lambda: make_transfer(sheet, source=("planet", "Earth")), "source_named_unless_any")


def test_the_tables_refuse_two_default_sheets_of_one_day_and_two_of_one_name():
    make_sheet(name="one")
    assert_refused(lambda: make_sheet(name="two"), "UNIQUE|unique")
    make_sheet(name="two", is_default=False)
    assert_refused(lambda: make_sheet(name="two", valid_from=TODAY), "UNIQUE|unique")


def test_the_tables_refuse_an_unknown_currency_or_unit_and_a_sheet_without_a_provider():
    assert_refused(lambda: make_sheet(currency="XXX"), "currency_known")
    assert_refused(lambda: make_sheet(unit="TB"), "unit_known")
    assert_refused(lambda: make_sheet(provider=""), "has_a_provider")


def test_a_sheet_in_another_currency_and_unit_prices_in_them():
    sheet = make_sheet(currency="CNY", unit="GiB")
    StoragePrice.objects.create(sheet=sheet, price_per_gb_month=Decimal("0.5"))
    rates = rates_for("cloud", TODAY)
    assert (rates.currency, rates.unit.value, rates.sheet) == ("CNY", "GiB", sheet.code)
    quote = estimate(2 * 2**30, source=OREGON, targets=[], days=30, rates=rates, include_original=True)
    assert quote.total == 1
