"""What a backup and its copies will cost, before anybody asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from backups.models import Backup, BackupCollection
from backups.states import BackupState
from clusters.models import Cluster, Region
from clusters.rules import check_copy_targets
from clusters.services import region_facts
from pricing.calculator import DAYS_PER_MONTH, Estimate, Place, estimate
from pricing.regions import TargetGroup, region_choices, target_groups
from pricing.services import rates_for


@dataclass(frozen=True)
class LiveCollection:
    """What the cluster says of one collection now."""

    database: str
    name: str
    row_count: int
    estimated_bytes: int


@dataclass(frozen=True)
class Quote:
    size_bytes: int
    is_measured: bool  # the size comes from an earlier backup, not from field widths
    estimate: Estimate
    regions: tuple[Region, ...]


def expected_size(cluster: Cluster, chosen: Iterable[LiveCollection]) -> tuple[int, bool]:
    """Bytes a backup of `chosen` will take, and whether every part of that follows from an earlier backup.

    A collection that was backed up before is scaled by its rows; any other is taken at the width of its fields.
    """
    last: dict[tuple[str, str], BackupCollection] = {}
    newest = Backup.objects.filter(cluster=cluster, state=BackupState.AVAILABLE).order_by("-pk")[:5]
    # By the id, oldest first so that the newest stays: "backup" would mean that model's own order, newest first.
    for row in BackupCollection.objects.filter(backup__in=list(newest), row_count__gt=0).order_by("backup_id"):
        last[row.database, row.name] = row
    total, is_measured = 0, True
    for collection in chosen:
        known = last.get((collection.database, collection.name))
        if known and known.row_count and known.size_bytes is not None:
            total += known.size_bytes * collection.row_count // known.row_count
        else:
            total += collection.estimated_bytes
            is_measured = False
    return total, is_measured


def quote_backup(cluster: Cluster, chosen: Sequence[LiveCollection], regions: Sequence[Region], *, on: date) -> Quote:
    """The first month of a backup and its copies at the prices valid `on` that day.

    ClusterRefused for regions that the copies may not go to: what cannot be had has no price.
    """
    check_copy_targets(cluster.plan, region_facts(cluster.region), [region_facts(region) for region in regions])
    size_bytes, is_measured = expected_size(cluster, chosen)
    first_month = estimate(
        size_bytes,
        source=_place(cluster.region),
        targets=[_place(region) for region in regions],
        days=DAYS_PER_MONTH,
        rates=rates_for(cluster.region.provider, on, cluster.project.organization_id),
        include_original=True,
    )
    return Quote(size_bytes, is_measured, first_month, (cluster.region, *regions))


def offered_regions(cluster: Cluster, *, on: date) -> list[TargetGroup]:
    """The regions a backup of `cluster` may be copied to, by continent, nearest first, with their prices."""
    regions = region_choices()
    source = next(region for region in regions if region.code == cluster.region_id)
    return target_groups(source, regions, rates_for(cluster.region.provider, on, cluster.project.organization_id))


def _place(region: Region) -> Place:
    return Place(region.code, region.continent)
