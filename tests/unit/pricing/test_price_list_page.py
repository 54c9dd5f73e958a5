"""The price list: every sheet with its rows, its first day, its source and its use."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pricing.models import AreaKind, PriceSheet

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def regions(settings):
    settings.PRICING_REGION_SOURCE = "tests.unit.pricing.regions.fake_regions"


@pytest.fixture
def person(client):
    client.force_login(get_user_model().objects.create_user(email="ada@example.com", password="only for tests"))
    return client


def card_of(html: str, name: str) -> str:
    """The part of the page that shows one sheet."""
    [card] = [card for card in html.split("<article")[1:] if f"<h3>{name}</h3>" in card]
    return card.split("</article>")[0]


def make_sheets(count: int) -> None:
    for number in range(count):
        sheet = PriceSheet.objects.create(provider="cloud", name=f"sheet {number}", valid_from=date(2025, 1, 1))
        sheet.storage_prices.create(price_per_gb_month=Decimal(1))
        sheet.transfer_prices.create(source_kind=AreaKind.ANY, target_kind=AreaKind.ANY, price_per_gb=Decimal(1))


def test_each_sheet_shows_its_rows_its_first_day_its_source_and_its_use(person):
    html = person.get(reverse("pricing:price-list")).content.decode()
    default = card_of(html, "Google Cloud, cross-region backup example")
    assert "$0.02 per GB and month" in default
    assert "$0.08 per GB" in default
    assert "1 January 2025" in default
    assert "Copy To Other Regions" in default
    assert "Default: prices every quote and bill today" in default
    other = card_of(html, "Google Cloud, data transfer page")
    assert "$0.05 per GB" in other
    assert "Not used, kept for comparison" in other


def test_what_nobody_has_priced_reads_no_price_set(person):
    html = person.get(reverse("pricing:price-list")).content.decode()
    assert "No price set" in card_of(html, "AWS, backup storage")
    assert "No price set: there is no price sheet for Azure." in html
    assert "it is never counted as zero" in html


def test_the_sheet_of_another_day_is_not_called_the_one_of_today(person):
    PriceSheet.objects.create(provider="gcp", name="announced", valid_from=date(2999, 1, 1), is_default=True)
    html = person.get(reverse("pricing:price-list")).content.decode()
    assert "Begins later" in card_of(html, "announced")
    assert "Default: prices every quote" in card_of(html, "Google Cloud, cross-region backup example")


def test_the_list_leads_to_the_calculator(person):
    assert f'href="{reverse("pricing:calculator")}"' in person.get(reverse("pricing:price-list")).content.decode()


def test_a_site_without_sheets_and_regions_says_so(person, settings):
    settings.PRICING_REGION_SOURCE = "tests.unit.pricing.regions.no_regions"
    PriceSheet.objects.all().delete()
    assert "No price sheets yet" in person.get(reverse("pricing:price-list")).content.decode()


def test_a_stranger_is_sent_to_sign_in(client):
    assert client.get(reverse("pricing:price-list")).status_code == 302


def test_one_sheet_and_twenty_cost_the_same_number_of_queries(person):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert person.get(reverse("pricing:price-list")).status_code == 200
        return len(captured)

    queries()  # the first request of a session writes down where it came from
    PriceSheet.objects.all().delete()
    make_sheets(1)
    one = queries()
    PriceSheet.objects.all().delete()
    make_sheets(20)
    assert queries() == one
