"""Codes, recovery codes and the requirement of an organization, through the pages."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve

from accounts.audit_actions import Action, Outcome
from accounts.models import AuditEntry
from accounts.privileges import Restriction
from accounts.second_factors import has_second_factor
from accounts.signin_middleware import TwoFactorMiddleware
from tests.builders import make_user
from tests.unit.accounts.signin import (
    ELSEWHERE,
    code_of,
    confirm,
    give_app,
    give_recovery_codes,
    is_signed_in,
    key_on,
    secret_in,
    sign_in,
    with_password,
)

pytestmark = pytest.mark.django_db
SET_UP, CODE = "/account/two-factor/", "/sign-in/code/"


@pytest.fixture
def vera(people):
    return with_password(people.viewer)


@pytest.fixture
def olga(people):
    return with_password(people.owner)


@pytest.fixture(autouse=True)
def _time_to_type(settings):
    """A test may begin with one code and end with the next."""
    settings.MFA_TOTP_TOLERANCE = 1


def require(organization, is_required=True):
    organization.requires_two_factors = is_required
    organization.save()


def test_an_app_is_set_up_with_its_first_code_and_asked_for_ever_after(client, vera):
    sign_in(client, vera)
    assert client.get(f"{SET_UP}app/")["Location"].startswith("/account/confirm/?next=")
    confirm(client)
    page = client.get(f"{SET_UP}app/")
    secret = key_on(page)
    assert b"<svg" in page.content
    assert b"data:image" not in page.content
    answer = client.post(f"{SET_UP}app/", {"code": code_of(secret)})
    assert answer["Location"] == f"{SET_UP}codes/"
    codes = re.findall(r"<li>(\d{8})</li>", client.get(f"{SET_UP}codes/").content.decode())
    assert len(set(codes)) == 10
    assert codes[0] not in client.get(f"{SET_UP}codes/").content.decode()  # shown once

    another = Client()
    assert sign_in(another, vera)["Location"] == CODE
    assert not is_signed_in(another)
    assert another.post(CODE, {"code": code_of(secret)})["Location"] == "/"
    assert is_signed_in(another)


def test_a_wrong_first_code_switches_nothing_on(client, vera):
    sign_in(client, vera)
    confirm(client)
    client.get(f"{SET_UP}app/")
    assert "That code is not right" in client.post(f"{SET_UP}app/", {"code": "000000"}).content.decode()
    assert not has_second_factor(vera)


def test_a_code_opens_the_door_once(client, vera):
    secret = give_app(vera)
    code = code_of(secret)
    sign_in(client, vera)
    client.post(CODE, {"code": code})
    again = Client()
    sign_in(again, vera)
    assert "That code is not right" in again.post(CODE, {"code": code}).content.decode()
    assert not is_signed_in(again)


def test_a_recovery_code_opens_the_door_once(client, vera):
    give_app(vera)
    code = give_recovery_codes(vera)[3]
    for expected in (True, False):
        browser = Client()
        sign_in(browser, vera)
        browser.post(CODE, {"code": code})
        assert is_signed_in(browser) is expected


def test_five_wrong_codes_are_enough_wherever_they_come_from(client, vera):
    secret = give_app(vera)
    for number in range(5):
        sign_in(client, vera)
        client.post(CODE, {"code": "000000"}, REMOTE_ADDR=f"203.0.113.{number}")
    page = client.post(CODE, {"code": code_of(secret)}, REMOTE_ADDR=ELSEWHERE).content.decode()
    assert "Too many wrong attempts" in page
    assert not is_signed_in(client)
    refused = AuditEntry.objects.filter(action=Action.SIGNED_IN, outcome=Outcome.REFUSED)
    assert refused.count() == 5
    assert {entry.reason for entry in refused} == {"Right password, wrong code."}


def test_the_second_step_alone_leads_back_to_the_first(client, vera):
    give_app(vera)
    assert client.get(CODE)["Location"] == "/sign-in/"
    assert client.post(CODE, {"code": "123456"})["Location"] == "/sign-in/"


def test_keys_of_apps_and_recovery_codes_are_encrypted_where_they_lie(vera):
    secret, codes = give_app(vera), give_recovery_codes(vera)
    stored = "".join(str(row.data) for row in Authenticator.objects.all())
    assert secret not in stored
    assert codes[0] not in stored
    assert secret_in(vera) == secret


def test_without_a_key_to_encrypt_with_the_page_says_so(client, vera, settings):
    sign_in(client, vera)
    confirm(client)
    settings.ENCRYPTION_KEYS = []
    for address in (f"{SET_UP}app/", f"{SET_UP}codes/new/", "/account/passkeys/add/"):
        answer = client.get(address, follow=True)
        assert answer.redirect_chain[-1][0] == SET_UP
        assert "ENCRYPTION_KEYS is not set" in answer.content.decode()


def test_the_app_goes_only_after_the_password_was_given_again(client, vera):
    secret = give_app(vera)
    sign_in(client, vera)
    client.post(CODE, {"code": code_of(secret)})
    client.post(f"{SET_UP}app/remove/")
    assert has_second_factor(vera)
    confirm(client)
    client.post(f"{SET_UP}app/remove/")
    assert not has_second_factor(vera)
    added_and_removed = {entry.action for entry in AuditEntry.objects.filter(actor=vera)}
    assert Action.FACTOR_REMOVED in added_and_removed


def test_who_lacks_a_required_factor_reaches_nothing_but_its_setting_up(client, people, vera):
    require(people.organization)
    sign_in(client, vera)
    for address in ("/", "/jobs/", "/clusters/", "/account/password/", "/account/sessions/", "/prices/"):
        assert client.get(address)["Location"] == SET_UP, address
    fragment = client.get("/workers/table/", headers={"HX-Request": "true"})
    assert fragment["HX-Redirect"] == SET_UP
    assert f"{people.organization} asks for a second factor" in client.get(SET_UP).content.decode()
    confirm(client)
    page = client.get(f"{SET_UP}app/")
    assert page.status_code == 200
    assert client.get("/account/passkeys/add/").status_code == 200
    client.post(f"{SET_UP}app/", {"code": code_of(key_on(page))})
    assert client.get("/jobs/").status_code == 200


def test_who_lacks_a_required_factor_may_sign_out_and_supervisors_may_ask(client, people, vera):
    require(people.organization)
    sign_in(client, vera)
    assert client.get("/health/live/").status_code == 200
    assert client.post("/sign-out/")["Location"] == "/sign-in/"


def test_a_requirement_counts_from_the_next_request_on_and_for_members_alone(client, people, vera):
    sign_in(client, vera)
    assert client.get("/jobs/").status_code == 200
    require(people.organization)
    assert client.get("/jobs/").status_code == 302
    client.force_login(people.stranger)
    assert client.get("/jobs/").status_code == 200


def test_a_key_is_asked_for_no_factor(rf, people, vera):
    require(people.organization)
    request = rf.get("/jobs/")
    request.htmx, request.resolver_match = False, resolve("/jobs/")
    guard = TwoFactorMiddleware(lambda request: HttpResponse())
    view = request.resolver_match.func
    request.user = AnonymousUser()
    assert guard.process_view(request, view, (), {}) is None
    request.user = vera
    assert guard.process_view(request, view, (), {}) is not None
    vera.restriction = Restriction(privileges=frozenset())
    assert guard.process_view(request, view, (), {}) is None


def test_an_owner_requires_two_factors_once_they_have_one(client, people, olga):
    sign_in(client, olga)
    address = f"/settings/security/{people.organization.code}/two-factors/"
    refused = client.post(address, {"required": "yes"})
    assert refused.status_code == 422
    assert "Set up a second factor for yourself first" in refused.content.decode()
    give_app(olga)
    assert client.post(address, {"required": "yes"})["Location"] == "/settings/security/"
    people.organization.refresh_from_db()
    assert people.organization.requires_two_factors
    client.post(address, {"required": "no"})
    people.organization.refresh_from_db()
    assert not people.organization.requires_two_factors
    told = AuditEntry.objects.filter(action=Action.ORGANIZATION_CHANGED, outcome=Outcome.DONE)
    assert [entry.details["two factors"] for entry in told] == ["not required", "required"]


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("project_admin", 403), ("stranger", 404)])
def test_only_owners_decide_for_their_organization(client, people, who, status):
    client.force_login(getattr(people, who))
    give_app(getattr(people, who))
    answer = client.post(f"/settings/security/{people.organization.code}/two-factors/", {"required": "yes"})
    assert answer.status_code == status
    people.organization.refresh_from_db()
    assert not people.organization.requires_two_factors


def test_the_page_of_security_costs_the_same_for_one_member_and_for_many(client, people, django_assert_max_num_queries):
    client.force_login(people.owner)
    client.get("/settings/security/")
    with django_assert_max_num_queries(12):
        client.get("/settings/security/")
    for _ in range(20):
        give_app(make_user(organization=people.organization))
    with django_assert_max_num_queries(12):
        page = client.get("/settings/security/").content.decode()
    assert page.count("Person ") >= 20


def test_a_command_helps_who_lost_everything(client, vera, capsys):
    give_app(vera)
    give_recovery_codes(vera)
    call_command("set_password", vera.email.upper(), "--remove-second-factors")
    assert not Authenticator.objects.filter(user=vera).exists()
    assert "(1 removed)" in capsys.readouterr().out
    assert sign_in(client, vera)["Location"] == "/"
