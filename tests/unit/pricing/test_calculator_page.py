"""The calculator in the browser's eyes: amounts, refusals, and the same answer as a page and as a fragment."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.urls import reverse

pytestmark = pytest.mark.django_db

EXAMPLE = {
    "size_gb": "20",
    "source": "gcp-us-west1",
    "targets": ["gcp-us-east4", "gcp-europe-west3"],
    "duration": "1",
    "unit": "months",
}
BOTH = pytest.mark.parametrize("name", ["pricing:calculator", "pricing:calculator-result"])


@pytest.fixture(autouse=True)
def regions(settings):
    settings.PRICING_REGION_SOURCE = "tests.unit.pricing.regions.fake_regions"


@pytest.fixture
def person(client):
    client.force_login(get_user_model().objects.create_user(email="ada@example.com", password="only for tests"))
    return client


def text_of(response: HttpResponse) -> str:
    """The words on the page, without tags and line breaks."""
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(words))


def targets_on_offer(response: HttpResponse) -> set[str]:
    return set(re.findall(r'name="targets" value="([^"]+)"', response.content.decode()))


@BOTH
def test_r14_the_seeds_example_shows_0_80_storage_2_00_transfer_and_2_80_total(person, name):
    words = text_of(person.get(reverse(name), EXAMPLE))
    assert "Storage $0.80" in words
    assert "Data transfer, once $2.00" in words
    assert "Total $2.80" in words


def test_the_link_to_the_documentations_example_leads_to_the_examples_amounts(person):
    page = person.get(reverse("pricing:calculator"))
    [link] = [unescape(href) for href in re.findall(r'href="([^"]+)"', page.content.decode()) if "size_gb=20" in href]
    assert parse_qs(urlsplit(link).query)["targets"] == ["gcp-us-east4", "gcp-europe-west3"]
    assert "Total $2.80" in text_of(person.get(link))


def test_the_example_is_not_offered_where_its_regions_do_not_exist(person, settings):
    settings.PRICING_REGION_SOURCE = "tests.unit.pricing.regions.no_regions"
    words = text_of(person.get(reverse("pricing:calculator")))
    assert "No regions yet" in words
    assert "The documentation's example" not in words


@BOTH
def test_a_stranger_is_sent_to_sign_in(client, name):
    response = client.get(reverse(name), EXAMPLE)
    assert response.status_code == 302
    assert "next=" in response["Location"]


@BOTH
def test_only_get_is_allowed(person, name):
    assert person.post(reverse(name), EXAMPLE).status_code == 405


def test_only_other_regions_of_the_sources_provider_are_on_offer(person):
    page = person.get(reverse("pricing:calculator"), EXAMPLE)
    assert targets_on_offer(page) == {"gcp-us-east4", "gcp-europe-west3", "gcp-asia-southeast1"}


def test_without_a_choice_the_targets_fit_the_region_the_browser_selects_and_nothing_is_priced(person):
    page = person.get(reverse("pricing:calculator"))
    assert page.status_code == 200
    assert re.findall(r'<option value="([^"]+)" selected', page.content.decode())[0] == "gcp-us-west1"
    assert targets_on_offer(page) == {"gcp-us-east4", "gcp-europe-west3", "gcp-asia-southeast1"}
    assert "Tick at least one region" in text_of(page)


def test_without_the_examples_region_the_first_one_is_the_source(person, settings):
    settings.PRICING_REGION_SOURCE = "tests.unit.pricing.regions.only_aws"
    page = person.get(reverse("pricing:calculator"))
    # Nothing is selected, so a browser shows the first option.
    assert re.findall(r'<option value="([^"]+)">', page.content.decode())[0] == "aws-us-east-1"
    assert targets_on_offer(page) == {"aws-eu-central-1"}


def test_an_azure_source_offers_no_targets_and_says_why(person):
    page = person.get(reverse("pricing:calculator"), EXAMPLE | {"source": "az-eastus", "targets": []})
    assert targets_on_offer(page) == set()
    assert "Backups on Azure cannot be copied to other regions." in text_of(page)


def test_the_ticked_regions_stay_ticked(person):
    html = person.get(reverse("pricing:calculator"), EXAMPLE).content.decode()
    assert set(re.findall(r'value="([^"]+)" checked', html)) == {"gcp-us-east4", "gcp-europe-west3"}


@BOTH
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"targets": ["aws-us-east-1"]}, "aws-us-east-1 belongs to AWS, but gcp-us-west1 belongs to Google Cloud."),
        ({"targets": ["gcp-us-west1"]}, "gcp-us-west1 holds the original; choose another region for the copy."),
        ({"targets": ["gcp-us-east4", "gcp-us-east4"]}, "A region is chosen twice"),
        ({"source": "az-eastus", "targets": ["az-northeurope"]}, "Backups on Azure cannot be copied to other regions."),
        ({"source": "mars"}, "mars is not one of the available choices"),
        ({"targets": ["mars"]}, "mars is not one of the available choices"),
        ({"size_gb": "0"}, "Enter a size above 0 GB."),
        ({"size_gb": "-5"}, "Enter a size above 0 GB."),
        ({"size_gb": "NaN"}, "Enter a number."),
        ({"size_gb": "9" * 10_000}, "Enter a size of at most 1,000,000,000 GB."),
        ({"size_gb": ""}, "This field is required."),
        ({"duration": "0"}, "greater than or equal to 1"),
        ({"duration": "1201"}, "less than or equal to 1200"),
        ({"unit": "years"}, "years is not one of the available choices"),
    ],
)
def test_bad_input_is_answered_in_place_with_422_and_without_an_amount(person, name, change, sentence):
    response = person.get(reverse(name), EXAMPLE | change)
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert "Total" not in text_of(response)


def test_markup_in_the_address_is_shown_as_text(person):
    response = person.get(reverse("pricing:calculator"), EXAMPLE | {"source": "<script>alert(1)</script>"})
    assert response.status_code == 422
    assert b"<script>alert" not in response.content


def test_a_missing_price_is_named_and_the_totals_become_lower_bounds(person):
    words = text_of(
        person.get(reverse("pricing:calculator-result"), EXAMPLE | {"targets": ["gcp-us-east4", "gcp-asia-southeast1"]})
    )
    assert "No transfer price is set for gcp-us-west1 -> gcp-asia-southeast1." in words
    assert "Storage $0.80 Data transfer, once at least $0.40 Total at least $1.20" in words


def test_without_any_price_the_total_reads_no_price_set(person):
    wanted = EXAMPLE | {"source": "aws-us-east-1", "targets": ["aws-eu-central-1"]}
    words = text_of(person.get(reverse("pricing:calculator-result"), wanted))
    assert "Total no price set" in words
    assert "$" not in words


def test_the_original_is_counted_when_ticked(person):
    words = text_of(person.get(reverse("pricing:calculator-result"), EXAMPLE | {"include_original": "on"}))
    assert "Storage of the original in Oregon, USA" in words
    assert "Storage $1.20 Data transfer, once $2.00 Total $3.20" in words


def test_days_are_priced_by_the_thirtieth_of_a_month(person):
    words = text_of(person.get(reverse("pricing:calculator-result"), EXAMPLE | {"duration": "15", "unit": "days"}))
    assert "kept 15 days" in words
    assert "Storage $0.40 Data transfer, once $2.00 Total $2.40" in words


def test_keeping_the_copies_longer_has_a_price_of_its_own(person):
    words = text_of(person.get(reverse("pricing:calculator-result"), EXAMPLE | {"duration": "7", "unit": "days"}))
    assert "Keeping the copies for 30 more days: $0.80." in words


def test_the_fragment_has_one_root_and_hands_the_page_its_address(person):
    response = person.get(reverse("pricing:calculator-result"), EXAMPLE)
    html = re.sub(r"^\s+", "", response.content.decode())
    assert html.startswith('<section id="calculator-result"')
    assert html.rstrip().endswith("</section>")
    assert html.count("<section") == 1
    address = urlsplit(response["HX-Replace-Url"])
    assert address.path == reverse("pricing:calculator")
    assert parse_qs(address.query)["targets"] == EXAMPLE["targets"]


def test_the_page_contains_the_very_fragment(person):
    fragment = person.get(reverse("pricing:calculator-result"), EXAMPLE).content.decode().strip()
    assert fragment in person.get(reverse("pricing:calculator"), EXAMPLE).content.decode()
