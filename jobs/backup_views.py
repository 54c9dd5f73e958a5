"""Asking for a backup: the form, and the quote beside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.errors import Refused
from accounts.guard import find, needs
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from clusters import live
from clusters.models import Cluster, Store
from clusters.rules import why_not_backed_up
from clusters.services import copy_refusal
from dataplane.errors import DataPlaneError

from . import services
from .forms import BackupForm
from .quotes import LiveCollection, offered_regions, quote_backup


def _find_cluster(request: HtmxHttpRequest, code: str) -> Cluster:
    clusters = Cluster.objects.existing().for_list().select_related("project__organization")
    return find(clusters, request, code=code)


def _live_collections(cluster: Cluster) -> list[LiveCollection]:
    return [
        LiveCollection(found.ref.database, found.ref.name, found.row_count, found.estimated_bytes)
        for found in live.collections_of(cluster)
    ]


def _form(request: HtmxHttpRequest, found: list[LiveCollection], data: Any, initial: Any = None) -> BackupForm:
    pairs = [(collection.database, collection.name) for collection in found]
    return BackupForm(data, collections=pairs, initial=initial)


def ticked_by_link(query: QueryDict, offered: Collection[str]) -> dict[str, Any]:
    """What a form begins with when a link names the regions that should hold a copy: `?region=gcp-us-east4`."""
    regions = [code for code in dict.fromkeys(query.getlist("region")) if code in offered]
    return {"copy": True, "regions": regions} if regions else {}


def _quote(cluster: Cluster, found: list[LiveCollection], form: BackupForm) -> dict[str, Any]:
    """What the quote shows: `quote`, or `refusals`, the sentences that say why there is none."""
    if not form.is_valid():
        return {"refusals": [sentence for sentences in form.errors.values() for sentence in sentences]}
    wanted = form.chosen_collections
    chosen = [row for row in found if wanted is None or (row.database, row.name) in wanted]
    try:
        return {"quote": quote_backup(cluster, chosen, form.chosen_regions, on=timezone.now().date())}
    except Refused as refusal:
        return {"refusals": [str(refusal)]}


@needs(Privilege.BACKUP_MANAGE)
@require_http_methods(["GET", "POST"])
def backup_create(request: HtmxHttpRequest, code: str) -> HttpResponse:
    cluster = _find_cluster(request, code)
    context: dict[str, Any] = {
        "cluster": cluster,
        "backup_refusal": why_not_backed_up(cluster.plan),
        "copy_refusal": copy_refusal(cluster),
    }
    if context["backup_refusal"]:
        return render(request, "jobs/backup_create.html", context, status=200 if request.method == "GET" else 422)
    try:
        found = _live_collections(cluster)
    except DataPlaneError as failure:
        context["failure"] = str(failure)
        return render(request, "jobs/backup_create.html", context, status=200 if request.method == "GET" else 422)

    groups = [] if context["copy_refusal"] else offered_regions(cluster, on=timezone.now().date())
    offered = {target.region.code for group in groups for target in group.targets}
    initial = {"scope": "cluster"} | ticked_by_link(request.GET, offered)
    form = _form(request, found, request.POST if request.method == "POST" else None, initial)
    if request.method == "POST" and form.is_valid():
        try:
            job = services.request_backup(
                user=request.user, cluster=cluster, collections=form.chosen_collections, regions=form.chosen_regions
            )
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            copies = " Its copies follow once it has succeeded." if form.chosen_regions else ""
            messages.success(request, f"The backup {job.backup} was queued.{copies}")
            return redirect("jobs:job-list")
    shown = form if form.is_bound else _form(request, found, initial)
    context |= {
        "form": form,
        "collections": found,
        "groups": groups,
        "regions_with_store": set(
            Store.objects.of_organization(cluster.project.organization_id).values_list("region", flat=True)
        ),
    } | _quote(cluster, found, shown)
    return render(request, "jobs/backup_create.html", context, status=422 if form.errors else 200)


@needs(Privilege.BACKUP_MANAGE)
@require_GET
def backup_quote(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """The quote for the boxes that are ticked now."""
    cluster = _find_cluster(request, code)
    context: dict[str, Any] = {"cluster": cluster}
    try:
        found = _live_collections(cluster)
    except DataPlaneError as failure:
        context["refusals"] = [str(failure)]
    else:
        context |= _quote(cluster, found, _form(request, found, request.GET))
    return render(request, "jobs/_backup_quote.html", context)
