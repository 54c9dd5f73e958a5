"""Which project a page is about: it stands in the URL when a person has several."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from accounts.access import projects_with
from accounts.http import HtmxHttpRequest
from accounts.models import Project
from accounts.privileges import Privilege


@dataclass(frozen=True)
class Scene:
    """The projects in which somebody may look at backups, and the one they chose; None: all of them."""

    projects: list[Project]
    chosen: Project | None
    manageable: frozenset[int]
    """Row numbers of those in which they may also ask for backups."""

    @property
    def ids(self) -> list[int]:
        return [self.chosen.pk] if self.chosen else [project.pk for project in self.projects]

    @property
    def has_choice(self) -> bool:
        return len(self.projects) > 1

    @cached_property
    def names(self) -> dict[int, str]:
        """With the organization where there are several."""
        several = len({project.organization_id for project in self.projects}) > 1
        return {
            project.pk: f"{project.organization.name} / {project.name}" if several else project.name
            for project in self.projects
        }

    @property
    def choices(self) -> list[tuple[str, str]]:
        """(code, name) of each."""
        return [(project.code, self.names[project.pk]) for project in self.projects]


def read_scene(request: HtmxHttpRequest) -> Scene:
    """Two queries. A project that is not theirs chooses nothing, as if it did not exist."""
    found = projects_with(request.user, Privilege.BACKUP_VIEW).select_related("organization")
    projects = list(found.order_by("organization__name", "name", "pk"))
    manageable = projects_with(request.user, Privilege.BACKUP_MANAGE).values_list("pk", flat=True)
    asked_for = request.GET.get("project")
    chosen = next((project for project in projects if project.code == asked_for), None)
    return Scene(projects, chosen, frozenset(manageable))
