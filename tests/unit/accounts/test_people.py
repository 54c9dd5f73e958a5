"""Who may give, take and change what: roles, members, custom roles, projects and the organization."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from accounts.access import privileges_in
from accounts.audit_actions import Action
from accounts.custom_role_services import CustomRoleRefused, change_custom_role, create_custom_role, delete_custom_role
from accounts.errors import PrivilegeMissing
from accounts.grants import Grant, GrantRefused, grants_to_give, organization_roles_to_give
from accounts.member_services import (
    change_organization_role,
    give_project_role,
    remove_from_project,
    remove_member,
)
from accounts.models import AuditEntry, CustomRole, OrganizationMember, Project
from accounts.organization_services import (
    OrganizationRefused,
    create_project,
    rename_project,
    update_organization,
)
from accounts.privileges import OrganizationRole, Privilege, ProjectRole
from tests.builders import make_project, make_user

pytestmark = pytest.mark.django_db

VIEWER, ADMIN = Grant(ProjectRole.VIEWER), Grant(ProjectRole.ADMIN)


def membership(people, who):
    return OrganizationMember.objects.get(organization=people.organization, user=getattr(people, who))


@pytest.fixture
def member_manager(people):
    """Manages members, and holds little else."""
    privileges = [Privilege.MEMBER_MANAGE, Privilege.BACKUP_VIEW]
    return make_user("Mia Members", project=people.project, role=ProjectRole.CUSTOM, privileges=privileges)


@contextmanager
def recorded(action):
    before = AuditEntry.objects.filter(action=action).count()
    yield
    assert AuditEntry.objects.filter(action=action).count() == before + 1


def test_nobody_is_offered_a_role_that_holds_more_than_they_do(people, member_manager):
    few, many = (CustomRole.objects.create(organization=people.organization, name=name) for name in ("few", "many"))
    few.privileges.create(privilege=Privilege.CLUSTER_VIEW)
    many.privileges.create(privilege=Privilege.BACKUP_MANAGE)
    offered = {grant.name for grant in grants_to_give(member_manager, people.project)}
    assert {"Data Operator", "Data Viewer", "few"} <= offered
    assert not {"Project Admin", "many"} & offered
    assert {"Project Admin", "many"} <= {grant.name for grant in grants_to_give(people.owner, people.project)}
    assert grants_to_give(people.backup_manager, people.project) == []


def test_roles_in_the_organization_are_the_owners_to_give(people):
    assert set(organization_roles_to_give(people.owner, people.organization)) == set(OrganizationRole)
    for who in ("project_admin", "billing_admin", "viewer", "stranger"):
        assert organization_roles_to_give(getattr(people, who), people.organization) == []


def test_a_role_is_given_in_place_of_the_one_before(people):
    viewer = membership(people, "viewer")
    with recorded(Action.ROLE_GIVEN):
        give_project_role(user=people.project_admin, project=people.project, member=viewer, grant=ADMIN)
    assert privileges_in(people.viewer, people.project) == set(Privilege)
    assert people.viewer.project_memberships.count() == 1


def test_nobody_gives_or_takes_away_more_than_they_hold(people, member_manager):
    viewer, admin = membership(people, "viewer"), membership(people, "project_admin")
    with pytest.raises(GrantRefused, match="Project Admin holds .*“backup: manage”"):
        give_project_role(user=member_manager, project=people.project, member=viewer, grant=ADMIN)
    with pytest.raises(GrantRefused):
        give_project_role(user=member_manager, project=people.project, member=admin, grant=VIEWER)
    with pytest.raises(GrantRefused):
        remove_from_project(user=member_manager, project=people.project, member=admin)
    assert privileges_in(people.project_admin, people.project) == set(Privilege)
    with recorded(Action.MEMBER_REMOVED):
        remove_from_project(user=member_manager, project=people.project, member=viewer)
    assert privileges_in(people.viewer, people.project) == set()


@pytest.mark.parametrize("who", ["backup_manager", "viewer", "billing_admin", "stranger"])
def test_without_the_privilege_nothing_about_people_can_be_changed(people, who):
    user, viewer = getattr(people, who), membership(people, "viewer")
    role = CustomRole.objects.create(organization=people.organization, name="Odd")
    everything = [
        lambda: give_project_role(user=user, project=people.project, member=viewer, grant=VIEWER),
        lambda: remove_from_project(user=user, project=people.project, member=viewer),
        lambda: change_organization_role(user=user, member=viewer, role=OrganizationRole.OWNER),
        lambda: remove_member(user=user, member=viewer),
        lambda: create_custom_role(
            user=user, organization=people.organization, name="x", privileges=[Privilege.BACKUP_VIEW]
        ),
        lambda: change_custom_role(user=user, role=role, name="x", privileges=[Privilege.BACKUP_VIEW]),
        lambda: delete_custom_role(user=user, role=role),
        lambda: create_project(user=user, organization=people.organization, name="x"),
        lambda: rename_project(user=user, project=people.project, name="x"),
        lambda: update_organization(user=user, organization=people.organization, name="x", max_retention_days=1),
    ]
    for change in everything:
        with pytest.raises(PrivilegeMissing, match="member: manage"):
            change()


def test_the_last_owner_can_be_neither_removed_nor_demoted(people):
    owner = membership(people, "owner")
    retired = make_user(organization=people.organization, organization_role=OrganizationRole.OWNER)
    retired.is_active = False
    retired.save()
    for change in (
        lambda: change_organization_role(user=people.owner, member=owner, role=OrganizationRole.MEMBER),
        lambda: remove_member(user=people.owner, member=owner),
    ):
        with pytest.raises(GrantRefused, match="only owner of Acme"):
            change()
    second = membership(people, "viewer")
    change_organization_role(user=people.owner, member=second, role=OrganizationRole.OWNER)
    change_organization_role(user=people.owner, member=owner, role=OrganizationRole.MEMBER)
    with pytest.raises(GrantRefused):
        remove_member(user=people.viewer, member=second)


def test_whoever_is_removed_holds_nothing_at_once_in_any_project(people):
    other = make_project(people.organization)
    give_project_role(user=people.owner, project=other, member=membership(people, "project_admin"), grant=VIEWER)
    with recorded(Action.MEMBER_REMOVED):
        remove_member(user=people.owner, member=membership(people, "project_admin"))
    assert not people.project_admin.project_memberships.exists()
    for project in (people.project, other):
        assert privileges_in(people.project_admin, project) == set()


def test_a_custom_role_changes_at_once_for_everybody_who_holds_it(people):
    with recorded(Action.CUSTOM_ROLE_CREATED):
        role = create_custom_role(
            user=people.owner, organization=people.organization, name="Nights", privileges=[Privilege.CLUSTER_VIEW]
        )
    grant = Grant(ProjectRole.CUSTOM, role)
    give_project_role(user=people.owner, project=people.project, member=membership(people, "viewer"), grant=grant)
    with recorded(Action.CUSTOM_ROLE_CHANGED):
        change_custom_role(user=people.owner, role=role, name="Days", privileges=[Privilege.BACKUP_MANAGE])
    assert Privilege.BACKUP_MANAGE in privileges_in(people.viewer, people.project)
    with pytest.raises(CustomRoleRefused, match="held by somebody"):
        delete_custom_role(user=people.owner, role=role)
    remove_from_project(user=people.owner, project=people.project, member=membership(people, "viewer"))
    with recorded(Action.CUSTOM_ROLE_DELETED):
        delete_custom_role(user=people.owner, role=role)


def test_a_custom_role_needs_a_name_of_its_own_and_a_privilege(people):
    organization = people.organization
    for name, privileges, sentence in (
        ("bea backup's role", [Privilege.BACKUP_VIEW], "already a custom role"),
        ("New", [], "at least one"),
    ):
        with pytest.raises(CustomRoleRefused, match=sentence):
            create_custom_role(user=people.owner, organization=organization, name=name, privileges=privileges)


def test_who_makes_a_project_is_its_admin_and_its_name_is_its_own(people):
    with recorded(Action.PROJECT_CREATED):
        project = create_project(user=people.owner, organization=people.organization, name=" Ranking ")
    assert project.name == "Ranking"
    assert people.owner.project_memberships.get(project=project).role == ProjectRole.ADMIN
    for name in ("search", "RANKING"):
        with pytest.raises(OrganizationRefused, match="already has a project"):
            create_project(user=people.owner, organization=people.organization, name=name)
    with pytest.raises(OrganizationRefused):
        rename_project(user=people.project_admin, project=people.project, name="Ranking")
    with recorded(Action.PROJECT_RENAMED):
        rename_project(user=people.project_admin, project=people.project, name="SEARCH")
    assert Project.objects.get(pk=people.project.pk).name == "SEARCH"


def test_the_longest_retention_has_bounds(people):
    for days in (0, 3_651):
        with pytest.raises(OrganizationRefused, match="1 to 3,650"):
            update_organization(
                user=people.owner, organization=people.organization, name="Acme", max_retention_days=days
            )
    with recorded(Action.ORGANIZATION_CHANGED):
        update_organization(user=people.owner, organization=people.organization, name="Acme", max_retention_days=90)
    people.organization.refresh_from_db()
    assert people.organization.max_retention_days == 90
