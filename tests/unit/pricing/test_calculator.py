"""The arithmetic of a bill, with the documentation's own numbers."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

import pytest

from pricing.calculator import (
    ANYWHERE,
    Area,
    LineKind,
    Place,
    Rates,
    Scope,
    StorageRate,
    TransferRate,
    add_up,
    billable_days,
    estimate,
    storage_cost,
    transfer_cost,
)

OREGON = Place("gcp-us-west1", "North America")
VIRGINIA = Place("gcp-us-east4", "North America")
FRANKFURT = Place("gcp-europe-west3", "Europe")
SINGAPORE = Place("gcp-asia-southeast1", "Asia")
NORTH_AMERICA = Area(Scope.CONTINENT, "North America")
EUROPE = Area(Scope.CONTINENT, "Europe")
GB = 10**9

SEED = Rates(
    provider="gcp",
    currency="USD",
    source="the documentation's example",
    valid_from=date(2025, 1, 1),
    storage=(StorageRate("", Decimal("0.02")),),
    transfer=(
        TransferRate(NORTH_AMERICA, NORTH_AMERICA, Decimal("0.02")),
        TransferRate(NORTH_AMERICA, EUROPE, Decimal("0.08")),
    ),
)


def rates_with(*, storage: tuple[StorageRate, ...] = (), transfer: tuple[TransferRate, ...] = ()) -> Rates:
    return Rates("gcp", "USD", "a test", date(2025, 1, 1), storage, transfer)


def test_r13_storage_is_size_times_price_times_days_over_thirty():
    assert storage_cost(20 * GB, Decimal("0.02"), 30) == Decimal("0.40")
    assert storage_cost(20 * GB, Decimal("0.02"), 15) == Decimal("0.20")
    assert storage_cost(GB // 2, Decimal("0.03"), 1) == Decimal("0.0005")


def test_r13_transfer_is_size_times_price_and_paid_once_per_copy():
    assert transfer_cost(20 * GB, Decimal("0.08")) == Decimal("1.60")
    quote = estimate(20 * GB, source=OREGON, targets=[VIRGINIA, FRANKFURT], days=90, rates=SEED)
    assert [line.amount for line in quote.lines if line.kind is LineKind.TRANSFER] == [Decimal("0.40"), Decimal("1.60")]


def test_r13_a_started_day_counts_and_there_is_at_least_one():
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert billable_days(start, start) == 1
    assert billable_days(start, start + timedelta(hours=24)) == 1
    assert billable_days(start, start + timedelta(hours=24, microseconds=1)) == 2
    assert billable_days(date(2026, 3, 1), date(2026, 3, 31)) == 30


def test_r13_aws_prices_transfer_by_the_continent_it_leaves():
    rates = rates_with(transfer=(TransferRate(NORTH_AMERICA, ANYWHERE, Decimal("0.02")),))
    assert rates.transfer_price(OREGON, FRANKFURT) == rates.transfer_price(OREGON, VIRGINIA) == Decimal("0.02")
    assert rates.transfer_price(FRANKFURT, OREGON) is None


def test_r13_google_cloud_prices_transfer_by_both_continents():
    assert SEED.transfer_price(OREGON, VIRGINIA) == Decimal("0.02")
    assert SEED.transfer_price(OREGON, FRANKFURT) == Decimal("0.08")
    assert SEED.transfer_price(OREGON, SINGAPORE) is None


def test_r13_transfer_within_one_region_is_free():
    dear = rates_with(transfer=(TransferRate(ANYWHERE, ANYWHERE, Decimal(9)),))
    assert dear.transfer_price(OREGON, OREGON) == 0


def test_r14_the_seeds_example_costs_0_80_plus_2_00_makes_2_80():
    quote = estimate(20 * GB, source=OREGON, targets=[VIRGINIA, FRANKFURT], days=30, rates=SEED)
    assert quote.storage_total == Decimal("0.80")
    assert quote.transfer_total == Decimal("2.00")
    assert quote.total == Decimal("2.80")
    assert quote.is_complete
    assert quote.missing == ()


def test_days_are_counted_in_real_hours_across_a_change_to_summer_time():
    berlin = ZoneInfo("Europe/Berlin")
    # 25 hours by the wall clock, 24 hours by the sun: the clocks go forward in between.
    assert billable_days(datetime(2026, 3, 28, 12, tzinfo=berlin), datetime(2026, 3, 29, 13, tzinfo=berlin)) == 1
    assert billable_days(datetime(2026, 3, 29, 12, tzinfo=berlin), datetime(2026, 3, 30, 13, tzinfo=berlin)) == 2


def test_days_compare_moments_of_different_zones_and_plain_dates():
    tokyo = timezone(timedelta(hours=9))
    assert billable_days(datetime(2026, 1, 2, 9, tzinfo=tokyo), date(2026, 1, 3)) == 1
    assert billable_days(date(2026, 1, 2), datetime(2026, 1, 3, 9, 1, tzinfo=tokyo)) == 2


def test_days_refuse_an_end_before_the_start_and_a_time_without_zone():
    with pytest.raises(ValueError, match="comes before the start"):
        billable_days(date(2026, 1, 2), date(2026, 1, 1))
    with pytest.raises(ValueError, match="needs a zone"):
        billable_days(datetime(2026, 1, 1), date(2026, 1, 2))  # noqa: DTZ001


def test_a_regions_own_storage_price_beats_the_providers():
    rates = rates_with(storage=(StorageRate("", Decimal("0.02")), StorageRate("gcp-us-east4", Decimal("0.03"))))
    assert rates.storage_price("gcp-us-east4") == Decimal("0.03")
    assert rates.storage_price("gcp-us-west1") == Decimal("0.02")


def test_the_most_specific_transfer_price_wins_whatever_the_order_and_the_amount():
    ordered = (
        TransferRate(ANYWHERE, ANYWHERE, Decimal(1)),
        TransferRate(ANYWHERE, Area(Scope.REGION, FRANKFURT.region), Decimal(8)),
        TransferRate(NORTH_AMERICA, ANYWHERE, Decimal(3)),
        TransferRate(NORTH_AMERICA, EUROPE, Decimal(7)),
        TransferRate(Area(Scope.REGION, OREGON.region), ANYWHERE, Decimal(5)),
        TransferRate(Area(Scope.REGION, OREGON.region), Area(Scope.REGION, FRANKFURT.region), Decimal(2)),
    )
    for known in range(1, len(ordered) + 1):
        winner = ordered[known - 1].price_per_gb
        assert rates_with(transfer=ordered[:known]).transfer_price(OREGON, FRANKFURT) == winner
        assert rates_with(transfer=ordered[:known][::-1]).transfer_price(OREGON, FRANKFURT) == winner


def test_a_missing_price_is_named_and_never_counted_as_zero():
    quote = estimate(GB, source=OREGON, targets=[VIRGINIA, SINGAPORE], days=30, rates=SEED)
    assert not quote.is_complete
    assert quote.storage_is_complete
    assert not quote.transfer_is_complete
    assert quote.missing == ("No transfer price is set for gcp-us-west1 -> gcp-asia-southeast1.",)
    assert quote.transfer_total == Decimal("0.02")
    assert quote.by_region[1].transfer is None
    assert quote.by_region[1].total == Decimal("0.02")


def test_without_any_price_every_total_is_none():
    quote = estimate(GB, source=OREGON, targets=[VIRGINIA], days=30, rates=rates_with())
    assert (quote.storage_total, quote.transfer_total, quote.total, quote.monthly_total) == (None, None, None, None)
    assert quote.missing == (
        "No storage price is set for gcp-us-east4.",
        "No transfer price is set for gcp-us-west1 -> gcp-us-east4.",
    )


def test_nothing_to_pay_for_costs_nothing_even_without_prices():
    quote = estimate(GB, source=OREGON, targets=[], days=30, rates=rates_with())
    assert quote.is_complete
    assert quote.storage_total == quote.transfer_total == quote.total == 0


def test_the_original_is_counted_only_when_asked_for_and_is_never_transferred():
    copies = estimate(20 * GB, source=OREGON, targets=[VIRGINIA], days=30, rates=SEED)
    everything = estimate(20 * GB, source=OREGON, targets=[VIRGINIA], days=30, rates=SEED, include_original=True)
    assert (copies.storage_total, everything.storage_total) == (Decimal("0.40"), Decimal("0.80"))
    assert everything.transfer_total == copies.transfer_total
    assert [(line.region, line.kind) for line in everything.lines if line.region == OREGON.region] == [
        (OREGON.region, LineKind.STORAGE)
    ]


def test_thirty_more_days_cost_storage_only():
    quote = estimate(20 * GB, source=OREGON, targets=[VIRGINIA, FRANKFURT], days=7, rates=SEED)
    assert quote.monthly_total == Decimal("0.80")


def test_a_copy_to_the_originals_region_is_refused():
    with pytest.raises(ValueError, match="gcp-us-west1 holds the original"):
        estimate(GB, source=OREGON, targets=[VIRGINIA, OREGON], days=1, rates=SEED)


def test_a_region_named_twice_is_refused():
    with pytest.raises(ValueError, match="gcp-us-east4 is chosen twice"):
        estimate(GB, source=OREGON, targets=[VIRGINIA, VIRGINIA], days=1, rates=SEED)


@pytest.mark.parametrize(
    ("size_bytes", "days", "sentence"), [(-1, 1, "cannot be negative"), (1, 0, "at least one day")]
)
def test_a_negative_size_and_less_than_a_day_are_refused(size_bytes, days, sentence):
    with pytest.raises(ValueError, match=sentence):
        estimate(size_bytes, source=OREGON, targets=[VIRGINIA], days=days, rates=SEED)


@pytest.mark.parametrize("price", ["-0.01", "NaN", "Infinity"])
def test_a_price_must_be_a_number_of_zero_or_more(price):
    with pytest.raises(ValueError, match="price cannot be"):
        StorageRate("", Decimal(price))
    with pytest.raises(ValueError, match="price cannot be"):
        TransferRate(ANYWHERE, ANYWHERE, Decimal(price))


def test_the_callers_decimal_context_does_not_change_the_bill():
    with localcontext(prec=2):
        cost = storage_cost(123_456_789_012, Decimal("0.025"), 7)
        total = add_up([Decimal("1000.01"), Decimal("0.0001")])
    assert cost == storage_cost(123_456_789_012, Decimal("0.025"), 7)
    assert total == Decimal("1000.0101")
