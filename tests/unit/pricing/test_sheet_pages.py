"""Entering, importing, exporting and withdrawing price sheets, page by page."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from pricing.csv_files import COLUMNS
from pricing.models import PriceSheet
from pricing.services import rates_for
from tests.builders import text_of

pytestmark = pytest.mark.django_db

HEAD = ",".join(COLUMNS)


@pytest.fixture
def owner(client, people):
    client.force_login(people.owner)
    return client


@pytest.fixture
def urls(people) -> dict[str, str]:
    code = people.organization.code
    return {
        "create": reverse("pricing:sheet-create", args=[code, "gcp"]),
        "import": reverse("pricing:sheet-import", args=[code]),
        "export": reverse("pricing:sheet-export", args=[code]),
        "list": f"{reverse('pricing:price-list')}?organization={code}",
    }


def tomorrow() -> str:
    return (timezone.localdate() + timedelta(days=1)).isoformat()


def sheet_post(*lines: dict[str, str], **changes: str) -> dict[str, str]:
    posted = {"name": "Contract", "valid_from": tomorrow(), "currency": "USD", "unit": "GB", "source_note": ""}
    posted |= {"form-TOTAL_FORMS": str(len(lines))}
    posted |= {"form-INITIAL_FORMS": "0"} | changes
    for number, line in enumerate(lines):
        posted |= {f"form-{number}-{name}": value for name, value in line.items()}
    return posted


STORAGE = {"kind": "storage", "source": "", "target": "any", "price": "0.011"}
TO_EUROPE = {"kind": "transfer", "source": "continent:North America", "target": "continent:Europe", "price": "0.07"}
NOTHING = {"kind": "", "source": "", "target": "", "price": ""}


def own_sheets(people) -> list[str]:
    return list(PriceSheet.objects.filter(organization=people.organization).values_list("name", flat=True))


def test_the_form_begins_with_the_prices_in_force_and_with_tomorrow(owner, urls):
    form = owner.get(urls["create"]).context
    assert [line["price"].value() for line in form["lines"]] == ["0.02", "0.08", "0.02", None, None, None]
    assert form["form"]["valid_from"].value() == timezone.localdate() + timedelta(days=1)


def test_what_was_entered_prices_from_its_day_on(owner, urls, people):
    response = owner.post(urls["create"], sheet_post(STORAGE, NOTHING, TO_EUROPE), follow=True)
    assert "Contract prices Google Cloud from" in text_of(response)
    rates = rates_for("gcp", timezone.localdate() + timedelta(days=1), people.organization.pk)
    assert rates.storage_price("gcp-us-west1") == Decimal("0.011")
    assert len(rates.transfer) == 1


def test_a_ticked_line_is_left_out(owner, urls, people):
    owner.post(urls["create"], sheet_post(STORAGE, TO_EUROPE | {"DELETE": "on"}))
    assert rates_for("gcp", timezone.localdate() + timedelta(days=1), people.organization.pk).transfer == ()


def test_more_lines_keeps_what_was_typed_and_stores_nothing(owner, urls, people):
    response = owner.post(urls["create"], sheet_post(STORAGE | {"price": "typo"}, more="1"))
    assert response.status_code == 200
    assert [line["price"].value() for line in response.context["lines"]] == ["typo", None, None, None]
    assert response.context["form"]["name"].value() == "Contract"
    assert own_sheets(people) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (STORAGE | {"price": "-1"}, "it is zero or more"),
        (STORAGE | {"price": "5000"}, "more than anybody charges"),
        (STORAGE | {"target": "aws-us-east-1"}, "Select a valid choice"),
        (STORAGE | {"target": "continent:Europe"}, "for one region, or for any region"),
        (TO_EUROPE | {"source": ""}, "Say from where."),
        (STORAGE | {"kind": ""}, "This field is required"),
    ],
)
def test_a_wrong_line_keeps_everything_out_and_says_so_where_it_stands(owner, urls, people, line, words):
    response = owner.post(urls["create"], sheet_post(TO_EUROPE, line))
    assert response.status_code == 422
    wrong = response.context["lines"][1]
    assert words in " ".join(text for texts in wrong.errors.values() for text in texts)
    assert words in text_of(response)
    assert own_sheets(people) == []


def test_a_sheet_that_would_change_the_past_is_refused_in_words(owner, urls, people):
    posted = sheet_post(STORAGE, valid_from=timezone.localdate().isoformat())
    response = owner.post(urls["create"], posted)
    assert response.status_code == 422
    assert "What was charged stays charged" in text_of(response)
    assert own_sheets(people) == []


def test_a_provider_nobody_knows_has_no_form(owner, people):
    assert owner.get(reverse("pricing:sheet-create", args=[people.organization.code, "atlantis"])).status_code == 404


def upload(client, url: str, *lines: str):
    file = SimpleUploadedFile("prices.csv", "\n".join([HEAD, *lines]).encode(), content_type="text/csv")
    return client.post(url, {"file": file}, follow=True)


def test_a_file_that_was_exported_and_changed_can_be_imported(owner, urls, people):
    exported = owner.get(urls["export"])
    assert exported["Content-Type"] == "text/csv; charset=utf-8"
    lines = [line for line in exported.content.decode().splitlines()[1:] if line.startswith("gcp,")]
    changed = [line.replace("2025-01-01", tomorrow()).replace(",0.08,", ",0.06,") for line in lines]
    assert "1 price sheet added." in text_of(upload(owner, urls["import"], *changed))
    assert len(own_sheets(people)) == 1


def test_of_a_file_with_half_its_rows_wrong_nothing_is_stored_and_each_line_is_named(owner, urls, people):
    response = upload(
        owner,
        urls["import"],
        f"gcp,A,{tomorrow()},USD,GB,storage,,any,0.02,",
        f"gcp,A,{tomorrow()},USD,GB,storage,,gcp-us-west1,x,",
        f"aws,B,{tomorrow()},USD,GB,storage,,any,-3,",
    )
    assert response.status_code == 422
    assert [mistake.split(":")[0] for mistake in response.context["mistakes"]] == ["Line 3", "Line 4"]
    assert own_sheets(people) == []


def test_what_only_the_whole_shows_to_be_wrong_is_named_by_its_line_too(owner, urls, people):
    response = upload(
        owner,
        urls["import"],
        f"gcp,A,{tomorrow()},USD,GB,storage,,any,0.02,",
        f"aws,B,{tomorrow()},USD,GB,storage,,gcp-us-west1,0.02,",
    )
    assert response.context["mistakes"] == ["Line 3: gcp-us-west1 is no region of aws."]
    assert own_sheets(people) == []


def test_an_empty_upload_is_no_import(owner, urls):
    assert owner.post(urls["import"], {}).status_code == 422


def test_a_sheet_that_has_not_begun_can_be_withdrawn(owner, urls, people):
    owner.post(urls["create"], sheet_post(STORAGE))
    sheet = PriceSheet.objects.get(organization=people.organization)
    assert "Withdraw" in text_of(owner.get(urls["list"]))
    response = owner.post(reverse("pricing:sheet-withdraw", args=[sheet.code]), follow=True)
    assert "Contract was withdrawn." in text_of(response)
    assert own_sheets(people) == []


def test_a_sheet_of_the_site_or_of_others_does_not_exist_to_be_withdrawn(owner, people, client):
    shipped = PriceSheet.objects.filter(organization=None)[0]
    assert owner.post(reverse("pricing:sheet-withdraw", args=[shipped.code])).status_code == 404
    theirs = people.stranger.organization_memberships.get().organization
    assert owner.get(reverse("pricing:sheet-export", args=[theirs.code])).status_code == 404
    assert owner.get(f"{reverse('pricing:price-list')}?organization={theirs.code}").status_code == 404


def test_the_list_shows_own_prices_to_colleagues_without_the_buttons(owner, urls, people):
    owner.post(urls["create"], sheet_post(STORAGE))
    owner.force_login(people.viewer)
    page = text_of(owner.get(urls["list"]))
    assert "Contract" in page
    assert "Withdraw" not in page
    assert "Import CSV" not in page
    owner.force_login(people.stranger)
    assert "Contract" not in text_of(owner.get(reverse("pricing:price-list")))
