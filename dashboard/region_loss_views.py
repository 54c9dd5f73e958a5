"""What would be left if regions were lost: the page, and the same as a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.csv_cells import safe_cell
from accounts.guard import signed_in
from accounts.http import HtmxHttpRequest
from clusters.models import Region
from pricing.calculator import Place, Rates, add_up, transfer_cost
from pricing.formatting import NO_PRICE, at_least, format_money
from pricing.services import rates_for

from .coverage import ClusterFacts, regions_of
from .facts import CopyFacts, read_clusters, read_copies, read_regions, read_stores
from .matrix import form_url
from .places import Scene, read_scene
from .rates import Guess, Pace, guess_duration, read_pace
from .region_loss import Fate, Remedy, Verdict, clusters_by_region, lose_regions, remedy_for

ROWS_PER_PAGE = 100
IN_DANGER = (Fate.LOST, Fate.PART, Fate.BARE)
"""What a person should do something about before it happens."""
RESTORED = (Fate.PART, Fate.RESTORABLE)
COLUMNS = (
    *("outcome", "cluster", "code", "project", "region", "restore_from", "backup", "backup_of", "last_read_back"),
    *("size_bytes", "seconds", "transfer_cost", "currency", "copies_lost", "copies_left", "why"),
)


@dataclass(frozen=True)
class Row:
    """One verdict with everything the page says of it."""

    verdict: Verdict
    project: str
    home: Region
    source: Region | None
    also_in: tuple[Region, ...]
    copy: CopyFacts | None
    guess: Guess | None
    cost: Decimal | None
    currency: str
    remedy: Remedy | None = None
    remedy_region: Region | None = None
    create_url: str = ""
    schedule_url: str = ""
    backup_url: str = ""
    restore_url: str = ""

    @property
    def cluster(self) -> ClusterFacts:
        return self.verdict.cluster

    @property
    def why(self) -> str:
        """Why there is nothing, or not enough, to restore from."""
        if self.cluster.refusal:
            return self.cluster.refusal
        if self.verdict.fate is Fate.PART:
            return "Only backups of chosen collections are left."
        if not self.verdict.copies_lost:
            return "No backup of it was ever proven."
        copies = (
            "Its only copy lies" if self.verdict.copies_lost == 1 else f"All its {self.verdict.copies_lost} copies lie"
        )
        return f"{copies} in what is lost."


@dataclass
class Report:
    """Who asked what would be left of which clusters, and the answer."""

    request: HtmxHttpRequest
    scene: Scene
    today: date
    _rates: dict[tuple[str, int], Rates] = field(default_factory=dict)

    @cached_property
    def clusters(self) -> list[ClusterFacts]:
        return read_clusters(self.scene.ids, with_dropped=True)

    @cached_property
    def regions(self) -> dict[str, Region]:
        """Those that can be lost: where a cluster runs or something is kept."""
        codes = regions_of(self.clusters) | {cluster.region for cluster in self.clusters}
        codes |= {region for _, _, region in self._stores}
        return {region.code: region for region in read_regions(codes)}

    @cached_property
    def offered(self) -> list[tuple[Region, int, int]]:
        """(region, clusters that run there, clusters with copies there) of each that can be ticked."""
        held = clusters_by_region(self.clusters)
        return [
            (region, running, held[code])
            for code, region in self.regions.items()
            if (running := sum(one.region == code and not one.is_dropped for one in self.clusters)) or held[code]
        ]

    @cached_property
    def lost(self) -> list[str]:
        asked_for = set(self.request.GET.getlist("lost"))
        return [region.code for region, _, _ in self.offered if region.code in asked_for]

    @cached_property
    def into(self) -> Region | None:
        """Where everything is to be restored; None: each cluster where its best copy lies."""
        code = self.request.GET.get("into", "")
        return None if code in self.lost else self.regions.get(code)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        return lose_regions(self.clusters, set(self.lost), price=self._price_rank) if self.lost else []

    def rows(self, verdicts: list[Verdict]) -> list[Row]:
        """What the page says of these; three queries, and three for each price sheet."""
        copies = read_copies(one.backup for one in verdicts if one.backup is not None)
        pace = read_pace(self.scene.ids)
        used = clusters_by_region(self.clusters)
        return [self._row(verdict, copies, pace, used) for verdict in verdicts]

    def _row(
        self,
        verdict: Verdict,
        copies: dict[tuple[int, str], CopyFacts],
        pace: Pace,
        used: Mapping[str, int],
    ) -> Row:
        cluster = verdict.cluster
        near = verdict.region or next((code for code in cluster.usable_regions if (verdict.backup, code) in copies), "")
        copy = copies.get((verdict.backup or 0, near))
        is_restored = verdict.region is not None and copy is not None
        may_manage = cluster.project_id in self.scene.manageable
        remedy = None
        if verdict.fate in IN_DANGER and not cluster.is_dropped and not cluster.refusal:
            remedy = remedy_for(cluster, set(self.lost), stores=self._stores, used=used)
        to = (remedy.region,) if remedy and remedy.region else ()
        return Row(
            verdict=verdict,
            project=self.scene.names.get(cluster.project_id, ""),
            home=self.regions[cluster.region],
            source=self.regions.get(verdict.region or ""),
            also_in=tuple(self.regions[code] for code in verdict.also_in),
            copy=copy,
            guess=guess_duration(copy.size_bytes or 0, near, pace) if is_restored and copy else None,
            cost=self._cost(cluster, near, copy.size_bytes or 0) if is_restored and copy else None,
            currency=self._rates_of(cluster).currency,
            remedy=remedy,
            remedy_region=self.regions.get(remedy.region or "") if remedy else None,
            create_url=form_url("jobs:backup-create", cluster, to) if to and may_manage else "",
            schedule_url=form_url("jobs:schedule-create", cluster, to) if to and may_manage else "",
            backup_url=reverse("backups:backup-detail", args=[copy.code]) if copy else "",
            restore_url=(
                f"{reverse('jobs:restore-create', args=[copy.code])}?copy={near}"
                if is_restored and copy and may_manage
                else ""
            ),
        )

    @cached_property
    def _stores(self) -> list[tuple[int, str, str]]:
        return read_stores(self.scene.ids)

    def _price(self, cluster: ClusterFacts, region: str) -> Decimal | None:
        """Per GB, from where a copy lies to where it is restored."""
        source, target = self.regions[region], self.into or self.regions[region]
        return self._rates_of(cluster).transfer_price(_place(source), _place(target))

    def _rates_of(self, cluster: ClusterFacts) -> Rates:
        payer = (cluster.provider, cluster.organization_id)
        if payer not in self._rates:
            self._rates[payer] = rates_for(payer[0], self.today, payer[1])
        return self._rates[payer]

    def _price_rank(self, cluster: ClusterFacts, region: str) -> tuple[bool, Decimal]:
        """The cheapest first, what has no price last."""
        price = self._price(cluster, region)
        return price is None, price or Decimal(0)

    def _cost(self, cluster: ClusterFacts, region: str, size_bytes: int) -> Decimal | None:
        price = self._price(cluster, region)
        return None if price is None else transfer_cost(size_bytes, price, self._rates_of(cluster).unit)


@signed_in
@require_GET
def region_loss(request: HtmxHttpRequest) -> HttpResponse:
    """Tick regions: what of each cluster is left, and what to do now where nothing is; a constant number of queries."""
    report = _report(request)
    verdicts = report.verdicts
    counts = {fate: sum(verdict.fate is fate for verdict in verdicts) for fate in Fate}
    told = report.rows([verdict for verdict in verdicts if verdict.fate is not Fate.UNTOUCHED])
    page = Paginator(told, len(told) or 1 if "all" in request.GET else ROWS_PER_PAGE).get_page(request.GET.get("page"))
    rows = list(page)
    context = {
        "scene": report.scene,
        "offered": [(region, running, held, region.code in report.lost) for region, running, held in report.offered],
        "lost": [report.regions[code] for code in report.lost],
        "into": report.into,
        "into_choices": [region for code, region in report.regions.items() if code not in report.lost],
        "counts": {fate.value: count for fate, count in counts.items()},
        "in_lost_count": sum(counts[fate] for fate in (Fate.LOST, *RESTORED)),
        "copies_lost": sum(verdict.copies_lost for verdict in verdicts),
        "page": page,
        "saved_not": [row for row in rows if row.verdict.fate is Fate.LOST],
        "bare": [row for row in rows if row.verdict.fate is Fate.BARE],
        "restored": [row for row in rows if row.verdict.fate in RESTORED],
        "thinned": [row for row in rows if row.verdict.fate is Fate.THINNED],
        "total_cost": _total_cost([row for row in told if row.verdict.fate in RESTORED]),
    }
    return render(request, "dashboard/region_loss.html", context)


@signed_in
@require_GET
def region_loss_csv(request: HtmxHttpRequest) -> HttpResponse:
    """The verdict on every cluster, those that nothing happens to included."""
    report = _report(request)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="region-loss-{report.today:%Y-%m-%d}.csv"'
    lines = csv.writer(answer)
    lines.writerow(COLUMNS)
    for row in report.rows(report.verdicts):
        lines.writerow([safe_cell(value) for value in _line(row)])
    return answer


def _total_cost(rows: list[Row]) -> str:
    """What restoring these costs, each currency by itself: amounts in different ones do not add up."""
    costs: dict[str, list[Decimal]] = {}
    for row in rows:
        if row.cost is not None:
            costs.setdefault(row.currency, []).append(row.cost)
    words = " and ".join(format_money(add_up(parts), currency) for currency, parts in sorted(costs.items()))
    return at_least(words or NO_PRICE, all(row.cost is not None for row in rows))


def _line(row: Row) -> list[object]:
    verdict, cluster, copy = row.verdict, row.cluster, row.copy
    return [
        verdict.fate.value,
        cluster.name,
        cluster.code,
        row.project,
        cluster.region,
        verdict.region or "",
        copy.name if copy else "",
        copy.at.isoformat() if copy else "",
        copy.verified_at.isoformat() if copy and copy.verified_at else "",
        copy.size_bytes if copy else "",
        round(row.guess.duration.total_seconds()) if row.guess else "",
        "" if row.cost is None else f"{row.cost:f}",
        "" if row.cost is None else row.currency,
        verdict.copies_lost,
        verdict.copies_left,
        row.why if verdict.fate in (Fate.LOST, Fate.PART) else "",
    ]


def _report(request: HtmxHttpRequest) -> Report:
    return Report(request, read_scene(request), timezone.now().date())


def _place(region: Region) -> Place:
    return Place(region.code, region.continent)
