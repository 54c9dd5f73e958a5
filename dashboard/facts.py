"""What the catalogue knows of clusters and their copies, read at once for all of them: the same number of queries for
one cluster as for a thousand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from accounts.access import projects_with
from accounts.models import Project, User
from accounts.privileges import Privilege
from backups.models import Backup, Copy
from backups.states import CopyState, Scope
from clusters.models import Cluster, Region, Store
from jobs.models import ScheduleTarget

from .coverage import NOTHING, ClusterFacts, Held


def chosen_projects(user: User, privilege: Privilege, chosen: Project | None) -> list[int]:
    """Row numbers of the projects in which `user` holds `privilege`; of `chosen` alone, if one was chosen."""
    projects = projects_with(user, privilege)
    if chosen is not None:
        projects = projects.filter(pk=chosen.pk)
    return list(projects.values_list("pk", flat=True))


def read_clusters(projects: Collection[int], *, with_dropped: bool = False) -> list[ClusterFacts]:
    """The clusters of these projects, with dropped ones that left usable copies if wanted; four queries."""
    held = _read_held(projects)
    clusters = Cluster.objects.filter(project__in=projects)
    if with_dropped:
        left = Copy.objects.available().filter(backup__cluster=OuterRef("pk"))
        clusters = clusters.filter(Q(dropped_at__isnull=True) | Exists(left))
    else:
        clusters = clusters.existing()
    targets: dict[int, set[str]] = defaultdict(set)
    scheduled = ScheduleTarget.objects.filter(schedule__project__in=projects, schedule__is_enabled=True)
    for cluster_id, region in scheduled.order_by().values_list("schedule__cluster_id", "region_id"):
        targets[cluster_id].add(region)
    rows = clusters.order_by("name", "pk").values_list(
        *("pk", "code", "name", "project_id", "project__organization_id", "region_id", "region__provider"),
        *("plan", "dropped_at"),
    )
    return [
        ClusterFacts(
            pk=pk,
            code=code,
            name=name,
            project_id=project_id,
            organization_id=organization_id,
            region=region,
            provider=provider,
            plan=plan,
            is_dropped=dropped_at is not None,
            targets=frozenset(targets[pk]),
            held=held.get(pk, {}),
        )
        for pk, code, name, project_id, organization_id, region, provider, plan, dropped_at in rows
    ]


def _read_held(projects: Collection[int]) -> dict[int, dict[str, Held]]:
    copies = Copy.objects.filter(backup__project__in=projects)
    found: dict[int, dict[str, Held]] = defaultdict(dict)
    for cluster_id, region, usable_count, whole, part in copies.usable_by_place():
        found[cluster_id][region] = Held(usable_count, whole, part)
    for cluster_id, region, coming, broken in copies.unusable_by_place():
        place = found[cluster_id].get(region, NOTHING)
        found[cluster_id][region] = replace(place, coming=coming, broken=broken)
    return found


def read_times(backups: Iterable[int]) -> dict[int, datetime]:
    """When each of these backups was made."""
    return dict(Backup.objects.filter(pk__in=set(backups)).order_by().values_list("pk", "created_at"))


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """What a page says of one copy."""

    region: str
    state: str
    state_label: str
    reason: str
    size_bytes: int | None
    verified_at: datetime | None
    code: str
    name: str
    at: datetime
    scope: str

    @property
    def is_part(self) -> bool:
        return self.scope == Scope.COLLECTION


def read_copies(backups: Iterable[int]) -> dict[tuple[int, str], CopyFacts]:
    """The copies that exist of these backups, by backup and region, in one query."""
    rows = Copy.objects.filter(backup__in=set(backups), deleted_at__isnull=True).order_by()
    fields = ("backup_id", "region_id", "state", "reason", "size_bytes", "verified_at")
    of_backup = ("backup__code", "backup__name", "backup__created_at", "backup__scope")
    return {
        (backup, region): CopyFacts(region, state, CopyState(state).label, *more)
        for backup, region, state, *more in rows.values_list(*fields, *of_backup)
    }


def read_regions(codes: Collection[str]) -> list[Region]:
    """In the order in which pages name regions."""
    return list(Region.objects.filter(code__in=codes))


def read_stores(projects: Collection[int]) -> list[tuple[int, str, str]]:
    """(organization, provider, region) of each store in which copies of these projects may lie."""
    stores = Store.objects.filter(organization__projects__in=projects).order_by("region").distinct()
    return list(stores.values_list("organization_id", "region__provider", "region_id"))
