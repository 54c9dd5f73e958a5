"""The overview and the costs page."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import organizations_with, projects_with
from accounts.guard import ANY_PROJECT, needs, signed_in
from accounts.http import HtmxHttpRequest
from accounts.models import User
from accounts.privileges import Privilege
from backups.models import Copy
from jobs.models import Job
from jobs.polling import poll_seconds

from .concerns import Concern, concern_about_workers, concerns_of
from .costs import Costs, costs_of
from .coverage import protection_of, regions_of, worst_first
from .facts import read_clusters, read_copies, read_regions, read_times
from .figures import storage_figure, transfer_figure
from .matrix import backups_shown, rows_of
from .month import MonthCosts, costs_of_month
from .places import Scene, read_scene

RECENT_JOBS = 8
ROWS_PER_PAGE = 50


@signed_in
@require_GET
def overview(request: HtmxHttpRequest) -> HttpResponse:
    """How well the clusters are protected, and what happened last; a constant number of queries."""
    scene = read_scene(request)
    clusters = read_clusters(scene.ids)
    best = (cluster.best for cluster in clusters)
    times = read_times(held.usable for held in best if held is not None and held.usable is not None)
    regions = read_regions(regions_of(clusters))
    page = Paginator(worst_first(clusters), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page)
    context = _jobs_context(request.user, scene) | {
        "scene": scene,
        "protection": protection_of(clusters, times),
        "regions": regions,
        "page": page,
        "rows": rows_of(
            shown,
            regions,
            read_copies(backups_shown(shown, regions)),
            project_names=scene.names,
            manageable=scene.manageable,
        ),
        "month": _month(request.user, scene),
        "concerns": _concerns(request.user, scene),
    }
    return render(request, "dashboard/overview.html", context)


@signed_in
@require_GET
def latest_jobs(request: HtmxHttpRequest) -> HttpResponse:
    """The newest jobs alone; they ask for themselves again while one of them is running."""
    return render(request, "dashboard/_latest_jobs.html", _jobs_context(request.user, read_scene(request)))


def _jobs_context(user: User, scene: Scene) -> dict[str, Any]:
    found = Job.objects.visible_to(user)
    if scene.chosen:
        found = found.filter(project=scene.chosen)
    jobs = list(found.for_row()[:RECENT_JOBS])
    return {"jobs": jobs, "scene": scene, "poll_seconds": poll_seconds(job.state for job in jobs)}


def _concerns(user: User, scene: Scene) -> list[Concern]:
    now = timezone.now()
    page = "jobs:worker-list" if organizations_with(user, Privilege.CLUSTER_MANAGE).exists() else "jobs:job-list"
    about_workers = concern_about_workers(now=now, url=reverse(page)) if scene.projects else []
    return [*about_workers, *concerns_of(user, now=now, project=scene.chosen)]


def _month(user: User, scene: Scene) -> MonthCosts | None:
    """For those who may see costs in one of the projects that the page is about, or in any."""
    billable = projects_with(user, Privilege.BILLING_VIEW)
    if scene.chosen:
        billable = billable.filter(pk=scene.chosen.pk)
    projects = list(billable)
    return costs_of_month(projects, now=timezone.now()) if projects else None


@needs(Privilege.BILLING_VIEW, of=ANY_PROJECT)
@require_GET
def costs(request: HtmxHttpRequest) -> HttpResponse:
    """Storage by region and transfer by source and target, from the copies that exist."""
    found = _costs(request)
    context = {
        "costs": found,
        "storage_figure": storage_figure([(row.region, row.size_bytes) for row in found.storage]),
        "transfer_figure": transfer_figure([(row.source, row.target, row.sent_bytes) for row in found.transfer]),
    }
    return render(request, "dashboard/costs.html", context)


def _costs(request: HtmxHttpRequest) -> Costs:
    copies = Copy.objects.visible_to(request.user, Privilege.BILLING_VIEW).that_cost()
    return costs_of(copies, now=timezone.now())
