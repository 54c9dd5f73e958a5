"""No address of ours sends anybody to another host because somebody else said so."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ELSEWHERE = [
    "https://evil.example.com/",
    "//evil.example.com/",
    "///evil.example.com/",
    "/\\evil.example.com/",
    "\\\\evil.example.com/",
    "http:evil.example.com",
    "https:/evil.example.com",
    "https:///evil.example.com",
    "HTTPS://EVIL.example.com",
    "http://testserver@evil.example.com/",
    "http://testserver.evil.example.com/",
    "javascript:alert(1)",
    "data:text/html,x",
    "\t//evil.example.com",
    "/\t/evil.example.com",
    "//evil.example.com\\@testserver/",
    "http://[::1]@evil.example.com",
    "\x01https://evil.example.com",
    "https://evil%00.example.com",
]


def is_ours(location: str) -> bool:
    """As a browser reads it, which takes backslashes for slashes and skips tabs, line breaks and control characters."""
    seen = "".join(character for character in location if character > " ").replace("\\", "/")
    parts = urlsplit(seen)
    return parts.netloc in ("", "testserver") and not seen.startswith("//") and parts.scheme in ("", "http")


@pytest.mark.parametrize("address", ELSEWHERE)
@pytest.mark.parametrize("name", ["next", "redirect_to"])
def test_signing_in_and_out_leads_to_our_own_pages(people, address, name):
    people.owner.set_password(PASSWORD)
    people.owner.save()
    client = Client()
    form = {"username": people.owner.email, "password": PASSWORD, name: address}
    signed_in = client.post("/sign-in/", form)
    assert signed_in.status_code == 302
    assert is_ours(signed_in["Location"])
    again = client.get("/sign-in/", {name: address})  # who is signed in already is sent on
    assert is_ours(again.get("Location", "/"))
    signed_out = client.post("/sign-out/", {name: address})
    assert is_ours(signed_out.get("Location", "/"))


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example.com",
        "//evil.example.com/",
        "/%2F/evil.example.com",
        "/\\evil.example.com",
        "/jobs//evil.example.com",
    ],
)
def test_no_path_becomes_another_host(people, client, path):
    client.force_login(people.owner)
    answer = client.get(path)
    assert is_ours(answer.get("Location", "/"))


@pytest.mark.parametrize(
    "host", ["evil.example.com", "testserver.evil.example.com", "testserver:99999x", "a b", "[::1", ""]
)
def test_a_host_that_is_not_ours_gets_no_page(client, host):
    assert client.get("/sign-in/", headers={"host": host or " "}).status_code == 400


def test_a_forwarded_host_and_another_method_in_a_header_are_ignored(people, client):
    client.force_login(people.owner)
    headers = {"x-forwarded-host": "evil.example.com", "x-http-method-override": "POST"}
    answer = client.get("/jobs", headers=headers)
    assert (answer.status_code, answer["Location"]) == (301, "/jobs/")
    assert client.get("/sign-out/", {"_method": "POST"}, headers=headers).status_code in (200, 405)
    assert client.get("/jobs/").status_code == 200  # and still signed in
