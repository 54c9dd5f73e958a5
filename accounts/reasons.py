"""Why somebody may do what they may do. Pure; it must agree with `privileges_of`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .privileges import BY_ORGANIZATION_ROLE, BY_PROJECT_ROLE, Privilege, ProjectRole, with_implied


@dataclass(frozen=True)
class Source:
    """Something that gives privileges, in words that go on after "because"."""

    title: str
    privileges: frozenset[Privilege]


def source_of_organization_role(role: str, role_name: str, organization: str) -> Source:
    return Source(f"{role_name} of {organization}", BY_ORGANIZATION_ROLE.get(role, frozenset()))


def source_of_project_role(role: str, role_name: str, project: str, custom: frozenset[Privilege]) -> Source:
    held = custom if role == ProjectRole.CUSTOM else BY_PROJECT_ROLE.get(role, frozenset())
    return Source(f"{role_name} of {project}", held)


def reasons_of(sources: Iterable[Source]) -> dict[Privilege, list[str]]:
    """Each privilege that somebody holds, in a fixed order, with every reason; empty lists are left out."""
    reasons: dict[Privilege, list[str]] = {privilege: [] for privilege in Privilege}
    for source in sources:
        for privilege in Privilege:
            if privilege in source.privileges:
                reasons[privilege].append(source.title)
                continue
            carriers = [
                held for held in Privilege if held in source.privileges and privilege in with_implied(frozenset({held}))
            ]
            if carriers:
                names = " and ".join(f"“{held.value}”" for held in carriers)
                reasons[privilege].append(f"{source.title}, where it comes with {names}")
    return {privilege: found for privilege, found in reasons.items() if found}
