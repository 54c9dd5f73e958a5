"""How amounts and sizes read on the screen."""

from decimal import Decimal

import pytest

from pricing.formatting import format_gb, format_money, format_total, format_unit_price


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
    assert format_money(Decimal(amount)) == text


def test_a_missing_amount_reads_no_price_set_and_never_zero():
    assert format_money(None) == format_unit_price(None) == "no price set"


def test_a_total_that_lacks_a_price_is_shown_as_a_lower_bound():
    assert format_total(Decimal("2.8"), True) == "$2.80"
    assert format_total(Decimal("2.8"), False) == "at least $2.80"
    assert format_total(None, False) == "no price set"


@pytest.mark.parametrize(
    ("price", "text"),
    [("0.020000", "$0.02"), ("0.025000", "$0.025"), ("0", "$0.00"), ("0.0005", "$0.0005"), ("100", "$100.00")],
)
def test_a_unit_price_keeps_every_digit_it_has(price, text):
    assert format_unit_price(Decimal(price)) == text


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
