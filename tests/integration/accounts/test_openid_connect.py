"""Signing in by OpenID Connect, with a real provider at the other end of a socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from accounts.audit_actions import Action
from accounts.models import AuditEntry, User
from tests.integration.accounts.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.unit.accounts.signin import give_app, is_signed_in

pytestmark = pytest.mark.django_db
DOOR = "/sign-in/with/oidc/"


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    with Provider() as running:
        app = {
            "provider_id": "oidc",
            "name": "Acme ID",
            "client_id": CLIENT_ID,
            "secret": CLIENT_SECRET,
            "settings": {"server_url": running.issuer},
        }
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        yield running


def vouch(provider: Provider, email: str, *, verified: Any = True, subject: str = "subject-1") -> None:
    provider.person = {"sub": subject, "email": email, "email_verified": verified, "name": "Vera"}


def come_in(client: Client, provider: Provider, **asked: str) -> Any:
    """Press the button, sign in at the provider, come back."""
    return client.get(f"{DOOR}callback/", provider.authorize(client.post(DOOR, asked)["Location"]))


def told(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_a_member_comes_in_by_the_address_that_the_provider_has_verified(client, people, provider):
    vouch(provider, people.viewer.email.upper())
    assert "Use Acme ID" in client.get("/sign-in/").content.decode()
    assert come_in(client, provider, next="/jobs/")["Location"] == "/jobs/"
    assert is_signed_in(client) or client.get("/account/password/first/").status_code == 200
    entry = AuditEntry.objects.filter(action=Action.SIGNED_IN).get()
    assert (entry.actor, entry.details) == (people.viewer, {"by": ["OpenID Connect"]})
    assert AuditEntry.objects.filter(action=Action.IDENTITY_CONNECTED, actor=people.viewer).count() == 1


def test_who_came_once_is_known_by_subject_also_under_another_address(client, people, provider):
    vouch(provider, people.viewer.email)
    come_in(client, provider)
    vouch(provider, "vera.married@example.com", verified=False)
    another = Client()
    come_in(another, provider)
    assert another.session["_auth_user_id"] == str(people.viewer.pk)


@pytest.mark.parametrize("verified", [False, "false", "true", None, 1])
def test_an_address_that_is_not_verified_opens_nothing(client, people, provider, verified):
    vouch(provider, people.viewer.email, verified=verified)
    answer = come_in(client, provider)
    assert answer["Location"] == "/sign-in/"
    assert "Nobody here has the verified email address" in told(answer)
    assert "_auth_user_id" not in client.session


def test_nobody_new_comes_in(client, people, provider):
    before = User.objects.count()
    vouch(provider, "nobody@example.com")
    assert come_in(client, provider)["Location"] == "/sign-in/"
    assert User.objects.count() == before
    assert "_auth_user_id" not in client.session


def test_a_closed_account_stays_closed(client, people, provider):
    vouch(provider, people.viewer.email)
    come_in(client, provider)
    people.viewer.is_active = False
    people.viewer.save()
    another = Client()
    assert come_in(another, provider)["Location"] == "/sign-in/closed/"
    assert "_auth_user_id" not in another.session


def test_the_second_factor_is_asked_for_here_too(client, people, provider):
    give_app(people.viewer)
    vouch(provider, people.viewer.email)
    assert come_in(client, provider)["Location"] == "/sign-in/code/"
    assert "_auth_user_id" not in client.session


def test_nobody_ties_a_second_identity_to_a_session(client, people, provider):
    client.force_login(people.owner)
    for email in (people.owner.email, "mallory@evil.example"):
        vouch(provider, email, subject="mallory")
        assert come_in(client, provider, process="connect")["Location"] == "/sign-in/"
    stolen = Client()
    come_in(stolen, provider)
    assert "_auth_user_id" not in stolen.session


def test_an_answer_that_this_browser_did_not_ask_for_opens_nothing(client, people, provider):
    vouch(provider, people.viewer.email)
    of_another_browser = provider.authorize(Client().post(DOOR)["Location"])
    answer = client.get(f"{DOOR}callback/", of_another_browser)
    assert "did not let you in" in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_a_provider_that_fails_is_told_in_words(client, people, provider):
    vouch(provider, people.viewer.email)
    bearing = provider.authorize(client.post(DOOR)["Location"])
    provider.is_broken = True
    for answer in (client.get(f"{DOOR}callback/", bearing), Client().post(DOOR)):
        assert answer.status_code == 502
        assert "did not let you in" in answer.content.decode()


def test_the_address_alone_sends_nobody_away(client, provider):
    assert "Sign in with Acme ID" in client.get(DOOR).content.decode()


def test_without_a_provider_there_is_no_door(client, db):
    assert client.get(DOOR).status_code == 404
    assert client.get(f"{DOOR}callback/").status_code == 404
    assert "/sign-in/with/" not in client.get("/sign-in/").content.decode()
