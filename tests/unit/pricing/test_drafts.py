"""What can be wrong with a price sheet before it is stored."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pricing.calculator import ANYWHERE, Area, LineKind, Scope
from pricing.drafts import (
    PriceLine,
    SheetDraft,
    find_changed_prices,
    find_mistakes,
    read_area,
    read_price,
    write_area,
)
from pricing.regions import RegionChoice

OREGON = RegionChoice("gcp-us-west1", "gcp", "Google Cloud", "Oregon", "North America")
FRANKFURT = RegionChoice("gcp-europe-west3", "gcp", "Google Cloud", "Frankfurt", "Europe")
IRELAND = RegionChoice("aws-eu-west-1", "aws", "AWS", "Ireland", "Europe")
REGIONS = [OREGON, FRANKFURT, IRELAND]


def storage(target: Area, price: str = "0.02") -> PriceLine:
    return PriceLine(LineKind.STORAGE, ANYWHERE, target, Decimal(price))


def transfer(source: Area, target: Area, price: str = "0.08") -> PriceLine:
    return PriceLine(LineKind.TRANSFER, source, target, Decimal(price))


def region(code: str) -> Area:
    return Area(Scope.REGION, code)


def continent(name: str) -> Area:
    return Area(Scope.CONTINENT, name)


def draft(*lines: PriceLine, **changes: Any) -> SheetDraft:
    whole = SheetDraft("gcp", "Contract 2026", date(2026, 12, 1), "USD", "Our contract", lines or (storage(ANYWHERE),))
    return replace(whole, **changes)


def sentences(sheet: SheetDraft) -> list[tuple[int | None, str]]:
    return [(mistake.line, mistake.sentence) for mistake in find_mistakes(sheet, regions=REGIONS)]


def test_a_sheet_of_known_regions_and_continents_has_no_mistake():
    good = draft(
        storage(ANYWHERE),
        storage(region("gcp-us-west1"), "0.019"),
        transfer(ANYWHERE, ANYWHERE),
        transfer(continent("North America"), continent("Europe")),
        transfer(region("gcp-us-west1"), region("gcp-europe-west3")),
    )
    assert sentences(good) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (storage(region("aws-eu-west-1")), "no region of gcp"),
        (storage(region("atlantis-1")), "no region of gcp"),
        (transfer(ANYWHERE, region("atlantis-1")), "no region of gcp"),
        (transfer(continent("Atlantis"), ANYWHERE), "no region in “Atlantis”"),
        (storage(continent("Europe")), "for one region, or for any region"),
    ],
)
def test_a_line_that_prices_no_place_of_the_provider_is_named_by_its_place_in_the_sheet(line, words):
    [(index, sentence)] = sentences(draft(storage(ANYWHERE), line))
    assert index == 1
    assert words in sentence


def test_one_place_is_priced_once():
    assert sentences(draft(storage(ANYWHERE), transfer(ANYWHERE, ANYWHERE), storage(ANYWHERE, "0.5"))) == [
        (2, "This repeats price 1 of the sheet.")
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"provider": "atlantis"}, "No region here belongs to a provider"),
        ({"name": "  "}, "needs a name"),
        ({"name": "x" * 121}, "needs a name"),
        ({"source_note": "x" * 2001}, "longer than 2,000"),
        ({"lines": ()}, "without any price"),
    ],
)
def test_what_is_wrong_with_the_whole_sheet_belongs_to_no_line(changes, words):
    found = sentences(draft(transfer(ANYWHERE, ANYWHERE), **changes))
    assert found
    assert found[0][0] is None
    assert words in found[0][1]


@pytest.mark.parametrize("text", ["", "x", "-0.01", "nan", "inf", "-inf", "1001", "1e9", "0.0000001", "0,02", "$1"])
def test_what_is_no_price_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match=r"\.$"):
        read_price(text)


@pytest.mark.parametrize(("text", "price"), [("0", "0"), (" 0.025 ", "0.025"), ("2.5e-2", "0.025"), ("1000", "1000")])
def test_a_price_is_read_as_it_was_typed(text, price):
    assert read_price(text) == Decimal(price)


@pytest.mark.parametrize("area", [ANYWHERE, continent("North America"), region("gcp-us-west1")])
def test_an_area_is_read_as_it_was_written(area):
    assert read_area(write_area(area)) == area


@pytest.mark.parametrize("text", ["", "  ", "continent:", "planet:Mars", ":"])
def test_what_is_no_area_is_refused(text):
    with pytest.raises(ValueError, match="is no place"):
        read_area(text)


def test_prices_that_were_missing_may_come_but_a_known_one_that_differs_is_named():
    before = draft(storage(region("gcp-us-west1"))).rates
    more = draft(storage(region("gcp-us-west1")), storage(ANYWHERE, "0.5"), transfer(ANYWHERE, ANYWHERE)).rates
    assert find_changed_prices(before, more, regions=REGIONS) == []
    assert find_changed_prices(more, before, regions=REGIONS) == [
        "Storage in gcp-europe-west3 has a price already.",
        "Transfer from gcp-us-west1 to gcp-europe-west3 has a price already.",
        "Transfer from gcp-europe-west3 to gcp-us-west1 has a price already.",
    ]
