"""Privilege groups, which no server here has: what we ask of pymilvus, and what we make of its answers."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pymilvus import MilvusClient

from dataplane.access import BUILT_IN_GROUPS, read_access, restore_access
from dataplane.errors import ClusterError
from dataplane.manifest import GrantEntry, Manifest, PrivilegeGroupEntry, RoleEntry
from tests.unit.dataplane.builders import make_manifest

READERS = PrivilegeGroupEntry("readers", ("Query", "Search"))
OF_TEAM = PrivilegeGroupEntry("CollectionTeam", ("Insert",))
EMPTY = PrivilegeGroupEntry("empty", ())
Grant = tuple[str, str, str, str]


@dataclass
class World:
    """A server with groups, roles and grants: what pymilvus shows of them, by the same names."""

    groups: dict[str, list[str]] | None = field(default_factory=dict)
    """None for a server that knows none."""
    grants: dict[str, list[Grant]] = field(default_factory=dict)
    refuses: str = ""

    def list_users(self, *, timeout: float) -> list[str]:
        return []

    def list_roles(self, *, timeout: float) -> list[str]:
        return ["admin", *self.grants]

    def describe_role(self, name: str, *, timeout: float) -> dict[str, Any]:
        keys = ("object_type", "object_name", "db_name", "privilege")
        return {
            "role": name,
            "privileges": [dict(zip(keys, grant, strict=True)) for grant in self.grants.get(name, [])],
        }

    def list_privilege_groups(self, *, timeout: float) -> list[dict[str, Any]]:
        known = {**dict.fromkeys(BUILT_IN_GROUPS, ["Query"]), **(self.groups or {})}
        return [{"privilege_group": name, "privileges": tuple(known[name])} for name in known]

    def create_privilege_group(self, name: str, *, timeout: float) -> None:
        assert self.groups is not None
        assert name not in self.groups
        self.groups[name] = []

    def add_privileges_to_group(self, name: str, privileges: list[str], *, timeout: float) -> None:
        assert self.groups is not None
        assert privileges, "a server refuses to add nothing"
        if self.refuses in privileges:
            raise ClusterError(f"no privilege {self.refuses}.")
        self.groups[name] += privileges

    def create_role(self, name: str, *, timeout: float) -> None:
        self.grants[name] = []

    def grant_privilege(
        self, role: str, object_type: str, privilege: str, object_name: str, *, db_name: str, timeout: float
    ) -> None:
        assert privilege not in BUILT_IN_GROUPS | (self.groups or {}).keys(), "the older call knows no groups"
        self.grants[role].append((object_type, object_name, db_name, privilege))

    def grant_privilege_v2(self, role: str, privilege: str, collection: str, *, db_name: str, timeout: float) -> None:
        assert privilege in BUILT_IN_GROUPS | (self.groups or {}).keys()
        self.grants[role].append(("Global", collection, db_name, privilege))

    # How `access` reaches it: as it reaches a cluster.

    def call(self, what: str, function: Callable[[Any, float], Any]) -> Any:
        return function(self, 1.0)

    def optional(self, what: str, function: Callable[[Any, float], Any]) -> Any:
        return None if "privilege group" in what and self.groups is None else function(self, 1.0)


def restore(world: Any, manifest: Manifest) -> list[str]:
    passwords, notes = restore_access(world, manifest)
    assert passwords == {}
    return notes


def backed_up(world: Any) -> Manifest:
    found = read_access(world)
    assert found.notes == ()
    return replace(make_manifest(), users=found.users, roles=found.roles, privilege_groups=found.privilege_groups)


@pytest.fixture
def full() -> World:
    groups = {entry.name: list(entry.privileges) for entry in (READERS, EMPTY, OF_TEAM)}
    granted = [
        ("Global", "*", "*", "ClusterReadOnly"), ("Collection", "docs", "default", "Query"),
        ("Global", "docs", "shop", "readers"),
    ]  # fmt: skip
    return World(groups=groups, grants={"reader": granted})


def test_groups_are_kept_with_their_privileges_and_those_of_every_server_are_not(full: World) -> None:
    assert backed_up(full).privilege_groups == (OF_TEAM, EMPTY, READERS)


def test_groups_come_back_before_the_roles_that_are_granted_them(full: World) -> None:
    empty = World()
    assert restore(empty, backed_up(full)) == []
    assert empty.groups == full.groups
    assert empty.grants == full.grants
    assert restore(empty, backed_up(full)) == [], "a second time, nothing is new"


def test_a_group_that_is_there_stays_as_it_is_and_a_difference_is_said(full: World) -> None:
    other = World(groups={"readers": ["Query", "Search"], "empty": ["Insert"]})
    assert restore(other, backed_up(full)) == [
        "privilege group empty is there with other privileges, and was not changed"
    ]
    assert other.groups == {"readers": ["Query", "Search"], "empty": ["Insert"], "CollectionTeam": ["Insert"]}


def test_what_a_server_does_not_take_is_said_and_the_rest_goes_on(full: World) -> None:
    assert restore(World(refuses="Search"), backed_up(full)) == [
        "privilege group readers was not restored: no privilege Search."
    ]
    without = replace(
        make_manifest(), privilege_groups=(READERS,),
        roles=(RoleEntry("reader", "", (GrantEntry("Collection", "docs", "default", "Query"),)),),
    )  # fmt: skip
    old = World(groups=None)
    assert restore(old, without) == ["privilege group readers was not restored: this server keeps none"]
    assert old.grants == {"reader": [("Collection", "docs", "default", "Query")]}


@pytest.mark.parametrize("name", [name for name in vars(World) if hasattr(MilvusClient, name) and name[0] != "_"])
def test_what_this_server_understands_pymilvus_would_too(name: str) -> None:
    parameters = inspect.signature(getattr(World, name)).parameters.values()
    by_place = [found.name for found in parameters if found.kind is found.POSITIONAL_OR_KEYWORD]
    by_name = {found.name: None for found in parameters if found.kind is found.KEYWORD_ONLY}
    inspect.signature(getattr(MilvusClient, name)).bind(*by_place, **by_name)
