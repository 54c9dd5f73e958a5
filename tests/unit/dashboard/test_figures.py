"""Rows to figures: pure."""

import pytest

from dashboard.figures import size_unit, storage_figure, transfer_figure


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], (1, "bytes")),
        ([0], (1, "bytes")),
        ([999], (1, "bytes")),
        ([1_000], (10**3, "kB")),
        ([5, 2_000_000], (10**6, "MB")),
        ([999_999_999, 10**9], (10**9, "GB")),
    ],
)
def test_the_unit_is_the_largest_that_the_largest_size_reaches(sizes, expected):
    assert size_unit(sizes) == expected


def test_bars_stand_in_the_order_of_the_rows_in_one_unit():
    figure = storage_figure([("Oregon", 20 * 10**9), ("Frankfurt", 5 * 10**8)])
    [bars] = figure["data"]
    assert (bars["y"], bars["x"]) == (["Oregon", "Frankfurt"], [20, 0.5])
    assert figure["layout"]["xaxis"]["title"]["text"] == "GB"
    assert figure["layout"]["template"] is None


def test_a_flow_is_named_by_source_and_target():
    [bars] = transfer_figure([("a", "b", 10**9)])["data"]
    assert bars["y"] == ["a<br>→ b"]


def test_no_rows_make_an_empty_figure():
    assert storage_figure([])["data"][0]["x"] == []
