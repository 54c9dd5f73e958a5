"""API keys: what they let in, with which rights, until when, and what nobody learns of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate as sign_in
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.access import has, organizations_of, privileges_in, privileges_in_organization, projects_with
from accounts.audit_context import Source, coming_from
from accounts.errors import PrivilegeMissing, Refused
from accounts.keys import NewKey, authenticate, make_personal_key, make_project_key, revoke_key
from accounts.models import ApiKey, AuditEntry, Project, ProjectMember, User
from accounts.privileges import Privilege, ProjectRole
from tests.builders import make_organization, make_project, make_user

pytestmark = pytest.mark.django_db

VIEW, MANAGE = Privilege.BACKUP_VIEW, Privilege.BACKUP_MANAGE
WHOAMI = "/api/whoami"


def make_key(user: User, *privileges: Privilege, **wishes: Any) -> NewKey:
    chosen: dict[str, Any] = {"name": "nightly", "days": 90} | wishes
    return make_personal_key(user=user, privileges=privileges or (VIEW,), **chosen)


def acting_with(token: str) -> User:
    user = authenticate(token)
    assert user is not None
    return user


def ask(token: str, **headers: str) -> Any:
    return Client(REMOTE_ADDR="203.0.113.9").get(WHOAMI, headers={"Authorization": f"Bearer {token}"} | headers)


def refusals() -> list[str]:
    return list(AuditEntry.objects.filter(action="key.refused").values_list("reason", flat=True))


class TestWhatIsKept:
    def test_of_the_key_itself_nothing_but_a_digest_and_how_it_begins(self, people):
        made = make_key(people.viewer)
        stored = str(ApiKey.objects.values().get())
        assert made.token not in stored
        assert made.token.startswith(made.key.prefix)
        assert len(made.token) - len(made.key.prefix) > 32
        assert made.token not in repr(made)

    def test_no_two_are_alike(self, people):
        assert len({make_key(people.viewer).token for _ in range(20)}) == 20

    def test_use_is_noted_once_a_minute_with_the_address(self, people):
        made = make_key(people.viewer)
        ask(made.token)
        made.key.refresh_from_db()
        first = made.key.last_used_at
        assert first
        assert made.key.last_address == "203.0.113.9"
        ask(made.token)
        made.key.refresh_from_db()
        assert made.key.last_used_at == first
        ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
        ask(made.token)
        made.key.refresh_from_db()
        assert made.key.last_used_at > first

    def test_a_call_costs_few_queries_and_writes_nothing_most_of_the_time(self, people):
        made = make_key(people.viewer)
        authenticate(made.token)
        with CaptureQueriesContext(connection) as captured:
            assert authenticate(made.token)
        assert len(captured) == 2
        assert not [query for query in captured if not query["sql"].startswith("SELECT")]


class TestRights:
    def test_a_key_acts_as_its_person_with_less(self, people):
        acting = acting_with(make_key(people.project_admin, VIEW).token)
        assert acting == people.project_admin
        assert privileges_in(acting, people.project) == {VIEW, Privilege.CLUSTER_VIEW}
        assert not has(acting, MANAGE, people.project)
        assert has(people.project_admin, MANAGE, people.project)

    def test_a_key_never_has_more_than_its_person(self, people):
        acting = acting_with(make_key(people.viewer, MANAGE, Privilege.MEMBER_MANAGE).token)
        assert privileges_in(acting, people.project) == {VIEW, Privilege.CLUSTER_VIEW}

    def test_a_narrower_role_narrows_the_keys_at_once(self, people):
        token = make_key(people.project_admin, MANAGE).token
        assert has(acting_with(token), MANAGE, people.project)
        ProjectMember.objects.filter(user=people.project_admin).update(role=ProjectRole.VIEWER)
        assert privileges_in(acting_with(token), people.project) == {VIEW, Privilege.CLUSTER_VIEW}

    def test_one_project_can_be_all_that_a_key_reaches(self, people):
        other = make_project(people.organization, name="Other")
        acting = acting_with(make_key(people.owner, VIEW, Privilege.CLUSTER_MANAGE, project=people.project).token)
        assert set(projects_with(acting, VIEW)) == {people.project}
        assert not privileges_in(acting, other)
        assert not privileges_in_organization(acting, people.organization)
        assert not organizations_of(acting)

    def test_a_key_cannot_be_bound_to_a_project_one_has_nothing_to_do_in(self, people):
        with pytest.raises(Refused, match="one of your projects"):
            make_key(people.stranger, project=people.project)


class TestProjectKeys:
    def make(self, people: Any, *privileges: Privilege, **wishes: Any) -> NewKey:
        wishes = {"user": people.project_admin, "name": "exporter", "days": None} | wishes
        return make_project_key(project=people.project, privileges=privileges or (MANAGE,), **wishes)

    def test_it_acts_as_a_user_of_its_own_that_is_nobody(self, people):
        acting = acting_with(self.make(people).token)
        assert acting not in set(User.objects.filter(is_machine=False))
        assert str(acting) == f"key exporter of {people.project}"
        assert privileges_in(acting, people.project) == {MANAGE, VIEW, Privilege.CLUSTER_VIEW}
        assert set(projects_with(acting, MANAGE)) == {people.project}

    def test_nobody_signs_in_as_one(self, people):
        machine = self.make(people).key.user
        assert not machine.has_usable_password()
        assert sign_in(username=machine.email, password="") is None
        machine.set_password("correct horse battery staple")
        with pytest.raises(IntegrityError), transaction.atomic():
            machine.save()

    def test_it_stays_when_its_maker_leaves(self, people):
        token = self.make(people).token
        people.project_admin.organization_memberships.all().delete()
        people.project_admin.delete()
        assert has(acting_with(token), MANAGE, people.project)

    def test_nobody_gives_more_than_they_hold(self, people):
        manager = make_user(project=people.project, role=ProjectRole.CUSTOM, privileges=[Privilege.MEMBER_MANAGE, VIEW])
        with pytest.raises(Refused, match="“backup: manage”"):
            self.make(people, MANAGE, VIEW, user=manager)
        assert self.make(people, VIEW, user=manager)

    def test_who_does_not_manage_members_makes_and_revokes_none(self, people):
        made = self.make(people)
        with pytest.raises(PrivilegeMissing):
            self.make(people, user=people.viewer)
        with pytest.raises(PrivilegeMissing):
            revoke_key(user=people.viewer, key=made.key)
        assert authenticate(made.token)

    def test_revoked_it_leaves_nobody_behind_who_holds_anything(self, people):
        made = self.make(people)
        revoke_key(user=people.owner, key=made.key)
        machine = User.objects.get(pk=made.key.user_id)
        assert not machine.is_active
        assert not machine.organization_memberships.exists()
        assert not machine.project_memberships.exists()


class TestTheEnd:
    """Refused alike for whatever reason; the audit log alone tells it."""

    def test_a_revoked_one_is_refused_from_that_moment(self, people):
        made = make_key(people.viewer)
        assert ask(made.token).status_code == 200
        revoke_key(user=people.viewer, key=made.key)
        answer = ask(made.token)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert [reason.startswith("The key was revoked at ") for reason in refusals()] == [True]

    def test_an_expired_one_is_refused(self, people):
        made = make_key(people.viewer)
        ApiKey.objects.update(expires_at=timezone.now())
        assert ask(made.token).content == ask("bks_unknown").content
        assert any(reason.startswith("The key expired at ") for reason in refusals())

    def test_what_belongs_to_no_key_is_refused_and_is_nobodys_entry(self, people):
        make_key(people.viewer)
        for token in ("bks_unknown", "x" * 10_000, "\N{SNOWMAN}", "a b c"):
            assert ask(token.encode().decode("latin-1")).status_code == 401
        entry = AuditEntry.objects.get(action="key.refused")
        assert (entry.organization, entry.actor, entry.address) == (None, None, "203.0.113.9")

    def test_of_whoever_was_removed_or_whose_account_was_closed_every_key_ends_at_once(self, people):
        removed, closed = make_key(people.viewer), make_key(people.operator)
        people.viewer.organization_memberships.all().delete()
        User.objects.filter(pk=people.operator.pk).update(is_active=False)
        assert authenticate(removed.token) is None
        assert authenticate(closed.token) is None

    def test_a_program_that_goes_on_asking_fills_no_log(self, people):
        made = make_key(people.viewer)
        revoke_key(user=people.viewer, key=made.key)
        for _ in range(5):
            ask(made.token)
        assert len(refusals()) == 1

    def test_revoking_twice_is_one_revocation(self, people):
        made = make_key(people.viewer)
        revoke_key(user=people.viewer, key=made.key)
        first = ApiKey.objects.get().revoked_at
        revoke_key(user=people.viewer, key=made.key)
        assert ApiKey.objects.get().revoked_at == first
        assert AuditEntry.objects.filter(action="key.revoked").count() == 1

    def test_nobody_revokes_the_key_of_another_person(self, people):
        made = make_key(people.viewer)
        with pytest.raises(Refused):
            revoke_key(user=people.owner, key=made.key)
        assert authenticate(made.token)


class TestWishes:
    @pytest.mark.parametrize(
        ("wishes", "sentence"),
        [
            ({"name": "  "}, "needs a name"),
            ({"name": "x" * 61}, "needs a name"),
            ({"days": 0}, "lasts 1 to"),
            ({"days": 4_000}, "lasts 1 to"),
        ],
    )
    def test_nonsense_is_refused(self, people, wishes, sentence):
        with pytest.raises(Refused, match=sentence):
            make_key(people.viewer, **wishes)
        assert not ApiKey.objects.exists()

    def test_a_key_without_privileges_is_refused(self, people):
        with pytest.raises(Refused, match="at least one privilege"):
            make_personal_key(user=people.viewer, name="x", privileges=(), days=1)

    def test_nobody_has_keys_without_number(self, people, monkeypatch):
        monkeypatch.setattr("accounts.keys.MOST_LIVING_KEYS", 2)
        first = make_key(people.viewer).key
        make_key(people.viewer)
        with pytest.raises(Refused, match="Revoke those"):
            make_key(people.viewer)
        revoke_key(user=people.viewer, key=first)
        make_key(people.viewer)

    def test_asked_twice_for_the_same_one_it_is_made_once(self, people):
        make_key(people.viewer, code="key-1")
        with pytest.raises(Refused, match="made already"):
            make_key(people.viewer, code="key-1")
        assert ApiKey.objects.count() == 1


class TestWhoAmI:
    def test_a_key_learns_what_it_is_and_what_it_may_do_where(self, people):
        made = make_key(people.project_admin, MANAGE)
        answer = ask(made.token).json()
        assert answer["acts_as"] == "Adam Admin"
        assert answer["key"]["code"] == made.key.code
        assert answer["key"]["expires_at"]
        held = ["backup: view", "backup: manage", "cluster: view"]
        assert answer["projects"] == [
            {
                "code": people.project.code,
                "name": "Search",
                "organization": people.organization.code,
                "privileges": held,
            }
        ]
        assert answer["organizations"] == [{"code": people.organization.code, "name": "Acme", "privileges": []}]

    def test_a_projects_key_is_no_person(self, people):
        made = make_project_key(
            user=people.owner, project=people.project, name="exporter", privileges=[VIEW], days=None
        )
        answer = ask(made.token).json()
        assert (answer["acts_as"], answer["email"]) == (f"key exporter of {people.project}", None)
        assert (answer["organizations"], len(answer["projects"])) == ([], 1)

    def test_it_costs_the_same_for_one_project_and_for_twenty(self, people):
        token = make_key(people.owner).token
        ask(token)

        def count() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert ask(token).status_code == 200
            return len(captured)

        before = count()
        for _ in range(19):
            make_project(people.organization)
        assert count() == before

    def test_without_a_key_nobody_is_let_in_not_even_with_a_session(self, people, client):
        client.force_login(people.owner)
        assert client.get(WHOAMI).status_code == 401
        assert Client().get(WHOAMI).status_code == 401
        for scheme in ("Basic", "Token", "bks_", ""):
            assert client.get(WHOAMI, headers={"Authorization": f"{scheme} x"}).status_code == 401

    def test_a_session_beside_the_key_says_nothing_and_stays_as_it_is(self, people, client):
        client.force_login(people.owner)
        answer = client.get(WHOAMI, headers={"Authorization": f"Bearer {make_key(people.viewer).token}"})
        assert answer.json()["acts_as"] == "Vera Viewer"
        assert not answer.cookies
        assert client.get("/clusters/").context["user"] == people.owner

    def test_a_key_opens_no_page(self, people):
        token = make_key(people.owner, *Privilege).token
        answer = Client().get("/clusters/", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/clusters/")

    def test_what_a_key_does_or_is_refused_names_it_in_the_log(self, people):
        made = make_key(people.viewer)
        with coming_from(Source()):
            acting = acting_with(made.token)
            revoke_key(user=acting, key=made.key)
        entry = AuditEntry.objects.get(action="key.revoked")
        assert (entry.key_code, entry.key_name) == (made.key.code, "nightly")


def test_a_machine_belongs_to_one_key_alone(people):
    made = make_project_key(user=people.owner, project=people.project, name="a", privileges=[VIEW], days=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(
            name="b", user=made.key.user, project=people.project, is_of_project=True, privileges=[], digest="x"
        )


def test_a_projects_key_has_a_project(people):
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiKey.objects.create(name="b", user=people.owner, is_of_project=True, privileges=[], digest="x")


def test_keys_of_other_organizations_are_none_of_a_projects(people):
    elsewhere = make_project(make_organization("Third"))
    make_project_key(
        user=make_user(project=elsewhere, role=ProjectRole.ADMIN),
        project=elsewhere,
        name="x",
        privileges=[VIEW],
        days=1,
    )
    assert not ApiKey.objects.of_project(people.project)
    assert Project.objects.count() == 3


def test_a_key_makes_no_key(people):
    token = make_personal_key(user=people.owner, name="weak", privileges=[Privilege.BACKUP_VIEW], days=1).token
    acting = authenticate(token)
    assert acting is not None
    with pytest.raises(Refused, match="Only people make keys"):
        make_personal_key(user=acting, name="strong", privileges=list(Privilege), days=None)
