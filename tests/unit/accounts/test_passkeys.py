"""What a passkey is not: nonsense opens nothing and breaks nothing. That real ones open is for tests/browser to say."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.second_factors import has_second_factor
from tests.unit.accounts.signin import confirm, give_app, is_signed_in, sign_in, with_password

pytestmark = pytest.mark.django_db

_HEAD = '{"id": "YQ", "rawId": "YQ", "type": "public-key", "response": '
# {"type": "webauthn.create", …} and the same with get, of no origin.
_CREATE = "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiYSIsIm9yaWdpbiI6ImEifQ"
_GET = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiYSIsIm9yaWdpbiI6ImEifQ"
_DATA = "A" * 50
NONSENSE = [
    "",
    "{",
    "[]",
    "1",
    "null",
    '"x"',
    "{}",
    '{"id": 1}',
    '{"response": []}',
    _HEAD + "{}}",
    _HEAD + "null}",
    _HEAD + '{"clientDataJSON": "YQ", "attestationObject": "YQ"}}',
    _HEAD + f'{{"clientDataJSON": "e30", "authenticatorData": "{_DATA}", "signature": "YQ", "userHandle": "MQ"}}}}',
    _HEAD + f'{{"clientDataJSON": "{_GET}", "authenticatorData": "{_DATA}", "signature": "YQ", "userHandle": "MQ"}}}}',
    _HEAD + f'{{"clientDataJSON": "{_GET}", "authenticatorData": "{_DATA}", "signature": "YQ", "userHandle": 5}}}}',
    _HEAD + f'{{"clientDataJSON": "{_GET}", "authenticatorData": "{_DATA}", "signature": "YQ"}}}}',
    _HEAD + f'{{"clientDataJSON": "{_CREATE}", "attestationObject": "oA"}}}}',
    _HEAD + f'{{"clientDataJSON": "{_CREATE}", "attestationObject": "gA"}}}}',
    '{"id": "a", "rawId": "a", "type": "x", "response": {"clientDataJSON": "/", "authenticatorData": ""}}',
]


@pytest.fixture(autouse=True)
def _without_limits(settings):
    settings.ACCOUNT_RATE_LIMITS = settings.MFA_RATE_LIMITS = False


@pytest.fixture
def vera(people):
    return with_password(people.viewer)


def test_nonsense_is_no_passkey_to_sign_in_with(client, db):
    for nonsense in NONSENSE:
        client.get("/sign-in/passkey/", headers={"Accept": "application/json"})
        answer = client.post("/sign-in/passkey/", {"credential": nonsense})
        assert answer["Location"] == "/sign-in/", nonsense
    assert not is_signed_in(client)


def test_nonsense_is_no_second_factor(client, vera):
    give_app(vera)
    sign_in(client, vera)
    for nonsense in NONSENSE:
        client.get("/sign-in/code/")
        assert client.post("/sign-in/code/", {"credential": nonsense}).status_code == 200, nonsense
    assert not is_signed_in(client)


def test_nonsense_cannot_be_added_as_a_passkey(client, vera):
    sign_in(client, vera)
    confirm(client)
    for nonsense in NONSENSE:
        for alone in ({}, {"passwordless": "on"}):
            client.get("/account/passkeys/add/")
            answer = client.post("/account/passkeys/add/", {"name": "Laptop", "credential": nonsense, **alone})
            assert answer.status_code == 200, nonsense
    assert not has_second_factor(vera)


def test_a_passkey_of_somebody_else_is_not_found_by_its_number(client, people, vera):
    theirs = Authenticator.objects.create(
        user=people.owner, type=Authenticator.Type.WEBAUTHN, data={"name": "Hers", "credential": {}}
    )
    sign_in(client, vera)
    confirm(client)
    for deed in ("rename", "remove"):
        assert client.get(f"/account/passkeys/{theirs.pk}/{deed}/").status_code == 404
        assert client.post(f"/account/passkeys/{theirs.pk}/{deed}/", {"name": "Mine"}).status_code == 404
    assert Authenticator.objects.get(pk=theirs.pk).data["name"] == "Hers"


def test_the_door_offers_passkeys_only_where_browsers_make_them(client, db, settings):
    settings.ALLOWED_HOSTS = ["127.0.0.1", "[::1]", "localhost", "backups.example.com"]
    offered = {"127.0.0.1:8000": False, "[::1]:8000": False, "localhost:8000": True, "backups.example.com": True}
    for host, is_offered in offered.items():
        page = Client().get("/sign-in/", headers={"Host": host}).content.decode()
        assert ("data-passkey-form" in page) == is_offered, host
