"""Rights as sums: they only ever add up, a restriction only ever takes away, and every way to ask agrees."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.access import has, organizations_with, privileges_in, privileges_in_organization, projects_with
from accounts.models import CustomRole, CustomRolePrivilege, OrganizationMember, Project, ProjectMember, User
from accounts.people_pages import member_rows, rights_of
from accounts.privileges import (
    OrganizationRole,
    Privilege,
    ProjectRole,
    Restriction,
    privileges_of,
    with_implied,
)
from accounts.reasons import reasons_of, source_of_organization_role, source_of_project_role
from tests.builders import make_project, make_user

some_privileges = st.frozensets(st.sampled_from(Privilege))
organization_roles = st.sampled_from(OrganizationRole)
project_roles = st.sampled_from([None, *ProjectRole])


@given(organization_roles, project_roles, some_privileges)
def test_another_role_never_takes_anything_away(organization_role, project_role, custom):
    both = privileges_of(organization_role, project_role, custom)
    assert privileges_of(organization_role, None) <= both
    assert privileges_of(OrganizationRole.MEMBER, project_role, custom) <= both


@given(some_privileges, some_privileges)
def test_more_privileges_in_a_custom_role_never_take_anything_away(few, more):
    assert with_implied(few) <= with_implied(few | more)
    assert with_implied(few) | with_implied(more) == with_implied(few | more)
    assert with_implied(with_implied(few)) == with_implied(few)


@given(some_privileges, some_privileges, st.sampled_from([None, 1, 2]), st.sampled_from([None, 1, 2]))
def test_a_restriction_never_adds(held, allowed, only, asked):
    left = Restriction(allowed, only).narrow(held, project_id=asked)
    assert left <= held
    assert left <= with_implied(allowed)
    assert not left or only in {None, asked}
    assert Restriction(frozenset(Privilege)).narrow(held, project_id=asked) == held


@given(organization_roles, project_roles, some_privileges)
def test_what_is_explained_is_what_is_held(organization_role, project_role, custom):
    sources = [source_of_organization_role(organization_role, "Role", "Acme")]
    if project_role:
        sources.append(source_of_project_role(project_role, "Role", "Search", custom))
    reasons = reasons_of(sources)
    assert reasons.keys() == privileges_of(organization_role, project_role, custom)
    assert all(reasons.values())


def test_a_reason_names_the_role_and_what_a_privilege_comes_with():
    sources = [
        source_of_organization_role(OrganizationRole.BILLING_ADMIN, "Billing Admin", "Acme"),
        source_of_project_role(ProjectRole.CUSTOM, "Nights", "Search", frozenset({Privilege.BACKUP_MANAGE})),
    ]
    reasons = reasons_of(sources)
    assert reasons[Privilege.BACKUP_MANAGE] == ["Nights of Search"]
    assert reasons[Privilege.CLUSTER_VIEW] == ["Nights of Search, where it comes with “backup: manage”"]
    assert reasons[Privilege.BILLING_VIEW] == ["Billing Admin of Acme"]


@pytest.mark.django_db
@settings(max_examples=30, deadline=None)
@given(organization_roles, project_roles, some_privileges, st.none() | some_privileges, st.booleans())
def test_every_way_to_ask_agrees(organization_role, project_role, custom, allowed, is_of_one_project):
    """Each example is made and undone by itself: Hypothesis calls the test many times in one transaction."""
    with transaction.atomic():
        project = make_project()
        projects = [project, make_project(project.organization), make_project()]
        user = make_user(
            project=project, organization_role=organization_role, role=project_role or "", privileges=custom
        )
        if allowed is not None:
            user.restriction = Restriction(allowed, project.pk if is_of_one_project else None)
        for privilege in Privilege:
            listed = set(projects_with(user, privilege))
            assert listed == {asked for asked in projects if has(user, privilege, asked)}
            assert listed <= set(Project.objects.where_user_has(User.objects.get(pk=user.pk), privilege))
            organizations = set(organizations_with(user, privilege))
            assert (project.organization in organizations) == (
                privilege in privileges_in_organization(user, project.organization)
            )
            if organizations:
                assert set(projects[:2]) <= listed or user.restriction
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_the_rights_of_a_person_are_what_they_hold_in_each_project(people):
    make_project(people.organization)
    for who in ("owner", "project_admin", "viewer", "backup_manager", "billing_admin"):
        user = getattr(people, who)
        member = OrganizationMember.objects.select_related("organization").get(
            user=user, organization=people.organization
        )
        whole, *places = rights_of(member)
        assert whole.reasons.keys() == privileges_in_organization(user, people.organization)
        assert len(places) == 2
        for place in places:
            assert place.project is not None
            assert place.reasons.keys() == privileges_in(user, place.project)


@pytest.mark.django_db
def test_a_list_of_many_members_and_projects_costs_as_many_queries_as_one_of_few(people):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            rows = member_rows(people.organization)
            rights_of(next(row.member for row in rows if row.member.user == people.viewer))
        return len(captured)

    def add(number):
        project = make_project(people.organization)
        role = CustomRole.objects.create(organization=people.organization, name=f"Role {number}")
        CustomRolePrivilege.objects.create(role=role, privilege=Privilege.BACKUP_VIEW)
        ProjectMember.objects.create(project=project, user=people.viewer, role=ProjectRole.CUSTOM, custom_role=role)
        make_user(project=project, role=ProjectRole.OPERATOR)

    add(0)
    few = queries()
    for number in range(1, 7):
        add(number)
    assert queries() == few
