"""The organization itself and its projects."""

from __future__ import annotations

from django.db import transaction

from .access import require, require_in_organization
from .audit import record, refusals_as
from .audit_actions import Action
from .errors import Refused
from .models import Organization, Project, ProjectMember, User
from .privileges import Privilege, ProjectRole
from .services import LONGEST_RETENTION_DAYS, checked_name


class OrganizationRefused(Refused):
    """An organization or a project cannot be so."""


@refusals_as(Action.ORGANIZATION_CHANGED, of="organization")
@transaction.atomic
def update_organization(*, user: User, organization: Organization, name: str, max_retention_days: int) -> None:
    """Another name, or another longest retention (R9); what schedules keep longer already stays so."""
    require_in_organization(user, Privilege.MEMBER_MANAGE, organization)
    name = checked_name(name, "An organization")
    if not 1 <= max_retention_days <= LONGEST_RETENTION_DAYS:
        raise OrganizationRefused(
            f"A retention is 1 to {LONGEST_RETENTION_DAYS:,} days long, not {max_retention_days:,}.",
            field="max_retention_days",
        )
    before = {"name": organization.name, "longest retention": organization.max_retention_days}
    organization.name, organization.max_retention_days = name, max_retention_days
    organization.save(update_fields=["name", "max_retention_days"])
    details = {"name": name, "longest retention": max_retention_days, "before": before}
    record(Action.ORGANIZATION_CHANGED, user=user, target=organization, details=details)


@refusals_as(Action.PROJECT_CREATED, of="organization")
@transaction.atomic
def create_project(*, user: User, organization: Organization, name: str) -> Project:
    """A new project, of which `user` is the admin."""
    require_in_organization(user, Privilege.MEMBER_MANAGE, organization)
    project = Project.objects.create(organization=organization, name=_free_name(organization, name))
    ProjectMember.objects.create(project=project, user=user, role=ProjectRole.ADMIN)
    record(Action.PROJECT_CREATED, user=user, target=project)
    return project


@refusals_as(Action.PROJECT_RENAMED, of="project")
@transaction.atomic
def rename_project(*, user: User, project: Project, name: str) -> None:
    require(user, Privilege.MEMBER_MANAGE, project)
    before, project.name = project.name, _free_name(project.organization, name, but=project)
    project.save(update_fields=["name"])
    record(Action.PROJECT_RENAMED, user=user, target=project, details={"before": before})


def _free_name(organization: Organization, name: str, *, but: Project | None = None) -> str:
    name = checked_name(name, "A project")
    # Whoever makes a second one of this name at this moment waits, and then finds the first.
    Organization.objects.select_for_update().get(pk=organization.pk)
    taken = Project.objects.filter(organization=organization, name__iexact=name)
    if (taken.exclude(pk=but.pk) if but else taken).exists():
        raise OrganizationRefused(f"{organization} already has a project called {name}.", field="name")
    return name
