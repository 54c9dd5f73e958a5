"""The door: who gets in by password, who does not, and what the answers give away."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.audit_actions import Action, Outcome
from accounts.models import AuditEntry, CacheEntry
from tests.unit.accounts.signin import ELSEWHERE, PASSWORD, is_signed_in, sign_in, with_password

pytestmark = pytest.mark.django_db
WRONG = "The email address or the password is not right."
TOO_MANY = "Too many wrong attempts from here. Wait five minutes, then try again."


@pytest.fixture
def vera(people):
    return with_password(people.viewer)


def test_the_right_password_opens_the_page_that_was_asked_for(client, vera):
    assert client.get("/jobs/")["Location"] == "/sign-in/?next=/jobs/"
    answer = client.post("/sign-in/", {"username": vera.email, "password": PASSWORD, "next": "/jobs/"})
    assert answer["Location"] == "/jobs/"
    assert is_signed_in(client)


def test_an_address_is_known_in_any_case_and_with_spaces_around(client, vera):
    sign_in(client, f" {vera.email.upper()} ")
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "https:evil.example"]
)
def test_signing_in_leads_to_no_other_site(client, vera, target):
    answer = client.post("/sign-in/", {"username": vera.email, "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(client, vera):
    known = sign_in(client, vera, "wrong").content.decode()
    unknown = sign_in(client, "nobody@example.com", "wrong").content.decode()
    assert WRONG in known
    without_tokens = [
        "\n".join(line for line in page.splitlines() if "csrf" not in line.lower()) for page in (known, unknown)
    ]
    assert without_tokens[0].replace(vera.email, "") == without_tokens[1].replace("nobody@example.com", "")


def test_a_closed_account_is_not_told_from_a_wrong_password(client, vera):
    vera.is_active = False
    vera.save()
    assert WRONG in sign_in(client, vera).content.decode()


def test_the_sixth_attempt_at_one_account_is_refused_even_with_the_right_password(client, vera):
    for _ in range(5):
        assert sign_in(client, vera, "wrong").status_code == 200
    refused = sign_in(client, vera)
    assert refused.status_code == 429
    assert TOO_MANY in refused.content.decode()
    assert not is_signed_in(client)


def test_who_guesses_locks_nobody_else_out(client, vera):
    for _ in range(6):
        sign_in(client, vera, "wrong", REMOTE_ADDR=ELSEWHERE)
    assert sign_in(client, vera).status_code == 302
    assert is_signed_in(client)


def test_neighbours_in_one_ipv6_network_count_as_one(client, vera):
    for number in range(5):
        sign_in(client, vera, "wrong", REMOTE_ADDR=f"2001:db8::{number}")
    assert sign_in(client, vera, REMOTE_ADDR="2001:db8::99").status_code == 429
    assert sign_in(client, vera, REMOTE_ADDR="2001:db8:0:1::1").status_code == 302


def test_ten_wrong_passwords_from_one_address_are_enough_whoever_they_are_for(client, people, vera):
    for number in range(10):
        sign_in(client, f"person-{number}@example.com", "wrong")
    assert sign_in(client, vera).status_code == 429


def test_attempts_are_counted_where_other_processes_see_them(client, vera):
    sign_in(client, vera, "wrong")
    # For the account from here, and for this address whoever it asks for.
    assert CacheEntry.objects.filter(cache_key__contains="login_failed").count() == 2
    assert vera.email not in "".join(CacheEntry.objects.values_list("cache_key", flat=True))


def test_a_right_password_in_between_gives_no_fresh_attempts(client, people, vera):
    adam = with_password(people.project_admin)
    for _ in range(5):
        sign_in(Client(), vera, "wrong")
        sign_in(Client(), adam)
    assert sign_in(client, vera).status_code == 429


def test_nobody_can_sign_up(client, db):
    for address in ("/sign-up/", "/signup/", "/accounts/signup/", "/sign-in/up/"):
        assert client.get(address).status_code == 404


def test_signing_out_asks_who_comes_by_the_address_and_obeys_the_button(client, vera):
    sign_in(client, vera)
    assert client.get("/sign-out/").status_code == 200
    assert is_signed_in(client)
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert not is_signed_in(client)


def test_the_log_tells_who_signed_in_and_who_could_not(client, people, vera):
    sign_in(client, vera, "wrong", REMOTE_ADDR=ELSEWHERE)
    sign_in(client, vera)
    done, refused = AuditEntry.objects.filter(action=Action.SIGNED_IN)
    assert (done.outcome, done.actor, done.organization) == (Outcome.DONE, vera, people.organization)
    assert done.details == {"by": ["password"]}
    assert (refused.outcome, refused.actor, refused.target_code) == (Outcome.REFUSED, None, vera.email)
    assert (refused.address, refused.organization) == (ELSEWHERE, people.organization)


def test_what_was_typed_for_an_unknown_address_is_kept_nowhere(client, db):
    sign_in(client, "my-secret-password@example.com", "wrong")
    [entry] = AuditEntry.objects.all()
    assert "my-secret-password" not in str(vars(entry))
    assert entry.organization is None
