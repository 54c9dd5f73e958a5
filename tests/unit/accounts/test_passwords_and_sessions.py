"""Changing a password, getting another one, and ending sessions."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit_actions import Action
from accounts.errors import PrivilegeMissing, Refused
from accounts.keys import make_project_key
from accounts.models import AuditEntry, OrganizationMember, User
from accounts.privileges import Privilege
from accounts.signin_services import end_session, end_sessions_of, require_two_factors
from tests.site import wait_until
from tests.unit.accounts.signin import ELSEWHERE, PASSWORD, give_app, is_signed_in, sign_in, with_password

pytestmark = pytest.mark.django_db
NEW = "another long password 48"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"


@pytest.fixture
def vera(people):
    return with_password(people.viewer)


@pytest.fixture
def with_mail(settings):
    settings.MAIL_CONFIGURED = True


def sent_mails(number: int) -> list[mail.EmailMessage]:
    """Mail goes out in the background; wait until so many are there."""
    wait_until(lambda: len(mail.outbox) >= number, f"{number} mails are sent")
    assert len(mail.outbox) == number
    return mail.outbox


def link_in(letter: mail.EmailMessage) -> str:
    found = re.search(r"http://testserver(/\S+)", str(letter.body))
    assert found
    return found[1]


def change(client: Client, new: str, old: str = PASSWORD) -> str:
    answer = client.post("/account/password/", {"oldpassword": old, "password1": new, "password2": new}, follow=True)
    return answer.content.decode()


def test_a_changed_password_ends_the_sessions_of_other_browsers(client, vera):
    another = Client()
    for browser in (client, another):
        sign_in(browser, vera)
    assert "Your password is changed" in change(client, NEW)
    assert is_signed_in(client)
    assert not is_signed_in(another)
    assert sign_in(another, vera, NEW).status_code == 302
    assert AuditEntry.objects.filter(action=Action.PASSWORD_CHANGED, actor=vera).count() == 1


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        ("short 47", "at least 10 characters"),
        ("0987654321", "entirely numeric"),
        ("basketball1", "too common"),
        ("vera-viewer", "too similar"),
    ],
)
def test_a_weak_password_is_refused_and_the_page_says_why(client, vera, weak, why):
    sign_in(client, vera)
    assert why in change(client, weak)
    assert is_signed_in(client)
    assert vera.check_password(PASSWORD)


def test_the_present_password_is_asked_for(client, vera):
    sign_in(client, vera)
    assert "That is not your password" in change(client, NEW, old="wrong")


def test_without_mail_the_page_says_who_can_help(client, vera):
    page = client.get(reverse("account_reset_password"))
    assert "manage.py set_password" in page.content.decode()
    client.post(reverse("account_reset_password"), {"email": vera.email})
    assert mail.outbox == []
    assert client.get("/account/new-password/1-abc/").status_code == 404


def test_a_forgotten_password_is_replaced_by_a_link_that_works_once(client, vera, with_mail):
    another = Client()
    sign_in(another, vera)
    client.post(reverse("account_reset_password"), {"email": vera.email.upper()})
    [letter] = sent_mails(1)
    assert letter.to == [vera.email]
    link = link_in(letter)
    form = client.get(link, follow=True)
    address = form.redirect_chain[-1][0]
    assert "Choose a new password" in form.content.decode()
    weak = client.post(address, {"password1": "short", "password2": "short"})
    assert "at least 10 characters" in weak.content.decode()
    client.post(address, {"password1": NEW, "password2": NEW})
    assert not is_signed_in(another)
    assert sign_in(client, vera, NEW)["Location"] == "/"
    assert "This link does not work" in Client().get(link, follow=True).content.decode()


def test_nobody_learns_from_the_forgotten_password_who_is_here(client, vera, with_mail):
    ask = reverse("account_reset_password")
    answers = [client.post(ask, {"email": email}) for email in (vera.email, "no@one.example")]
    assert {answer["Location"] for answer in answers} == {"/account/forgotten/sent/"}
    assert [letter.to for letter in sent_mails(1)] == [[vera.email]]


def test_a_mail_server_that_is_away_stops_nobody(client, vera, with_mail, settings, caplog):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    answer = client.post(reverse("account_reset_password"), {"email": vera.email})
    assert answer["Location"] == "/account/forgotten/sent/"
    wait_until(lambda: "was not sent" in caplog.text, "the log says so")


def test_a_reset_does_not_get_around_the_second_factor(client, vera, with_mail):
    give_app(vera)
    client.post(reverse("account_reset_password"), {"email": vera.email})
    [letter] = sent_mails(1)
    address = client.get(link_in(letter), follow=True).redirect_chain[-1][0]
    client.post(address, {"password1": NEW, "password2": NEW})
    assert not is_signed_in(client)
    assert sign_in(client, vera, NEW)["Location"] == "/sign-in/code/"


def test_a_command_sets_a_password_and_ends_the_sessions(client, vera, monkeypatch):
    sign_in(client, vera)
    monkeypatch.setenv("PERSON_PASSWORD", NEW)
    call_command("set_password", vera.email)
    assert not is_signed_in(client)
    assert not UserSession.objects.filter(user=vera).exists()
    assert sign_in(client, vera, NEW)["Location"] == "/"
    assert AuditEntry.objects.filter(action=Action.PASSWORD_CHANGED).get().actor_name == "manage.py set_password"


def test_the_command_refuses_a_weak_password_and_an_unknown_address(vera, monkeypatch):
    monkeypatch.setenv("PERSON_PASSWORD", "short")
    with pytest.raises(CommandError, match="at least 10 characters"):
        call_command("set_password", vera.email)
    with pytest.raises(CommandError, match="nobody with the address"):
        call_command("set_password", "nobody@example.com")


def test_the_page_of_sessions_names_browser_and_address(client, vera):
    sign_in(client, vera)
    sign_in(Client(), vera, REMOTE_ADDR=ELSEWHERE, headers={"User-Agent": FIREFOX})
    page = client.get("/account/sessions/").content.decode()
    assert "Firefox on Linux" in page
    assert ELSEWHERE in page
    assert page.count("This one") == 1


def test_one_session_is_ended_and_the_others_stay(client, vera):
    browsers = [client, Client(), Client()]
    for browser in browsers:
        sign_in(browser, vera)
    doomed = UserSession.objects.get(session_key=browsers[1].session.session_key)
    client.post("/account/sessions/end/", {"session": doomed.pk})
    assert [is_signed_in(browser) for browser in browsers] == [True, False, True]
    client.post("/account/sessions/")
    assert [is_signed_in(browser) for browser in browsers] == [True, False, False]


@pytest.mark.parametrize("session", ["", "abc", "0", "-1", "9" * 30, "٣"])
def test_a_session_that_is_not_there_is_not_found(client, vera, session):
    sign_in(client, vera)
    assert client.post("/account/sessions/end/", {"session": session}).status_code == 404


def test_nobody_ends_the_session_of_somebody_else_by_its_number(client, people, vera):
    adam = with_password(people.project_admin)
    theirs = Client()
    sign_in(theirs, adam)
    sign_in(client, vera)
    number = UserSession.objects.get(user=adam).pk
    assert client.post("/account/sessions/end/", {"session": number}).status_code == 404
    assert is_signed_in(theirs)


def test_an_owner_signs_a_member_out_everywhere(client, people, vera):
    browsers = [Client(), Client()]
    for browser in browsers:
        sign_in(browser, vera)
    client.force_login(people.owner)
    address = f"/settings/security/{people.organization.code}/sign-out/"
    answer = client.post(address, {"member": vera.email}, follow=True)
    assert "2 sessions" in answer.content.decode()
    assert [is_signed_in(browser) for browser in browsers] == [False, False]
    entry = AuditEntry.objects.get(action=Action.SESSION_ENDED)
    assert (entry.actor, entry.target_code, entry.details) == (people.owner, vera.email, {"sessions": 2})


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("project_admin", 403), ("stranger", 404)])
def test_only_owners_sign_their_members_out(client, people, vera, who, status):
    adam = with_password(people.project_admin)
    theirs = Client()
    sign_in(theirs, adam)
    client.force_login(getattr(people, who))
    address = f"/settings/security/{people.organization.code}/sign-out/"
    assert client.post(address, {"member": adam.email}).status_code == status
    assert is_signed_in(theirs)


def test_the_rules_hold_without_any_page(people):
    """A service asks for itself who may, whatever the page before it has asked."""
    member = OrganizationMember.objects.get(user=people.project_admin)
    for person in (people.viewer, people.project_admin, people.stranger):
        with pytest.raises(PrivilegeMissing):
            end_sessions_of(user=person, member=member)
        with pytest.raises(PrivilegeMissing):
            require_two_factors(user=person, organization=people.organization, is_required=True)


def test_an_owner_signs_out_nobody_of_another_organization(client, people):
    with_password(people.stranger)
    theirs = Client()
    sign_in(theirs, people.stranger)
    client.force_login(people.owner)
    address = f"/settings/security/{people.organization.code}/sign-out/"
    assert client.post(address, {"member": people.stranger.email}).status_code == 404
    assert is_signed_in(theirs)


def test_last_seen_is_noted_once_a_minute(client, vera):
    sign_in(client, vera)
    an_hour_ago = timezone.now() - timedelta(hours=1)
    mine = UserSession.objects.filter(user=vera)
    mine.update(last_seen_at=an_hour_ago)
    another_process = Client()
    another_process.cookies = client.cookies
    another_process.get("/account/password/", REMOTE_ADDR=ELSEWHERE)
    assert mine.get().last_seen_at > an_hour_ago
    assert mine.get().ip == ELSEWHERE
    mine.update(last_seen_at=an_hour_ago)
    another_process.get("/account/password/")
    assert mine.get().last_seen_at == an_hour_ago


def test_an_address_in_capitals_is_kept_in_small_letters(db):
    assert User.objects.create_user("Vera@Example.COM").email == "vera@example.com"


def test_nobody_is_sent_a_link_for_what_a_key_acts_as(people, client, settings, monkeypatch):
    settings.MAIL_CONFIGURED = True
    sent: list[str] = []
    monkeypatch.setattr("accounts.signin_adapters.send_in_background", lambda message: sent.extend(message.to))
    made = make_project_key(
        user=people.owner, project=people.project, name="export", privileges=[Privilege.BACKUP_VIEW], days=1
    )
    for email in (made.key.user.email, people.owner.email):
        client.post(reverse("account_reset_password"), {"email": email})
    assert sent == [people.owner.email]


def test_the_service_ends_nobody_elses_session(people, client, vera):
    sign_in(client, vera)
    with pytest.raises(Refused):
        end_session(user=people.owner, session=UserSession.objects.get(user=vera))
    assert is_signed_in(client)
