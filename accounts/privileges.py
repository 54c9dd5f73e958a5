"""Named privileges, which role carries which, and the pure question who may do what."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from django.db.models import TextChoices


class Privilege(TextChoices):
    BACKUP_VIEW = "backup: view"
    BACKUP_MANAGE = "backup: manage"
    CLUSTER_VIEW = "cluster: view"
    CLUSTER_MANAGE = "cluster: manage"
    BILLING_VIEW = "billing: view"
    BILLING_MANAGE = "billing: manage"
    MEMBER_MANAGE = "member: manage"
    AUDIT_VIEW = "audit: view"


class OrganizationRole(TextChoices):
    OWNER = "owner", "Organization Owner"
    BILLING_ADMIN = "billing_admin", "Billing Admin"
    MEMBER = "member", "Member"


class ProjectRole(TextChoices):
    ADMIN = "admin", "Project Admin"
    OPERATOR = "operator", "Data Operator"
    VIEWER = "viewer", "Data Viewer"
    CUSTOM = "custom", "Custom role"


EVERYTHING = frozenset(Privilege)
LOOK_ONLY = frozenset({Privilege.BACKUP_VIEW, Privilege.CLUSTER_VIEW})

BY_ORGANIZATION_ROLE: dict[str, frozenset[Privilege]] = {
    OrganizationRole.OWNER: EVERYTHING,
    OrganizationRole.BILLING_ADMIN: frozenset({Privilege.BILLING_VIEW, Privilege.BILLING_MANAGE}),
    OrganizationRole.MEMBER: frozenset(),
}
BY_PROJECT_ROLE: dict[str, frozenset[Privilege]] = {
    ProjectRole.ADMIN: EVERYTHING,
    ProjectRole.OPERATOR: LOOK_ONLY,
    ProjectRole.VIEWER: LOOK_ONLY,
}

# Managing something includes looking at it. Backups are asked for on a cluster's page, and name what lies in it.
_IMPLIED = {
    Privilege.BACKUP_MANAGE: {Privilege.BACKUP_VIEW, Privilege.CLUSTER_VIEW},
    Privilege.BACKUP_VIEW: {Privilege.CLUSTER_VIEW},
    Privilege.CLUSTER_MANAGE: {Privilege.CLUSTER_VIEW},
    Privilege.BILLING_MANAGE: {Privilege.BILLING_VIEW},
}


def with_implied(privileges: frozenset[Privilege]) -> frozenset[Privilege]:
    """`privileges` and what they include.

    `backup: manage` brings `backup: view`, and both bring `cluster: view`; managing clusters or bills brings looking.
    """
    return privileges.union(*(_IMPLIED.get(held, frozenset()) for held in privileges))


def privileges_of(
    organization_role: str | None, project_role: str | None, custom_privileges: frozenset[Privilege] = frozenset()
) -> frozenset[Privilege]:
    """What a person may do in one project: the union of what both roles give (rule R4).

    Nothing without a role in the organization, whatever the project still says of somebody who left.
    """
    if organization_role is None:
        return frozenset()
    granted = BY_ORGANIZATION_ROLE.get(organization_role, frozenset())
    if project_role == ProjectRole.CUSTOM:
        granted = granted | custom_privileges
    else:
        granted = granted | BY_PROJECT_ROLE.get(project_role or "", frozenset())
    return with_implied(granted)


@dataclass(frozen=True)
class Need:
    """What an action asks of a person: all of some privileges, or with `is_any` one of them."""

    privileges: tuple[Privilege, ...]
    is_any: bool = False

    def is_met_by(self, held: Set[Privilege]) -> bool:
        wanted = [privilege in held for privilege in self.privileges]
        return any(wanted) if self.is_any else all(wanted)

    def missing_in(self, held: Set[Privilege]) -> Need:
        """What a refusal names: the privileges that are needed and not in `held`."""
        return Need(tuple(privilege for privilege in self.privileges if privilege not in held), self.is_any)

    def __str__(self) -> str:
        return (" or " if self.is_any else " and ").join(f"“{privilege.value}”" for privilege in self.privileges)


MEMBERSHIP = Need(())
"""Asked of one organization: to belong to it, with whatever role."""


def all_of(*privileges: Privilege) -> Need:
    return Need(privileges)


def any_of(*privileges: Privilege) -> Need:
    return Need(privileges, is_any=True)


@dataclass(frozen=True)
class Restriction:
    """Takes away, from whoever acts with it, all but some privileges and all but one project; it never gives any.

    An API key acts so: never with more than it was made for, never with more than its person holds.
    """

    privileges: frozenset[Privilege]
    project_id: int | None = None
    """The only project it reaches; with one, it reaches nothing that belongs to a whole organization."""

    def reaches(self, project_id: int | None) -> bool:
        return self.project_id is None or self.project_id == project_id

    def narrow(self, held: frozenset[Privilege], *, project_id: int | None) -> frozenset[Privilege]:
        """What is left of `held` in a project, or with None in a whole organization."""
        return held & with_implied(self.privileges) if self.reaches(project_id) else frozenset()
