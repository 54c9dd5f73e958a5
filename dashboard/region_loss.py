"""What becomes of each cluster when regions are lost. Pure: facts and the regions in, one verdict for each cluster out.

A region that is lost takes its clusters along, and every copy that lies there. A cluster that ran there is saved from
the newest usable copy in a region that is left; one that runs elsewhere goes on, with fewer copies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from clusters.rules import why_not_copied

from .coverage import NOTHING, ClusterFacts, rank_of


class Fate(StrEnum):
    LOST = "lost"
    """It ran there, and nothing of it is left; or it was dropped before, and its last backup goes too."""
    PART = "part"
    """It ran there, and only backups of chosen collections are left."""
    RESTORABLE = "restorable"
    BARE = "bare"
    """It runs elsewhere, and loses every copy it has."""
    THINNED = "thinned"
    """It runs elsewhere, or was dropped before, and loses copies."""
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True)
class Verdict:
    cluster: ClusterFacts
    fate: Fate
    copies_lost: int
    copies_left: int
    region: str | None = None
    """From where it would be restored."""
    backup: int | None = None
    """From which backup; of a cluster that is lost, the newest one that goes with it."""
    also_in: tuple[str, ...] = ()
    """Further regions that are left and hold the same backup."""


def lose_regions(
    clusters: Iterable[ClusterFacts],
    lost: Collection[str],
    *,
    price: Callable[[ClusterFacts, str], object] = lambda cluster, region: 0,
) -> list[Verdict]:
    """A verdict on every cluster, what cannot be saved first; within one fate, the oldest backup first.

    Of several regions with the same newest backup the one with the lowest `price` is taken, then the first by name.
    """
    order = {fate: place for place, fate in enumerate(Fate)}
    verdicts = [_verdict(cluster, lost, price) for cluster in clusters]
    return sorted(
        verdicts,
        key=lambda one: (order[one.fate], one.backup or 0, one.cluster.name, one.cluster.pk),
    )


def _verdict(cluster: ClusterFacts, lost: Collection[str], price: Callable[[ClusterFacts, str], object]) -> Verdict:
    usable = {region: held for region, held in cluster.held.items() if held.usable_count}
    gone = {region: held for region, held in usable.items() if region in lost}
    left = {region: held for region, held in usable.items() if region not in lost}
    copies_lost = sum(held.usable_count for held in gone.values())
    copies_left = sum(held.usable_count for held in left.values())
    ran_there = cluster.region in lost and not cluster.is_dropped
    if not left and (ran_there or (cluster.is_dropped and gone)):
        newest = max(gone.values(), key=rank_of, default=NOTHING)
        return Verdict(cluster, Fate.LOST, copies_lost, 0, backup=newest.usable)
    if not ran_there:
        fate = Fate.UNTOUCHED if not gone else Fate.THINNED if left else Fate.BARE
        return Verdict(cluster, fate, copies_lost, copies_left)
    best = max(rank_of(held) for held in left.values())
    same = sorted(
        (region for region, held in left.items() if rank_of(held) == best),
        key=lambda region: (price(cluster, region), region),
    )
    is_whole, backup = best
    return Verdict(
        cluster,
        Fate.RESTORABLE if is_whole else Fate.PART,
        copies_lost,
        copies_left,
        region=same[0],
        backup=backup,
        also_in=tuple(same[1:]),
    )


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would have saved a cluster: a copy in `region`, or, where there can be none, the reason."""

    region: str | None = None
    reason: str = ""


def remedy_for(
    cluster: ClusterFacts, lost: Collection[str], *, stores: Collection[tuple[int, str, str]], used: Mapping[str, int]
) -> Remedy:
    """Where a copy of `cluster` would outlive the loss: where its schedules copy to, else where most clusters do.

    `stores` are (organization, provider, region), `used` counts the clusters that each region holds copies of.
    """
    if reason := why_not_copied(cluster.plan, cluster.provider):
        return Remedy(reason=reason)
    offered = [
        region
        for organization, provider, region in stores
        if organization == cluster.organization_id and provider == cluster.provider
        if region not in lost and region != cluster.region
    ]
    if not offered:
        return Remedy(reason="No other region of its provider has a store that is left. Set one up first.")
    best = min(offered, key=lambda region: (region not in cluster.targets, -used.get(region, 0), region))
    return Remedy(region=best)


def clusters_by_region(clusters: Iterable[ClusterFacts]) -> Counter[str]:
    """How many clusters each region holds usable copies of."""
    return Counter(region for cluster in clusters for region in cluster.usable_regions)
