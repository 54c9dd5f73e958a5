"""Who may do what: the pure union of two roles, and the one query that must agree with it."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import IntegrityError, transaction

from accounts.access import has, privileges_in, privileges_in_organization, projects_with
from accounts.models import CustomRole, ProjectMember, User
from accounts.privileges import OrganizationRole, Privilege, ProjectRole, privileges_of, with_implied
from tests.builders import make_organization, make_project, make_user

EVERYTHING = set(Privilege)
LOOK = {Privilege.BACKUP_VIEW, Privilege.CLUSTER_VIEW}
BILLING = {Privilege.BILLING_VIEW, Privilege.BILLING_MANAGE}


@pytest.mark.parametrize(
    ("organization_role", "project_role", "expected"),
    [
        (OrganizationRole.OWNER, None, EVERYTHING),
        (OrganizationRole.MEMBER, ProjectRole.ADMIN, EVERYTHING),
        (OrganizationRole.MEMBER, ProjectRole.OPERATOR, LOOK),
        (OrganizationRole.MEMBER, ProjectRole.VIEWER, LOOK),
        (OrganizationRole.MEMBER, None, set()),
        (OrganizationRole.BILLING_ADMIN, None, BILLING),
        (OrganizationRole.BILLING_ADMIN, ProjectRole.VIEWER, BILLING | LOOK),
        (None, None, set()),
        (None, ProjectRole.ADMIN, set()),
        ("no-such-role", "no-such-role", set()),
    ],
)
def test_a_person_holds_what_both_roles_give(organization_role, project_role, expected):
    assert privileges_of(organization_role, project_role) == expected


def test_a_custom_role_gives_its_privileges_and_nothing_else():
    assert privileges_of(OrganizationRole.MEMBER, ProjectRole.CUSTOM, frozenset({Privilege.CLUSTER_VIEW})) == {
        Privilege.CLUSTER_VIEW
    }


def test_custom_privileges_count_only_in_a_custom_role():
    assert privileges_of(OrganizationRole.MEMBER, ProjectRole.VIEWER, frozenset({Privilege.MEMBER_MANAGE})) == LOOK


@pytest.mark.parametrize("thing", ["backup", "cluster", "billing"])
def test_managing_includes_looking_but_not_the_other_way_round(thing):
    manage, view = Privilege(f"{thing}: manage"), Privilege(f"{thing}: view")
    assert view in with_implied(frozenset({manage}))
    assert manage not in with_implied(frozenset({view}))


@pytest.mark.parametrize("held", [Privilege.BACKUP_VIEW, Privilege.BACKUP_MANAGE])
def test_whoever_sees_backups_sees_the_clusters_they_are_of(held):
    assert Privilege.CLUSTER_VIEW in with_implied(frozenset({held}))
    assert Privilege.CLUSTER_MANAGE not in with_implied(frozenset({held}))
    assert with_implied(frozenset({Privilege.CLUSTER_VIEW})) == {Privilege.CLUSTER_VIEW}


@pytest.mark.django_db
@pytest.mark.parametrize("organization_role", OrganizationRole.values)
@pytest.mark.parametrize("project_role", ["", *ProjectRole.values])
def test_the_list_of_projects_agrees_with_the_single_question(organization_role, project_role):
    project = make_project()
    make_project(project.organization)
    make_project()
    user = make_user(
        project=project,
        organization_role=organization_role,
        role=project_role,
        privileges=[Privilege.BACKUP_MANAGE, Privilege.CLUSTER_VIEW],
    )
    for privilege, asked in product(Privilege, type(project).objects.all()):
        assert projects_with(user, privilege).filter(pk=asked.pk).exists() == has(user, privilege, asked), privilege


@pytest.mark.django_db
@pytest.mark.parametrize("role", [*ProjectRole.values])
def test_who_left_the_organization_holds_nothing_in_its_projects(role, django_assert_num_queries):
    project = make_project()
    user = make_user(project=project, role=role, privileges=list(Privilege))
    make_organization("Elsewhere").members.create(user=user, role=OrganizationRole.OWNER)
    user.organization_memberships.filter(organization=project.organization).delete()
    assert privileges_in(user, project) == set()
    for privilege in Privilege:
        with django_assert_num_queries(1):
            assert list(projects_with(user, privilege)) == []


@pytest.mark.django_db
def test_two_roles_that_both_suffice_list_a_project_once():
    project = make_project()
    user = make_user(project=project, organization_role=OrganizationRole.OWNER, role=ProjectRole.ADMIN)
    assert list(projects_with(user, Privilege.BACKUP_VIEW)) == [project]


@pytest.mark.django_db
def test_somebody_who_was_switched_off_may_do_nothing():
    project = make_project()
    user = make_user(project=project, organization_role=OrganizationRole.OWNER)
    user.is_active = False
    assert privileges_in(user, project) == set()
    assert privileges_in_organization(user, project.organization) == set()


@pytest.mark.django_db
def test_a_role_in_a_project_says_nothing_about_the_organization():
    project = make_project()
    user = make_user(project=project, role=ProjectRole.ADMIN)
    assert privileges_in_organization(user, project.organization) == set()


@pytest.mark.django_db
def test_the_database_wants_a_custom_role_named_exactly_when_the_role_is_custom():
    project = make_project()
    user = make_user(organization=project.organization)
    custom = CustomRole.objects.create(organization=project.organization, name="Odd")
    for role, named in ((ProjectRole.CUSTOM, None), (ProjectRole.VIEWER, custom)):
        with pytest.raises(IntegrityError), transaction.atomic():
            ProjectMember.objects.create(project=project, user=user, role=role, custom_role=named)


@pytest.mark.django_db
def test_an_address_signs_in_one_person_whatever_its_case():
    User.objects.create_user("Ada@Example.com", "a long password")
    assert User.objects.get_by_natural_key("ADA@example.COM").check_password("a long password")
    with pytest.raises(IntegrityError):
        User.objects.create_user("ada@example.com")


@pytest.mark.django_db
def test_a_person_has_one_role_in_an_organization():
    organization = make_organization()
    user = make_user(organization=organization)
    with pytest.raises(IntegrityError):
        organization.members.create(user=user, role=OrganizationRole.OWNER)
