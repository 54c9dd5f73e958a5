"""Every named way to read people and projects.

QuerySets take `Any` for their model: named, the model would be looked up before mypy's Django plugin knows it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from .privileges import BY_ORGANIZATION_ROLE, BY_PROJECT_ROLE, Privilege, ProjectRole, with_implied

if TYPE_CHECKING:
    from accounts.models import User


class ProjectQuerySet(models.QuerySet[Any]):
    def where_user_has(self, user: User, privilege: Privilege) -> ProjectQuerySet:
        """Projects in which `user` holds `privilege`, by whatever kind of role; one query.

        Only in organizations the user belongs to: a role left behind in a project counts for nothing.
        """
        if not user.is_active:
            return self.none()
        rows = self
        if user.restriction is not None:
            if privilege not in with_implied(user.restriction.privileges):
                return self.none()
            if user.restriction.project_id is not None:
                rows = self.filter(pk=user.restriction.project_id)
        organization_roles = [role for role, held in BY_ORGANIZATION_ROLE.items() if privilege in with_implied(held)]
        project_roles = [role for role, held in BY_PROJECT_ROLE.items() if privilege in with_implied(held)]
        sufficient = [held for held in Privilege if privilege in with_implied(frozenset({held}))]
        return rows.filter(
            Q(organization__members__role__in=organization_roles)
            | Q(members__user=user, members__role__in=project_roles)
            | Q(
                members__user=user,
                members__role=ProjectRole.CUSTOM,
                members__custom_role__privileges__privilege__in=sufficient,
            ),
            organization__members__user=user,
        ).distinct()


class OrganizationQuerySet(models.QuerySet[Any]):
    def of_member(self, user: User) -> OrganizationQuerySet:
        """The organizations that `user` belongs to; none for who acts with the rights of one project."""
        if not user.is_active or (user.restriction is not None and not user.restriction.reaches(None)):
            return self.none()
        return self.filter(members__user=user)

    def where_user_has(self, user: User, privilege: Privilege) -> OrganizationQuerySet:
        """Organizations in the whole of which `user` holds `privilege`; one query."""
        if user.restriction is not None and privilege not in with_implied(user.restriction.privileges):
            return self.none()
        roles = [role for role, held in BY_ORGANIZATION_ROLE.items() if privilege in with_implied(held)]
        return self.of_member(user).filter(members__user=user, members__role__in=roles)


class MemberQuerySet(models.QuerySet[Any]):
    def for_list(self) -> MemberQuerySet:
        """People by name, with what one row of a members list shows; what keys act as is nobody."""
        return self.filter(user__is_machine=False).select_related("user").order_by("user__name", "user__email")


class ProjectMemberQuerySet(models.QuerySet[Any]):
    def in_organization(self, organization_id: int) -> ProjectMemberQuerySet:
        """The roles that people hold in the projects of an organization, with what custom ones hold; two queries."""
        rows = self.filter(project__organization=organization_id).select_related("project", "custom_role")
        return rows.prefetch_related("custom_role__privileges").order_by("project__name")


class InvitationQuerySet(models.QuerySet[Any]):
    def open(self, now: datetime) -> InvitationQuerySet:
        """Those that somebody may still accept."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)

    def for_list(self) -> InvitationQuerySet:
        return self.select_related("project", "custom_role", "created_by").order_by("email", "pk")
