"""How an operator makes organizations and people at the terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.access import privileges_in
from accounts.models import Organization, OrganizationMember, ProjectMember, User
from accounts.privileges import OrganizationRole, Privilege, ProjectRole
from tests.builders import make_organization, make_project, make_user

pytestmark = pytest.mark.django_db
PASSWORD = "a long password 47"


@pytest.fixture(autouse=True)
def passwords(monkeypatch):
    monkeypatch.setenv("OWNER_PASSWORD", PASSWORD)
    monkeypatch.setenv("PERSON_PASSWORD", PASSWORD)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def rows() -> list[object]:
    return [list(model.objects.values()) for model in (User, Organization, OrganizationMember, ProjectMember)]


# create_owner


def test_an_owner_gets_an_organization_with_a_project():
    assert "olga@example.com owns Acme" in run("create_owner", "olga@example.com", "--organization", "Acme")
    owner = User.objects.get()
    assert owner.check_password(PASSWORD)
    assert owner.organization_memberships.get().role == OrganizationRole.OWNER
    assert privileges_in(owner, Organization.objects.get().projects.get()) == set(Privilege)


@pytest.mark.parametrize("email", ["", "olga", "olga@", "olga@example.com\n", "x" * 300 + "@example.com"])
def test_an_owner_needs_an_address_that_mail_could_reach(email):
    with pytest.raises(CommandError, match="is not an e-mail address"):
        run("create_owner", email, "--organization", "Acme")
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["Acme", "ACME", " acme "])
def test_a_second_organization_of_the_same_name_must_be_meant(name):
    run("create_owner", "olga@example.com", "--organization", "Acme")
    with pytest.raises(CommandError, match="already an organization called Acme.*--another"):
        run("create_owner", "otto@example.com", "--organization", name)
    assert User.objects.count() == 1
    run("create_owner", "otto@example.com", "--organization", name, "--another")
    assert Organization.objects.count() == 2


@pytest.mark.parametrize("name", ["", "  ", "x" * 121])
def test_an_organization_needs_a_name_that_fits(name):
    with pytest.raises(CommandError, match="1 to 120 characters"):
        run("create_owner", "olga@example.com", "--organization", name)
    assert not Organization.objects.exists()


# add_person


def add(email: str, role: str, *more: str, organization: str = "Acme", project: str = "Search") -> str:
    return run("add_person", email, "--organization", organization, "--project", project, "--role", role, *more)


@pytest.fixture
def project(db):
    return make_project(make_organization("Acme"), name="Search")


@pytest.mark.parametrize("role", [ProjectRole.ADMIN, ProjectRole.OPERATOR, ProjectRole.VIEWER])
def test_a_new_person_can_sign_in_and_has_the_role(project, role):
    said = add("vera@example.com", role)
    person = User.objects.get()
    assert person.check_password(PASSWORD)
    assert person.organization_memberships.get().role == OrganizationRole.MEMBER
    assert (person.project_memberships.get().role, person.project_memberships.get().project) == (role, project)
    assert "vera@example.com" in said
    assert "Search" in said


def test_somebody_who_is_known_keeps_the_password_and_gets_the_new_role(project, monkeypatch):
    add("vera@example.com", "viewer")
    monkeypatch.setenv("PERSON_PASSWORD", "another long password 48")
    add("VERA@example.com", "admin")
    person = User.objects.get()
    assert person.check_password(PASSWORD)
    assert person.project_memberships.get().role == ProjectRole.ADMIN


def test_the_only_owner_stays_one_on_the_server_too(project):
    owner = make_user(organization=project.organization, organization_role=OrganizationRole.OWNER)
    arguments = ["--organization", project.organization.name, "--role", "billing_admin"]
    with pytest.raises(CommandError, match="Make somebody else an owner first"):
        run("add_person", owner.email, *arguments)
    assert owner.organization_memberships.get().role == OrganizationRole.OWNER


def test_a_role_in_a_project_does_not_take_the_organization_away_from_its_owner(project):
    owner = make_user(organization=project.organization, organization_role=OrganizationRole.OWNER)
    add(owner.email, "viewer")
    assert owner.organization_memberships.get().role == OrganizationRole.OWNER


@pytest.mark.parametrize("role", [OrganizationRole.OWNER, OrganizationRole.BILLING_ADMIN])
def test_a_role_in_the_whole_organization_needs_no_project(project, role):
    run("add_person", "olga@example.com", "--organization", "Acme", "--role", role)
    person = User.objects.get()
    assert person.organization_memberships.get().role == role
    assert not person.project_memberships.exists()


def test_a_custom_role_is_made_once_and_used_again(project):
    add("bea@example.com", "custom", "--custom-role", "Backups", "--privileges", "backup: manage")
    add("ben@example.com", "custom", "--custom-role", "Backups")
    add("bob@example.com", "custom", "--custom-role", "Backups", "--privileges", "backup: manage")
    assert project.organization.custom_roles.count() == 1
    for person in User.objects.all():
        expected = {Privilege.BACKUP_MANAGE, Privilege.BACKUP_VIEW, Privilege.CLUSTER_VIEW}
        assert privileges_in(person, project) == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("vera", "viewer"), "is not an e-mail address"),
        (("vera@example.com", "custom"), "Name the custom role"),
        (("vera@example.com", "custom", "--custom-role", "Backups"), "no custom role called Backups yet"),
        (("vera@example.com", "viewer", "--custom-role", "Backups"), "only with the role custom"),
        (("vera@example.com", "viewer", "--privileges", "backup: view"), "only with the role custom"),
        (
            ("vera@example.com", "custom", "--custom-role", "Known", "--privileges", "backup: manage"),
            "Known has other privileges",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(project, arguments, sentence):
    project.organization.custom_roles.create(name="Known").privileges.create(privilege=Privilege.CLUSTER_VIEW)
    before = rows()
    with pytest.raises(CommandError, match=sentence):
        add(*arguments)
    assert rows() == before


@pytest.mark.parametrize(
    ("organization", "name", "sentence"),
    [("Nobody", "Search", "no organization called Nobody"), ("Acme", "Other", "Acme has no project called Other")],
)
def test_names_that_are_not_there_are_refused(project, organization, name, sentence):
    with pytest.raises(CommandError, match=sentence):
        add("vera@example.com", "viewer", organization=organization, project=name)
    assert not User.objects.exists()


def test_two_organizations_of_one_name_are_told_apart_by_their_codes(project):
    other = make_project(make_organization("Acme"), name="Search")
    with pytest.raises(CommandError, match=f"{project.organization.code}.*{other.organization.code}"):
        add("vera@example.com", "viewer")
    add("vera@example.com", "viewer", organization=other.organization.code)
    assert User.objects.get().project_memberships.get().project == other


def test_a_project_role_needs_a_project(project):
    with pytest.raises(CommandError, match="Name the project"):
        run("add_person", "vera@example.com", "--organization", "Acme", "--role", "viewer")


def test_a_weak_password_adds_nobody(project, monkeypatch):
    monkeypatch.setenv("PERSON_PASSWORD", "short")
    with pytest.raises(CommandError, match="too short"):
        add("vera@example.com", "viewer")
    assert not User.objects.exists()


# set_longest_retention


def test_the_longest_retention_of_an_organization_is_set_by_name_or_code():
    organization = make_organization("Acme")
    assert "up to 90 days" in run("set_longest_retention", "90", "--organization", "acme")
    organization.refresh_from_db()
    assert organization.max_retention_days == 90
    run("set_longest_retention", "365", "--organization", organization.code)
    organization.refresh_from_db()
    assert organization.max_retention_days == 365


@pytest.mark.parametrize(("days", "name"), [("0", "Acme"), ("3651", "Acme"), ("90", "Twice"), ("90", "Nobody")])
def test_a_retention_that_cannot_be_meant_or_belongs_to_no_one_organization_is_refused(days, name):
    for existing in ("Acme", "Twice", "Twice"):
        make_organization(existing)
    with pytest.raises(CommandError, match=r"not \d|organizations are called"):
        run("set_longest_retention", days, "--organization", name)
    assert set(Organization.objects.values_list("max_retention_days", flat=True)) == {30}
