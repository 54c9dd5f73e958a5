"""Users, roles and what they may do: read from a cluster, and made again in another. Never with a password."""

import secrets
from dataclasses import dataclass
from itertools import product
from typing import Any

from dataplane.errors import ClusterDenied, ClusterError
from dataplane.manifest import GrantEntry, Manifest, PrivilegeGroupEntry, RoleEntry, UserEntry
from dataplane.milvus import Cluster

BUILT_IN_GROUPS = frozenset(
    f"{what}{may}" for what, may in product(("Cluster", "Database", "Collection"), ("ReadOnly", "ReadWrite", "Admin"))
)
"""Privilege groups that every server which knows such groups has, always the same."""


@dataclass(frozen=True, slots=True)
class Access:
    users: tuple[UserEntry, ...]
    roles: tuple[RoleEntry, ...]
    notes: tuple[str, ...]
    privilege_groups: tuple[PrivilegeGroupEntry, ...] = ()


def read_access(cluster: Cluster) -> Access:
    """Everything the server lets our token see; what it does not is a note, not an error."""
    try:
        names = cluster.optional("list its users", lambda client, timeout: client.list_users(timeout=timeout))
        if names is None:
            return Access((), (), ("users and roles: this server keeps none",))
        users = tuple(_user(cluster, name) for name in sorted(names))
        listed = cluster.call("list its roles", lambda client, timeout: client.list_roles(timeout=timeout))
        roles = tuple(_role(cluster, name) for name in sorted(listed))
        groups = cluster.optional(
            "list its privilege groups", lambda client, timeout: client.list_privilege_groups(timeout=timeout)
        )
    except ClusterDenied:
        return Access((), (), ("users and roles are not in this backup: the token may not see them",))
    made = [
        PrivilegeGroupEntry(str(group["privilege_group"]), tuple(sorted(group["privileges"])))
        for group in groups or ()
        if group["privilege_group"] not in BUILT_IN_GROUPS
    ]
    return Access(users, roles, (), tuple(sorted(made, key=lambda group: group.name)))


def _user(cluster: Cluster, name: str) -> UserEntry:
    told = cluster.call(
        f"tell the roles of {name}", lambda client, timeout: client.describe_user(name, timeout=timeout)
    )
    return UserEntry(name, str(told.get("description", "")), tuple(sorted(told.get("roles", ()))))


def _role(cluster: Cluster, name: str) -> RoleEntry:
    told = cluster.call(
        f"tell the grants of {name}", lambda client, timeout: client.describe_role(name, timeout=timeout)
    )
    grants = {
        GrantEntry(
            object_type=str(grant["object_type"]),
            object_name=str(grant["object_name"]),
            database=str(grant.get("db_name", "")),
            privilege=str(grant["privilege"]),
        )
        for grant in told.get("privileges", ())
    }
    ordered = sorted(grants, key=lambda grant: (grant.database, grant.object_type, grant.object_name, grant.privilege))
    return RoleEntry(name, str(told.get("description", "")), tuple(ordered))


def restore_access(cluster: Cluster, manifest: Manifest) -> tuple[dict[str, str], list[str]]:
    """The new password of each user made, and what could not be done.

    Users, roles and groups that are there stay exactly as they are: nobody gains or loses a right, or a password, by a
    restore.
    """
    if not manifest.users and not manifest.roles and not manifest.privilege_groups:
        return {}, []
    there = read_access(cluster)
    if not there.roles:
        return {}, [f"users and roles were not restored: {note}" for note in there.notes]
    known_groups = {group.name: group for group in there.privilege_groups}
    notes: list[str] = []
    for group in manifest.privilege_groups:  # first, because roles are granted them
        if group.name not in known_groups:
            notes += _make_group(cluster, group)
        elif group != known_groups[group.name]:
            notes.append(f"privilege group {group.name} is there with other privileges, and was not changed")
    known_roles = {role.name for role in there.roles}
    for role in manifest.roles:
        if role.name not in known_roles:
            notes += _make_role(cluster, role, {*BUILT_IN_GROUPS, *(group.name for group in manifest.privilege_groups)})
    known_users = {user.name for user in there.users}
    passwords: dict[str, str] = {}
    for user in manifest.users:
        if user.name in known_users:
            continue
        try:
            passwords[user.name] = _make_user(cluster, user)
        except ClusterError as error:
            notes.append(f"user {user.name} was not restored: {error}")
    return passwords, notes


def _make_group(cluster: Cluster, group: PrivilegeGroupEntry) -> list[str]:
    def make(client: Any, timeout: float) -> bool:
        client.create_privilege_group(group.name, timeout=timeout)
        if group.privileges:
            client.add_privileges_to_group(group.name, list(group.privileges), timeout=timeout)
        return True

    try:
        if cluster.optional(f"make the privilege group {group.name}", make):
            return []
    except ClusterError as error:
        return [f"privilege group {group.name} was not restored: {error}"]
    return [f"privilege group {group.name} was not restored: this server keeps none"]


def _make_role(cluster: Cluster, role: RoleEntry, groups: set[str]) -> list[str]:
    options = {"description": role.description} if role.description else {}
    cluster.call(
        f"create the role {role.name}",
        lambda client, timeout: client.create_role(role.name, timeout=timeout, **options),
    )
    notes = []
    for grant in role.grants:
        try:
            _grant(cluster, role.name, grant, is_group=grant.privilege in groups)
        except ClusterError as error:
            notes.append(f"role {role.name} did not get {grant.privilege} on {grant.object_name}: {error}")
    return notes


def _grant(cluster: Cluster, role: str, grant: GrantEntry, *, is_group: bool) -> None:
    def give(client: Any, timeout: float) -> None:
        where = {"db_name": grant.database, "timeout": timeout}
        if is_group:  # which only the newer call knows
            client.grant_privilege_v2(role, grant.privilege, grant.object_name, **where)
        else:
            client.grant_privilege(role, grant.object_type, grant.privilege, grant.object_name, **where)

    cluster.call(f"grant {grant.privilege} to {role}", give)


def _give_role(cluster: Cluster, user: str, role: str) -> None:
    cluster.call(f"give {user} the role {role}", lambda client, timeout: client.grant_role(user, role, timeout=timeout))


def _make_user(cluster: Cluster, user: UserEntry) -> str:
    """The password, which nothing else remembers. It has a letter of each case, a digit and a sign, as servers ask."""
    password = f"{secrets.token_urlsafe(18)}-aA1"
    options = {"description": user.description} if user.description else {}
    cluster.call(
        f"create the user {user.name}",
        lambda client, timeout: client.create_user(user.name, password, timeout=timeout, **options),
    )
    for role in user.roles:
        _give_role(cluster, user.name, role)
    return password
