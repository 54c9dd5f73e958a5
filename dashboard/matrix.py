"""The coverage matrix as a page shows it: clusters down, regions across, in each empty cell what would fill it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from clusters.models import Region

from .coverage import Cell, CellKind, ClusterFacts, cell_of
from .facts import CopyFacts

_STATES = {
    CellKind.USABLE: "available",
    CellKind.PART: "held",
    CellKind.COMING: "transferring",
    CellKind.BROKEN: "failed",
    CellKind.MISSING: "missed",
    CellKind.NOT_WANTED: "",
}


@dataclass(frozen=True)
class ShownCell:
    region: Region
    kind: CellKind
    state: str
    copy: CopyFacts | None
    newer_broken: CopyFacts | None
    fix_url: str
    """The form that would fill it; empty where nothing is missing, or for those who may not send it."""
    is_own: bool
    """Whether the cluster runs there."""


@dataclass(frozen=True)
class Row:
    cluster: ClusterFacts
    project: str
    cells: tuple[ShownCell, ...]
    only_region: Region | None
    """Where everything lies of a cluster that the loss of one region would take."""
    spread_url: str
    """The form that would change that."""


def backups_shown(clusters: Sequence[ClusterFacts], regions: Sequence[Region]) -> set[int]:
    """The backups of which the matrix says something."""
    cells = (cell_of(cluster, region.code) for cluster in clusters for region in regions)
    return {backup for cell in cells for backup in (cell.backup, cell.newer_broken) if backup is not None}


def rows_of(
    clusters: Sequence[ClusterFacts],
    regions: Sequence[Region],
    copies: Mapping[tuple[int, str], CopyFacts],
    *,
    project_names: Mapping[int, str],
    manageable: Collection[int],
) -> list[Row]:
    return [
        _row(cluster, regions, copies, project_names.get(cluster.project_id, ""), cluster.project_id in manageable)
        for cluster in clusters
    ]


def _row(
    cluster: ClusterFacts,
    regions: Sequence[Region],
    copies: Mapping[tuple[int, str], CopyFacts],
    project: str,
    may_manage: bool,
) -> Row:
    cells = tuple(
        _shown(cluster, cell_of(cluster, region.code), region, copies, may_manage=may_manage) for region in regions
    )
    only = next((region for region in regions if [region.code] == list(cluster.usable_regions)), None)
    # Azure has no copies elsewhere, so no form would help.
    spreads = only is not None and may_manage and not cluster.is_dropped and cluster.provider != "azure"
    return Row(cluster, project, cells, only, form_url("jobs:schedule-create", cluster) if spreads else "")


def _shown(
    cluster: ClusterFacts,
    cell: Cell,
    region: Region,
    copies: Mapping[tuple[int, str], CopyFacts],
    *,
    may_manage: bool,
) -> ShownCell:
    def of(backup: int | None) -> CopyFacts | None:
        return None if backup is None else copies.get((backup, cell.region))

    fix_url = ""
    if cell.kind is CellKind.MISSING and may_manage:
        fix_url = form_url("jobs:backup-create", cluster, () if region.code == cluster.region else (region.code,))
    newer = of(cell.newer_broken)
    state = "held" if newer and cell.kind is CellKind.USABLE else _STATES[cell.kind]
    return ShownCell(region, cell.kind, state, of(cell.backup), newer, fix_url, region.code == cluster.region)


def form_url(name: str, cluster: ClusterFacts, regions: Sequence[str] = ()) -> str:
    """A form about `cluster`, with copies to `regions` ticked."""
    query = f"?{urlencode([('region', region) for region in regions])}" if regions else ""
    return reverse(name, args=[cluster.code]) + query
