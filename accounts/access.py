"""The one place that decides who may do what.

Views find single objects through `accounts.guard.find`, lists start at `projects_with`, services call `require`.
"""

from __future__ import annotations

from typing import TypeVar

from django.db import models
from django.http import Http404

from .audit_context import note_refusal
from .errors import PrivilegeMissing
from .models import Organization, OrganizationMember, Project, ProjectMember, User
from .privileges import Need, Privilege, privileges_of
from .querysets import OrganizationQuerySet, ProjectQuerySet

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
    held = privileges_of(role, membership.role if membership else None, custom)
    return user.restriction.narrow(held, project_id=project.pk) if user.restriction else held


def privileges_in_organization(user: User, organization: Organization) -> frozenset[Privilege]:
    """What `user` may do to things that belong to no project, such as the stores of the regions."""
    if not user.is_active:
        return frozenset()
    held = privileges_of(organization_role(user, organization.pk), None)
    return user.restriction.narrow(held, project_id=None) if user.restriction else held


def has(user: User, privilege: Privilege, project: Project) -> bool:
    return privilege in privileges_in(user, project)


def require(user: User, needed: Privilege | Need, project: Project) -> None:
    """Raise PrivilegeMissing (403) unless `user` holds what is `needed` in `project`."""
    _require(user, needed, privileges_in(user, project), project=project)


def require_in_organization(user: User, needed: Privilege | Need, organization: Organization) -> None:
    """Raise PrivilegeMissing (403) unless `user` holds what is `needed` in the whole organization."""
    _require(user, needed, privileges_in_organization(user, organization), organization=organization)


def _require(
    user: User,
    needed: Privilege | Need,
    held: frozenset[Privilege],
    *,
    project: Project | None = None,
    organization: Organization | None = None,
) -> None:
    need = Need((needed,)) if isinstance(needed, Privilege) else needed
    if not need.is_met_by(held):
        refusal = PrivilegeMissing(need.missing_in(held), in_organization=organization is not None)
        note_refusal(refusal, user=user, project=project, organization=organization)
        raise refusal


def find_with(user: User, needed: Privilege | Need, rows: models.QuerySet[_Row], **lookup: object) -> _Row:
    """The one row of `rows` that `lookup` names, if `user` may act on it with what is `needed`.

    `rows` is of projects, or of a model with a `project`. Http404 for a stranger and for what does not exist, so that
    nobody learns which codes other organizations use; PrivilegeMissing (403) for a colleague (rule R4).
    """
    is_project = rows.model is Project
    members = "organization__members__user" if is_project else "project__organization__members__user"
    mine = rows.filter(**{members: user}, **lookup)
    if user.restriction is not None and user.restriction.project_id is not None:
        mine = mine.filter(**{"pk" if is_project else "project": user.restriction.project_id})
    found = (mine if is_project else mine.select_related("project")).first()
    if found is None:
        raise Http404
    try:
        require(user, needed, found if isinstance(found, Project) else found.project)  # type: ignore[attr-defined]
    except PrivilegeMissing as refusal:
        note_refusal(refusal, user=user, target=found)
        raise
    return found


def find_in_organization(user: User, needed: Privilege | Need, rows: models.QuerySet[_Row], **lookup: object) -> _Row:
    """The same for organizations themselves, and for models with an `organization`: what belongs to no project."""
    is_organization = rows.model is Organization
    mine = rows.filter(**{"pk__in" if is_organization else "organization__in": organizations_of(user)}, **lookup)
    found = (mine if is_organization else mine.select_related("organization")).first()
    if found is None:
        raise Http404
    organization = found if isinstance(found, Organization) else found.organization  # type: ignore[attr-defined]
    try:
        require_in_organization(user, needed, organization)
    except PrivilegeMissing as refusal:
        note_refusal(refusal, user=user, target=found)
        raise
    return found


def projects_with(user: User, privilege: Privilege) -> ProjectQuerySet:
    """The projects in which `user` holds `privilege`."""
    return Project.objects.where_user_has(user, privilege)


def project_numbers_with(user: User, privilege: Privilege) -> list[int]:
    """Their row numbers: what lists of rows by the newest begin with (`accounts.newest`), a list for each project."""
    return sorted(projects_with(user, privilege).order_by().values_list("pk", flat=True))


def organizations_with(user: User, privilege: Privilege) -> OrganizationQuerySet:
    """The organizations in the whole of which `user` holds `privilege`."""
    return Organization.objects.where_user_has(user, privilege)


def organizations_of(user: User) -> OrganizationQuerySet:
    return Organization.objects.of_member(user)
