"""What is held of each cluster where: facts as the catalogue has them, and what they mean. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from clusters.rules import why_not_backed_up


@dataclass(frozen=True, slots=True)
class Held:
    """What one region holds of one cluster now. Backups by their row number, the newest of each kind; None: there is
    none."""

    usable_count: int = 0
    whole: int | None = None
    """Of the whole cluster, with a usable copy here."""
    part: int | None = None
    """Of chosen collections."""
    coming: int | None = None
    """Its copy is on its way here."""
    broken: int | None = None
    """Its copy here failed, was canceled or is damaged."""

    @property
    def usable(self) -> int | None:
        """The backup one would restore from: of the whole cluster, if there is one."""
        return self.whole if self.whole is not None else self.part


NOTHING = Held()


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A cluster, and all that is held of it anywhere."""

    pk: int
    code: str
    name: str
    project_id: int
    organization_id: int
    region: str
    provider: str
    plan: str = "dedicated"
    is_dropped: bool = False
    targets: frozenset[str] = frozenset()
    """To where its enabled schedules copy."""
    held: Mapping[str, Held] = field(default_factory=dict)

    @property
    def refusal(self) -> str | None:
        """Why it cannot be backed up at all."""
        return why_not_backed_up(self.plan)

    @property
    def wanted(self) -> frozenset[str]:
        """The regions that should hold something of it: its own, and those its schedules copy to."""
        return frozenset() if self.refusal or self.is_dropped else self.targets | {self.region}

    @property
    def usable_regions(self) -> tuple[str, ...]:
        return tuple(region for region, held in self.held.items() if held.usable_count)

    @property
    def is_alone(self) -> bool:
        """Everything that could be restored lies in one region: with it, all is lost."""
        return len(self.usable_regions) == 1

    @property
    def best(self) -> Held | None:
        """The newest of the whole cluster, wherever it lies; of chosen collections where that is all there is."""
        usable = [held for held in self.held.values() if held.usable_count]
        return max(usable, key=rank_of, default=None)


def rank_of(held: Held) -> tuple[bool, int]:
    """By how much one would rather restore from here: the whole before a part, then the newest."""
    return held.whole is not None, held.usable or 0


class CellKind(StrEnum):
    USABLE = "usable"
    PART = "part"
    COMING = "coming"
    BROKEN = "broken"
    MISSING = "missing"
    NOT_WANTED = "not-wanted"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one region means for one cluster."""

    region: str
    kind: CellKind
    backup: int | None = None
    """The one to look at: the newest usable, or the one that is on its way or broken."""
    newer_broken: int | None = None
    """A newer one whose copy here failed or is damaged."""


def cell_of(cluster: ClusterFacts, region: str) -> Cell:
    held = cluster.held.get(region, NOTHING)
    if held.usable is not None:
        kind = CellKind.USABLE if held.whole is not None else CellKind.PART
        newer = held.broken if held.broken is not None and held.broken > held.usable else None
        return Cell(region, kind, held.usable, newer)
    if held.coming is not None and held.coming >= (held.broken or 0):
        return Cell(region, CellKind.COMING, held.coming)
    if held.broken is not None:
        return Cell(region, CellKind.BROKEN, held.broken)
    return Cell(region, CellKind.MISSING if region in cluster.wanted else CellKind.NOT_WANTED)


def regions_of(clusters: Iterable[ClusterFacts]) -> set[str]:
    """The regions that hold something of these clusters, or should."""
    return {region for cluster in clusters for region in (*cluster.wanted, *cluster.held)}


def worst_first(clusters: Iterable[ClusterFacts]) -> list[ClusterFacts]:
    """Those of which nothing could be restored, then those with a gap, a part or one region only, then the rest."""

    def concern(cluster: ClusterFacts) -> int:
        if cluster.refusal:
            return 5
        if cluster.best is None:
            return 0
        kinds = {cell_of(cluster, region).kind for region in (*cluster.wanted, *cluster.held)}
        if kinds & {CellKind.MISSING, CellKind.BROKEN}:
            return 1
        if cluster.best.whole is None:
            return 2
        return 3 if cluster.is_alone else 4

    return sorted(clusters, key=lambda cluster: (concern(cluster), cluster.name, cluster.pk))


@dataclass(frozen=True, slots=True)
class Protection:
    """The figures at the top of the overview."""

    backable_count: int
    protected_count: int
    part_count: int
    """Of the protected, those of which only chosen collections are backed up."""
    alone_count: int
    """Of the protected, those that lie in one region only."""
    oldest_at: datetime | None
    """The newest backup of the protected cluster that is furthest behind."""


def protection_of(clusters: Sequence[ClusterFacts], times: Mapping[int, datetime]) -> Protection:
    """`times` says when the best backup of each cluster was made."""
    backable = [cluster for cluster in clusters if cluster.refusal is None]
    best = [(cluster, cluster.best) for cluster in backable]
    protected = [(cluster, held) for cluster, held in best if held is not None]
    return Protection(
        backable_count=len(backable),
        protected_count=len(protected),
        part_count=sum(held.whole is None for _, held in protected),
        alone_count=sum(cluster.is_alone for cluster, _ in protected),
        oldest_at=min((times[made] for _, held in protected if (made := held.usable) in times and made), default=None),
    )
