"""What the pages about people show, each gathered in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .models import Organization, OrganizationMember, Project, ProjectMember
from .privileges import Privilege
from .reasons import Source, reasons_of, source_of_organization_role, source_of_project_role


@dataclass(frozen=True)
class MemberRow:
    member: OrganizationMember
    roles: list[ProjectMember] = field(default_factory=list)


def member_rows(organization: Organization) -> list[MemberRow]:
    """Everybody in `organization` with their roles in its projects."""
    roles: dict[int, list[ProjectMember]] = defaultdict(list)
    for membership in ProjectMember.objects.in_organization(organization.pk):
        roles[membership.user_id].append(membership)
    members = OrganizationMember.objects.filter(organization=organization).for_list()
    return [MemberRow(member, roles[member.user_id]) for member in members]


@dataclass(frozen=True)
class Rights:
    """What somebody may do in one place, or with None in the whole organization, and why."""

    project: Project | None
    reasons: dict[Privilege, list[str]]


def rights_of(member: OrganizationMember, projects: Iterable[Project] | None = None) -> list[Rights]:
    """What `member` may do in the whole organization and in each of its projects, or in `projects` alone."""
    organization = member.organization
    roles = {
        role.project_id: role
        for role in ProjectMember.objects.in_organization(organization.pk).filter(user=member.user_id)
    }
    of_role = source_of_organization_role(member.role, member.get_role_display(), organization.name)
    found = [] if projects is not None else [Rights(None, reasons_of([of_role]))]
    for project in projects if projects is not None else organization.projects.order_by("name"):
        sources = [of_role, *_source_of(roles.get(project.pk), project)]
        found.append(Rights(project, reasons_of(sources)))
    return found


def _source_of(role: ProjectMember | None, project: Project) -> Sequence[Source]:
    if role is None:
        return []
    held = role.custom_role.held if role.custom_role else frozenset()
    return [source_of_project_role(role.role, role.role_name, project.name, held)]


def holders_of(role_id: int) -> list[ProjectMember]:
    """Who holds a custom role, and where."""
    rows = ProjectMember.objects.filter(custom_role=role_id, user__is_machine=False).select_related("user", "project")
    return list(rows.order_by("user__name", "project__name"))
