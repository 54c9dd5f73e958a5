"""What must hold for every bill, whatever the sizes, prices and regions."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pricing.calculator import (
    ANYWHERE,
    Area,
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

SOURCE = Place("source", "Asia")
TARGETS = [Place(f"region-{number}", continent) for number, continent in enumerate(["Asia", "Europe", "Europe"])]

sizes_bytes = st.integers(min_value=0, max_value=10**18)
days = st.integers(min_value=1, max_value=3650)
prices = st.decimals(min_value=0, max_value=1000, places=6)
chosen = st.lists(st.sampled_from(TARGETS), unique=True)
areas = st.one_of(
    st.just(ANYWHERE),
    st.sampled_from(["Asia", "Europe"]).map(lambda name: Area(Scope.CONTINENT, name)),
    st.sampled_from(TARGETS).map(lambda place: Area(Scope.REGION, place.region)),
)
rates = st.builds(
    Rates,
    provider=st.just("cloud"),
    currency=st.just("USD"),
    source=st.just("made up"),
    valid_from=st.none(),
    storage=st.lists(
        st.builds(StorageRate, region=st.sampled_from(["", "source", "region-0"]), price_per_gb_month=prices),
        unique_by=lambda rate: rate.region,
    ).map(tuple),
    transfer=st.lists(
        st.builds(TransferRate, source=areas, target=areas, price_per_gb=prices),
        unique_by=lambda rate: (rate.source, rate.target),
    ).map(tuple),
)
# One division by 30 may round the 40th digit; far below anything a bill shows.
TOLERANCE = Decimal("1e-20")


def known(amounts: Iterable[Decimal | None]) -> Decimal:
    return add_up(amount for amount in amounts if amount is not None)


@given(sizes_bytes, chosen, days, rates, st.booleans())
def test_the_lines_the_kinds_and_the_regions_each_add_up_to_the_total(size, targets, kept, prices_set, original):
    quote = estimate(size, source=SOURCE, targets=targets, days=kept, rates=prices_set, include_original=original)
    total = quote.total or Decimal(0)
    assert known(line.amount for line in quote.lines) == total
    assert known([quote.storage_total, quote.transfer_total]) == total
    assert known(region.total for region in quote.by_region) == total
    assert known(region.storage for region in quote.by_region) == (quote.storage_total or 0)
    assert len(quote.missing) == sum(line.amount is None for line in quote.lines)
    assert quote.is_complete == (not quote.missing)


@given(sizes_bytes, st.permutations(TARGETS), days, rates)
def test_the_order_of_the_targets_does_not_change_the_bill(size, shuffled, kept, prices_set):
    one = estimate(size, source=SOURCE, targets=TARGETS, days=kept, rates=prices_set)
    other = estimate(size, source=SOURCE, targets=shuffled, days=kept, rates=prices_set)
    assert set(one.lines) == set(other.lines)
    assert (one.storage_total, one.transfer_total, one.total, one.monthly_total) == (
        other.storage_total,
        other.transfer_total,
        other.total,
        other.monthly_total,
    )


@given(sizes_bytes, sizes_bytes, prices, days)
def test_two_parts_of_a_file_cost_what_the_whole_costs(first, second, price, kept):
    together = storage_cost(first + second, price, kept)
    apart = add_up([storage_cost(first, price, kept), storage_cost(second, price, kept)])
    assert abs(together - apart) <= TOLERANCE
    assert transfer_cost(first + second, price) == add_up([transfer_cost(first, price), transfer_cost(second, price)])


@given(sizes_bytes, sizes_bytes, chosen, days, days, rates)
def test_more_bytes_or_more_days_never_cost_less(size, more_bytes, targets, kept, more_days, prices_set):
    def total(size_bytes: int, day_count: int) -> Decimal:
        quote = estimate(size_bytes, source=SOURCE, targets=targets, days=day_count, rates=prices_set)
        return quote.total or Decimal(0)

    assert total(size + more_bytes, kept) >= total(size, kept)
    assert total(size, kept + more_days) >= total(size, kept)


@given(sizes_bytes, chosen, days, rates)
def test_one_more_region_never_costs_less(size, targets, kept, prices_set):
    totals = [
        estimate(size, source=SOURCE, targets=targets[:count], days=kept, rates=prices_set).total or Decimal(0)
        for count in range(len(targets) + 1)
    ]
    assert totals == sorted(totals)


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4000)),
)
def test_paid_days_cover_the_time_and_no_day_is_paid_that_was_not_started(started, kept):
    count = billable_days(started, started + kept)
    assert timedelta(days=count) >= kept
    assert count == 1 or timedelta(days=count - 1) < kept
