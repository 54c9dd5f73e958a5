"""The documentation's example, typed by hand (rule R14)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser import walk


def type_the_example(page: Page) -> None:
    """20 GB in gcp-us-west1, copies to gcp-us-east4 and gcp-europe-west3, one month; as fast as the page takes it."""
    page.get_by_label("Region of the cluster").select_option("gcp-us-west1")
    page.get_by_label("Backup size in GB").fill("20")
    page.get_by_label("Kept for").fill("1")
    page.get_by_label("Unit", exact=True).select_option("months")
    for region in ("gcp-us-east4", "gcp-europe-west3"):
        page.locator(f"input[name=targets][value={region}]").check()


def expect_the_amounts(page: Page) -> None:
    result = page.locator("#calculator-result")
    expect(result.locator(".quote__total")).to_have_text("$2.80")
    for label, amount in (("Storage", "$0.80"), ("Data transfer, once", "$2.00"), ("Total", "$2.80")):
        row = result.locator("tfoot tr").filter(has=page.get_by_role("rowheader", name=label, exact=True))
        expect(row.locator("td")).to_have_text(amount)


def test_the_example_typed_by_hand_shows_its_three_amounts_without_a_button(admin):
    admin.goto("/")
    walk.choose(admin, "Prices")
    # Away from what the form begins with, so that every part of the example has to be typed.
    admin.get_by_label("Backup size in GB").fill("7")
    admin.get_by_label("Kept for").fill("3")
    admin.get_by_label("Region of the cluster").select_option("aws-us-east-1")
    expect(admin.locator("input[name=targets][value=aws-eu-central-1]")).to_be_visible()
    type_the_example(admin)
    expect_the_amounts(admin)


def test_the_examples_link_shows_the_same(admin):
    admin.goto("/")
    walk.choose(admin, "Prices")
    admin.get_by_role("link", name="The documentation's example").click()
    expect_the_amounts(admin)


@pytest.mark.parametrize("unit", ["months", "days"])
def test_the_example_works_without_javascript(open_page, unit):
    page = open_page("project admin", java_script_enabled=False)
    page.goto("/")
    walk.choose(page, "Prices")
    type_the_example(page)
    if unit == "days":
        page.get_by_label("Kept for").fill("30")
        page.get_by_label("Unit", exact=True).select_option("days")
    page.get_by_role("button", name="Calculate").click()
    expect_the_amounts(page)
