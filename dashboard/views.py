"""The overview and the costs page."""

from __future__ import annotations

from typing import Any

from django.db.models import Max, Q
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
from backups.states import CopyState
from clusters.models import Cluster
from clusters.rules import why_not_backed_up
from jobs.models import Job
from jobs.polling import poll_seconds

from .concerns import Concern, concern_about_workers, concerns_of
from .costs import Costs, costs_of
from .figures import storage_figure, transfer_figure

RECENT_JOBS = 8


@signed_in
@require_GET
def overview(request: HtmxHttpRequest) -> HttpResponse:
    """How well the clusters are protected, and what happened last; a constant number of queries."""
    user = request.user
    proven = Q(backups__copies__state=CopyState.AVAILABLE)
    clusters = list(
        Cluster.objects.visible_to(user)
        .existing()
        .for_list()
        .annotate(
            newest_backup_at=Max("backups__created_at", filter=proven),
            newest_copy_at=Max("backups__created_at", filter=proven & Q(backups__copies__is_original=False)),
        )
    )
    backable = [cluster for cluster in clusters if why_not_backed_up(cluster.plan) is None]
    protected = [cluster for cluster in backable if cluster.newest_backup_at]
    context = _jobs_context(user) | {
        "clusters": [(cluster, why_not_backed_up(cluster.plan)) for cluster in clusters],
        "backable_count": len(backable),
        "protected_count": len(protected),
        "oldest_recovery_point": min((cluster.newest_backup_at for cluster in protected), default=None),
        "costs": _costs(request) if projects_with(user, Privilege.BILLING_VIEW).exists() else None,
        "concerns": _concerns(user),
    }
    return render(request, "dashboard/overview.html", context)


@signed_in
@require_GET
def latest_jobs(request: HtmxHttpRequest) -> HttpResponse:
    """The newest jobs alone; they ask for themselves again while one of them is running."""
    return render(request, "dashboard/_latest_jobs.html", _jobs_context(request.user))


def _jobs_context(user: User) -> dict[str, Any]:
    jobs = list(Job.objects.visible_to(user).for_row()[:RECENT_JOBS])
    return {"jobs": jobs, "poll_seconds": poll_seconds(job.state for job in jobs)}


def _concerns(user: User) -> list[Concern]:
    now = timezone.now()
    page = "jobs:worker-list" if organizations_with(user, Privilege.CLUSTER_MANAGE).exists() else "jobs:job-list"
    about_workers = []
    if projects_with(user, Privilege.BACKUP_VIEW).exists():
        about_workers = concern_about_workers(now=now, url=reverse(page))
    return [*about_workers, *concerns_of(user, now=now)]


def _costs(request: HtmxHttpRequest) -> Costs:
    copies = Copy.objects.visible_to(request.user, Privilege.BILLING_VIEW).that_cost()
    return costs_of(copies, now=timezone.now())


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
