"""Roles as something to give: which there are, and that nobody gives, or takes away, more than they hold."""

from __future__ import annotations

from dataclasses import dataclass

from .access import privileges_in, privileges_in_organization
from .errors import Refused
from .models import CustomRole, Organization, Project, ProjectMember, User
from .privileges import BY_PROJECT_ROLE, Need, OrganizationRole, Privilege, ProjectRole, privileges_of, with_implied


class GrantRefused(Refused):
    """Somebody wanted to give or take away more than they hold, or to leave an organization without an owner."""


@dataclass(frozen=True)
class Grant:
    """A role in a project: one that every project knows, or one of the organization's own."""

    role: ProjectRole
    custom_role: CustomRole | None = None

    @classmethod
    def of(cls, membership: ProjectMember) -> Grant:
        return cls(ProjectRole(membership.role), membership.custom_role)

    @property
    def code(self) -> str:
        """What a form sends for it."""
        return self.custom_role.code if self.custom_role else self.role.value

    @property
    def name(self) -> str:
        return self.custom_role.name if self.custom_role else str(self.role.label)

    @property
    def privileges(self) -> frozenset[Privilege]:
        return with_implied(self.custom_role.held if self.custom_role else BY_PROJECT_ROLE[self.role])


def grants_to_give(user: User, project: Project) -> list[Grant]:
    """The roles that `user` may give in `project`: those that hold no more than they do; a few queries."""
    held = privileges_in(user, project)
    if Privilege.MEMBER_MANAGE not in held:
        return []
    custom = project.organization.custom_roles.prefetch_related("privileges").order_by("name")
    # The one that holds least comes first, and is what a form proposes.
    grants = [Grant(ProjectRole(role)) for role in reversed(BY_PROJECT_ROLE)]
    grants += [Grant(ProjectRole.CUSTOM, role) for role in custom]
    return [grant for grant in grants if grant.privileges <= held]


def organization_roles_to_give(user: User, organization: Organization) -> list[OrganizationRole]:
    """The roles that `user` may give in the whole organization."""
    held = privileges_in_organization(user, organization)
    if Privilege.MEMBER_MANAGE not in held:
        return []
    return [role for role in reversed(OrganizationRole) if privileges_of(role, None) <= held]


def check_grant(user: User, grant: Grant, project: Project) -> None:
    """Refuse unless `user` holds, in `project`, everything that `grant` gives, and the role is known there."""
    if grant.custom_role and grant.custom_role.organization_id != project.organization_id:
        raise GrantRefused("Choose a role of this organization.", field="role")
    _check(grant.privileges - privileges_in(user, project), grant.name)


def check_organization_role(user: User, role: OrganizationRole, organization: Organization) -> None:
    """Refuse unless `user` holds, in the whole organization, everything that `role` gives."""
    _check(privileges_of(role, None) - privileges_in_organization(user, organization), str(role.label))


def _check(missing: frozenset[Privilege], name: str) -> None:
    if missing:
        need = Need(tuple(sorted(missing)))
        raise GrantRefused(f"Nobody gives or takes away more than they hold: {name} holds {need}.", field="role")
