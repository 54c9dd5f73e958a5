"""A session that ends while a page keeps itself up to date."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def redirected_to(client: Client, current_url: str | None) -> str:
    headers = {"HX-Request": "true"} | ({"HX-Current-URL": current_url} if current_url else {})
    answer = client.get("/jobs/table/", headers=headers)
    assert answer.status_code == 200
    return str(answer["HX-Redirect"])


def test_whoever_signs_in_again_comes_back_to_the_page_they_were_on(client):
    assert redirected_to(client, "http://testserver/jobs/?state=failed&page=2") == (
        "/sign-in/?next=/jobs/%3Fstate%3Dfailed%26page%3D2"
    )


@pytest.mark.parametrize(
    "current_url",
    [
        None,
        "http://evil.example.com/jobs/",
        "https://testserver/jobs/",
        "http://testserver//evil.example.com/",
        "http://testserver/\\evil.example.com/",
        "http://testserver@evil.example.com/",
        "http://[",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_is_not_ours_is_forgotten(client, current_url):
    assert redirected_to(client, current_url) == "/sign-in/"


@pytest.mark.parametrize(
    ("method", "url"), [("get", "/jobs/?cluster=%00"), ("post", "/clusters/new/"), ("get", "/jobs/table/?page=%00")]
)
def test_a_null_character_is_no_server_error_on_any_database(people, client, method, url):
    client.force_login(people.owner)
    answer = getattr(client, method)(url, {"region": "gcp\x00", "project": "1"} if method == "post" else {})
    assert answer.status_code < 500
