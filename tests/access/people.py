"""The roles that meet every address, what each of them holds, and what therefore each of them must be answered.

What they hold is written out here by hand: told by the code that is tested, it would prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.guard import ANY_ORGANIZATION, ANY_PROJECT, ONE_THING, ORGANIZATION, Access
from accounts.privileges import Need, Privilege

EVERYTHING = frozenset(Privilege)
NOTHING: frozenset[Privilege] = frozenset()
LOOK = frozenset({Privilege.BACKUP_VIEW, Privilege.CLUSTER_VIEW})
BILLING = frozenset({Privilege.BILLING_VIEW, Privilege.BILLING_MANAGE})


@dataclass(frozen=True)
class Role:
    title: str
    in_project: frozenset[Privilege] = NOTHING
    """In the project that the sample things belong to."""
    in_organization: frozenset[Privilege] = NOTHING
    """In the whole organization of that project."""
    elsewhere: frozenset[Privilege] = NOTHING
    """In some other project."""
    is_stranger: bool = False
    """A member, and the owner, of another organization alone."""


SIGNED_OUT = "nobody"
ROLES: dict[str, Role] = {
    "owner": Role("Organization Owner", EVERYTHING, EVERYTHING, EVERYTHING),
    "billing_admin": Role("Billing Admin", BILLING, BILLING, BILLING),
    "project_admin": Role("Project Admin", EVERYTHING),
    "operator": Role("Data Operator", LOOK),
    "viewer": Role("Data Viewer", LOOK),
    "backup_manager": Role("Custom: `backup: manage`", LOOK | {Privilege.BACKUP_MANAGE}),
    "cluster_viewer": Role("Custom: `cluster: view`", frozenset({Privilege.CLUSTER_VIEW})),
    "neighbour": Role("Admin of another project", elsewhere=EVERYTHING),
    "stranger": Role("Stranger", elsewhere=EVERYTHING, is_stranger=True),
    SIGNED_OUT: Role("Signed out"),
}

YES, REFUSED, UNKNOWN, SIGN_IN, WRONG_METHOD = "yes", "403", "404", "sign in", "405"


def expected(access: Access, need: Need | None, who: str) -> str:
    """What the address that declares `access` must answer to `who`, for a method that it takes."""
    role = ROLES[who]
    if access.why_open:
        return YES
    if who == SIGNED_OUT:
        return "401" if access.is_for_machines else SIGN_IN
    if need is None:
        return YES
    if access.of in {ONE_THING, ORGANIZATION} and role.is_stranger:
        return UNKNOWN
    held = {
        ONE_THING: role.in_project,
        ANY_PROJECT: role.in_project | role.elsewhere,
        ORGANIZATION: role.in_organization,
        ANY_ORGANIZATION: role.elsewhere if role.is_stranger else role.in_organization,
    }[access.of or ONE_THING]
    return YES if need.is_met_by(held) else REFUSED
