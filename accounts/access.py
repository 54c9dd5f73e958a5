"""The one place that decides who may do what.

Single objects are found through `find`, lists start at `projects_with`, services call `require`.
"""

from __future__ import annotations

from typing import TypeVar

from django.db import models
from django.http import Http404

from .errors import PrivilegeMissing
from .models import Organization, OrganizationMember, Project, ProjectMember, User
from .privileges import OrganizationRole, Privilege, privileges_of
from .querysets import ProjectQuerySet

_Row = TypeVar("_Row", bound=models.Model)


def organization_role(user: User, organization_id: int) -> str | None:
    memberships = OrganizationMember.objects.filter(user=user, organization=organization_id)
    return memberships.values_list("role", flat=True).first()


def privileges_in(user: User, project: Project) -> frozenset[Privilege]:
    """What `user` may do in `project`; empty for a stranger. At most three queries."""
    if not user.is_active:
        return frozenset()
    membership = ProjectMember.objects.filter(user=user, project=project).select_related("custom_role").first()
    custom: frozenset[Privilege] = frozenset()
    if membership and membership.custom_role:
        custom = frozenset(Privilege(row.privilege) for row in membership.custom_role.privileges.all())
    role = organization_role(user, project.organization_id)
    return privileges_of(role, membership.role if membership else None, custom)


def privileges_in_organization(user: User, organization: Organization) -> frozenset[Privilege]:
    """What `user` may do to things that belong to no project, such as the stores of the regions."""
    return privileges_of(organization_role(user, organization.pk), None) if user.is_active else frozenset()


def has(user: User, privilege: Privilege, project: Project) -> bool:
    return privilege in privileges_in(user, project)


def require(user: User, privilege: Privilege, project: Project) -> None:
    """Raise PrivilegeMissing (403) unless `user` holds `privilege` in `project`."""
    if not has(user, privilege, project):
        raise PrivilegeMissing(privilege)


def require_in_organization(user: User, privilege: Privilege, organization: Organization) -> None:
    """Raise PrivilegeMissing (403) unless `user` holds `privilege` in the whole organization."""
    if privilege not in privileges_in_organization(user, organization):
        raise PrivilegeMissing(privilege)


def find(rows: models.QuerySet[_Row], user: User, privilege: Privilege, **lookup: object) -> _Row:
    """The one row of `rows` that `lookup` names, if `user` may act on it with `privilege`.

    `rows` is of a model with a `project`. Http404 for a stranger and for what does not exist, so that nobody learns
    which codes other organizations use; PrivilegeMissing (403) for a colleague (rule R4).
    """
    mine = rows.filter(project__organization__members__user=user, **lookup).select_related("project").first()
    if mine is None:
        raise Http404
    require(user, privilege, mine.project)  # type: ignore[attr-defined]
    return mine


def projects_with(user: User, privilege: Privilege) -> ProjectQuerySet:
    """The projects in which `user` holds `privilege`."""
    return Project.objects.where_user_has(user, privilege)


def owns_an_organization(user: User) -> bool:
    return OrganizationMember.objects.filter(user=user, role=OrganizationRole.OWNER).exists()


def organizations_of(user: User) -> models.QuerySet[Organization]:
    return Organization.objects.filter(members__user=user)
