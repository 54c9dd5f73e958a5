"""How amounts and sizes read on the screen."""

from decimal import Decimal

import pytest

from pricing.currencies import CURRENCIES, SizeUnit
from pricing.formatting import format_gb, format_money, format_range, format_size, format_total, format_unit_price


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("2.8", "$2.80"),
        ("0", "$0.00"),
        ("0.005", "$0.005"),
        ("0.01", "$0.01"),
        ("0.0042", "$0.0042"),
        ("0.00418", "$0.0042"),
        ("0.00999", "$0.01"),
        ("0.00000031", "$0.00000031"),
        ("1.005", "$1.01"),
        ("1234567.891", "$1,234,567.89"),
        ("-2.8", "-$2.80"),
        ("-0.0042", "-$0.0042"),
    ],
)
def test_money_is_shown_in_cents_and_smaller_amounts_in_their_first_two_digits(amount, text):
    assert format_money(Decimal(amount), "USD") == text


def test_a_missing_amount_reads_no_price_set_and_never_zero():
    assert format_money(None, "USD") == format_unit_price(None, "EUR") == "no price set"


def test_a_total_that_lacks_a_price_is_shown_as_a_lower_bound():
    assert format_total(Decimal("2.8"), True, "USD") == "$2.80"
    assert format_total(Decimal("2.8"), False, "USD") == "at least $2.80"
    assert format_total(None, False, "USD") == "no price set"


@pytest.mark.parametrize(
    ("price", "text"),
    [("0.020000", "$0.02"), ("0.025000", "$0.025"), ("0", "$0.00"), ("0.0005", "$0.0005"), ("100", "$100.00")],
)
def test_a_unit_price_keeps_every_digit_it_has(price, text):
    assert format_unit_price(Decimal(price), "USD") == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (20 * 10**9, "20.00 GB"),
        (1_234_500_000_000, "1,234.50 GB"),
        (999_999_999, "1.00 GB"),
        (1_500_000, "1.50 MB"),
        (1_500, "1.50 kB"),
        (512, "512 B"),
        (0, "0 B"),
        (None, "–"),
    ],
)
def test_sizes_are_in_decimal_units(size_bytes, text):
    assert format_gb(size_bytes) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1.2", "EUR", "€1.20"),
        ("1.2", "CNY", "CNY 1.20"),
        ("-1.2", "CAD", "-CAD 1.20"),
        ("1.5", "JPY", "JPY 2"),
        ("0.042", "JPY", "JPY 0.042"),
    ],
)
def test_an_amount_says_its_currency_and_only_dollars_of_the_states_are_a_bare_dollar_sign(amount, currency, text):
    assert format_money(Decimal(amount), currency) == text


def test_no_two_currencies_read_the_same():
    assert len({format_money(1, code) for code in CURRENCIES}) == len(CURRENCIES)


def test_a_range_of_one_amount_reads_as_that_amount():
    assert format_range(Decimal("0.4"), Decimal("3.2"), "USD") == "$0.40 to $3.20"
    assert format_range(Decimal("0.4"), Decimal("0.4"), "EUR") == "€0.40"
    assert format_range(None, None, "USD") == "no price set"


def test_a_size_can_be_shown_in_the_unit_that_prices_are_per():
    assert format_size(20 * 10**9, SizeUnit.GIB) == "18.63 GiB"
    assert format_size(2**20, "GiB") == "1.00 MiB"
