"""Coming in: a link that works once, for one address, as long as whoever gave it may still give it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.access import privileges_in
from accounts.audit_actions import Action
from accounts.errors import PrivilegeMissing, Refused
from accounts.grants import Grant, GrantRefused
from accounts.invitation_services import (
    InvitationRefused,
    Offer,
    find_invitation,
    hash_token,
    invite,
    join,
    join_as_new_person,
)
from accounts.keys import make_personal_key
from accounts.member_services import give_project_role, remove_from_project, remove_member
from accounts.models import AuditEntry, CustomRole, Invitation, OrganizationMember, User
from accounts.organization_services import create_project, update_organization
from accounts.privileges import LOOK_ONLY, OrganizationRole, Privilege, ProjectRole
from tests.builders import make_organization, make_project, make_user, text_of

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough one"


def as_viewer(people):
    return Offer(people.organization, project=people.project, grant=Grant(ProjectRole.VIEWER))


def make_invitation(people, *, by="owner", email="new@example.com", offer=None):
    return invite(
        user=getattr(people, by), organization=people.organization, email=email, offer=offer or as_viewer(people)
    )


def follow(client, token):
    answer = client.get(reverse("people:invitation-open", args=[token]))
    assert answer["Location"] == reverse("people:invitation")
    return client.get(answer["Location"])


def accept_as_new(client, **changes):
    data = {"name": "Nina New", "password": PASSWORD, "again": PASSWORD} | changes
    return client.post(reverse("people:invitation"), data)


def test_a_new_person_chooses_a_name_and_a_password_and_has_the_role_once_signed_in(people, client):
    _, token = make_invitation(people)
    assert "Olga Owner invites new@example.com, as Data Viewer in Search" in text_of(follow(client, token))
    assert accept_as_new(client)["Location"] == "/sign-in/"
    person = User.objects.get(email="new@example.com")
    assert person.name == "Nina New"
    assert person.check_password(PASSWORD)
    assert privileges_in(person, people.project) == LOOK_ONLY
    entry = AuditEntry.objects.get(action=Action.INVITATION_ACCEPTED)
    assert (entry.actor_id, entry.organization_id) == (person.pk, people.organization.pk)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "short", "again": "short"}, "at least 10 characters"),
        ({"password": "password1234", "again": "password1234"}, "too common"),
        ({"again": "another password"}, "The two passwords differ"),
        ({"name": ""}, "required"),
    ],
)
def test_the_password_must_be_as_good_as_everybodys(people, client, changes, sentence):
    _, token = make_invitation(people)
    follow(client, token)
    answer = accept_as_new(client, **changes)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not User.objects.filter(email="new@example.com").exists()
    assert accept_as_new(client).status_code == 302


def test_a_link_works_once(people, client):
    _, token = make_invitation(people)
    follow(client, token)
    accept_as_new(client)
    assert "does not work" in text_of(follow(Client(), token))


def test_nonsense_leaves_no_session_behind(client):
    assert "does not work" in text_of(follow(client, "nonsense"))
    assert not Session.objects.exists()


def test_of_two_who_follow_a_link_at_once_one_comes_in(people):
    """The second has read the invitation before the first accepted it."""
    invitation, token = make_invitation(people, email="twice@example.com")
    person = User.objects.create_user("twice@example.com", PASSWORD)
    seen = find_invitation(hash_token(token))
    assert seen is not None
    join(user=person, invitation=invitation)
    with pytest.raises(InvitationRefused, match="used or withdrawn"):
        join(user=person, invitation=seen)


@pytest.mark.parametrize("end", ["expired", "withdrawn", "replaced", "inviter demoted", "inviter gone"])
def test_a_link_that_is_not_good_any_more_says_only_that(people, client, end):
    invitation, token = make_invitation(people, by="project_admin")
    if end == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif end == "withdrawn":
        client.force_login(people.project_admin)
        client.post(reverse("people:project-invitation-revoke", args=[invitation.code]))
        client.logout()
    elif end == "replaced":
        make_invitation(people, by="project_admin", email="New@Example.com")
    elif end == "inviter demoted":
        people.project_admin.project_memberships.update(role=ProjectRole.VIEWER)
    else:
        people.project_admin.organization_memberships.all().delete()
    words = text_of(follow(client, token))
    assert "This invitation does not work" in words
    assert "Acme" not in words
    accept_as_new(client)
    assert not User.objects.filter(email="new@example.com").exists()


def test_somebody_of_another_organization_joins_with_the_account_they_have(people, client):
    _, token = make_invitation(people, email=people.stranger.email.upper())
    assert "There is an account for this address" in text_of(follow(Client(), token))
    client.force_login(people.stranger)
    assert "Join Acme" in text_of(follow(client, token))
    assert client.post(reverse("people:invitation")).status_code == 302
    assert privileges_in(people.stranger, people.project) == LOOK_ONLY
    assert people.stranger.organization_memberships.count() == 2


def test_a_link_is_for_the_address_it_was_made_for(people, client):
    _, token = make_invitation(people, email="other@example.com")
    client.force_login(people.stranger)
    assert "Sign out, then open the link again" in text_of(follow(client, token))
    answer = client.post(reverse("people:invitation"))
    assert answer.status_code == 422
    assert "This invitation is for other@example.com" in text_of(answer)
    assert people.stranger.organization_memberships.count() == 1


def test_an_account_that_is_there_cannot_be_taken_over_by_a_link(people, client):
    _, token = make_invitation(people, email=people.stranger.email)
    follow(client, token)
    accept_as_new(client)
    people.stranger.refresh_from_db()
    assert not people.stranger.check_password(PASSWORD)
    assert people.stranger.organization_memberships.count() == 1


def test_nobody_invites_with_more_than_they_hold(people):
    manager = make_user(
        project=people.project, role=ProjectRole.CUSTOM, privileges=[Privilege.MEMBER_MANAGE, Privilege.BACKUP_VIEW]
    )
    admin = Offer(people.organization, project=people.project, grant=Grant(ProjectRole.ADMIN))
    with pytest.raises(GrantRefused):
        invite(user=manager, organization=people.organization, email="x@example.com", offer=admin)
    owner = Offer(people.organization, OrganizationRole.OWNER, people.project, Grant(ProjectRole.VIEWER))
    for offer in (owner, Offer(people.organization)):
        with pytest.raises(PrivilegeMissing, match="in the whole organization"):
            invite(user=people.project_admin, organization=people.organization, email="x@example.com", offer=offer)
    with pytest.raises(PrivilegeMissing):
        make_invitation(people, by="viewer")


def test_who_is_a_member_already_needs_no_invitation(people):
    with pytest.raises(InvitationRefused, match="already a member of Acme"):
        make_invitation(people, email=people.viewer.email.upper())
    with pytest.raises(InvitationRefused, match="is not an e-mail address"):
        make_invitation(people, email="nobody")


def test_nobody_who_joined_meanwhile_is_given_less_by_an_old_link(people, client):
    _, token = make_invitation(people, email=people.stranger.email)
    OrganizationMember.objects.create(
        organization=people.organization, user=people.stranger, role=OrganizationRole.OWNER
    )
    client.force_login(people.stranger)
    follow(client, token)
    client.post(reverse("people:invitation"))
    assert people.stranger.organization_memberships.get(organization=people.organization).role == OrganizationRole.OWNER


def link_on(answer):
    [url] = set(re.findall(r"http://testserver/invitation/[\w-]+/", answer.content.decode()))
    return url


def test_the_link_is_shown_once_and_stored_nowhere(people, client, settings):
    settings.MAIL_CONFIGURED = False
    client.force_login(people.project_admin)
    page = reverse("people:project-invite", args=[people.project.code])
    answer = client.post(page, {"email": "new@example.com", "role": "viewer"})
    assert "it is shown this once" in text_of(answer)
    assert "no-store" in answer["Cache-Control"]
    token = link_on(answer).rstrip("/").rpartition("/")[2]
    assert mail.outbox == []
    [invitation] = Invitation.objects.values()
    assert token not in str(invitation)
    listed = client.get(reverse("people:project-detail", args=[people.project.code]))
    assert "new@example.com" in text_of(listed)
    assert token not in listed.content.decode()
    assert token not in str(AuditEntry.objects.values())


def test_the_link_is_mailed_where_mail_is_configured(people, client, settings):
    settings.MAIL_CONFIGURED = True
    client.force_login(people.owner)
    page = reverse("people:organization-invite", args=[people.organization.code])
    answer = client.post(page, {"email": "new@example.com", "organization_role": "billing_admin"})
    assert "The link was sent by mail" in text_of(answer)
    [letter] = mail.outbox
    assert letter.to == ["new@example.com"]
    assert link_on(answer) in letter.body
    follow(client := Client(), link_on(answer).rstrip("/").rpartition("/")[2])
    accept_as_new(client)
    assert OrganizationMember.objects.get(user__email="new@example.com").role == OrganizationRole.BILLING_ADMIN


def test_a_custom_role_somebody_is_invited_to_stays_until_the_invitation_ends(people, client):
    role = CustomRole.objects.create(organization=people.organization, name="Nights")
    role.privileges.create(privilege=Privilege.BACKUP_VIEW)
    offer = Offer(people.organization, project=people.project, grant=Grant(ProjectRole.CUSTOM, role))
    invitation, _ = make_invitation(people, offer=offer)
    client.force_login(people.owner)
    delete = reverse("people:role-delete", args=[role.code])
    assert "Withdraw the invitation first" in text_of(client.post(delete))
    client.post(reverse("people:invitation-revoke", args=[invitation.code]))
    assert client.post(delete).status_code == 302
    assert not CustomRole.objects.filter(pk=role.pk).exists()


def test_who_was_removed_does_not_come_back_by_a_second_link(people):
    everywhere, _ = make_invitation(people, offer=Offer(people.organization))
    _, second = make_invitation(people, by="project_admin")
    _, of_somebody_else = make_invitation(people, email="other@example.com")
    person = join_as_new_person(invitation=everywhere, name="Nina", password=PASSWORD)
    remove_member(user=people.owner, member=OrganizationMember.objects.get(user=person))
    assert find_invitation(hash_token(second)) is None
    assert find_invitation(hash_token(of_somebody_else)) is not None
    entry = AuditEntry.objects.get(action=Action.INVITATION_REVOKED)
    assert (entry.actor_id, entry.target_name) == (people.owner.pk, "new@example.com")


def test_who_was_taken_out_of_a_project_does_not_come_back_to_it_by_a_second_link(people):
    _, link = make_invitation(people)
    _, elsewhere = make_invitation(people, offer=Offer(people.organization))
    member = OrganizationMember.objects.get(user=people.viewer)
    Invitation.objects.update(email=people.viewer.email)
    remove_from_project(user=people.project_admin, project=people.project, member=member)
    assert find_invitation(hash_token(link)) is None
    assert find_invitation(hash_token(elsewhere)) is not None


def test_neither_an_invitation_nor_a_role_reaches_into_another_organization(people):
    elsewhere = make_project(make_organization("Theirs"))
    strange = CustomRole.objects.create(organization=elsewhere.organization, name="Theirs")
    with pytest.raises(InvitationRefused, match="Choose a project of Acme"):
        make_invitation(people, offer=Offer(people.organization, project=elsewhere, grant=Grant(ProjectRole.VIEWER)))
    with pytest.raises(GrantRefused, match="Choose a role of this organization"):
        make_invitation(
            people, offer=Offer(people.organization, project=people.project, grant=Grant(ProjectRole.CUSTOM, strange))
        )
    stranger = OrganizationMember.objects.get(user=people.stranger)
    with pytest.raises(GrantRefused, match="Choose a member of Acme"):
        give_project_role(user=people.owner, project=people.project, member=stranger, grant=Grant(ProjectRole.VIEWER))


@pytest.mark.parametrize("name", ["Acme\nBcc: everybody@example.com", "\u202eemcA", "Ac\x00me", "Ac\u2028me"])
def test_no_name_is_more_than_one_plain_line(people, client, name):
    """It stands in the subject of mails, in logs and in lists, between the names of others."""
    with pytest.raises(Refused, match="one line"):
        update_organization(user=people.owner, organization=people.organization, name=name, max_retention_days=30)
    with pytest.raises(Refused, match="one line"):
        create_project(user=people.owner, organization=people.organization, name=name)
    with pytest.raises(Refused, match="one line"):
        make_personal_key(user=people.owner, name=name, privileges=[Privilege.BACKUP_VIEW], days=1)
    _, token = make_invitation(people)
    follow(client, token)
    assert accept_as_new(client, name=name).status_code == 422
    assert not User.objects.filter(email="new@example.com").exists()
