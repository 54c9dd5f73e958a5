"""Asking for a backup: the form, and the quote beside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.errors import Refused
from accounts.guard import find, needs
from accounts.http import HtmxHttpRequest
from accounts.once import do_once, find_sent
from accounts.privileges import Privilege
from clusters import live
from clusters.models import Cluster, Store
from clusters.rules import why_not_backed_up
from clusters.services import copy_refusal
from dataplane.errors import DataPlaneError

from . import services
from .forms import SEPARATOR, BackupForm
from .quotes import LiveCollection, offered_regions, quote_backup

MOST_SHOWN_AGAIN = 1_000


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
    is_sent = request.method == "POST"
    if is_sent and (location := find_sent(request)):
        return redirect(location)
    found: list[LiveCollection] = []
    try:
        found = _live_collections(cluster)
    except DataPlaneError as failure:
        context["failure"] = str(failure)
        if not is_sent:
            return render(request, "jobs/backup_create.html", context)
        # What was ticked is shown again, though nobody can say now whether it is there.
        found = _as_ticked(request.POST)
    groups = [] if context["copy_refusal"] else offered_regions(cluster, on=timezone.now().date())
    offered = {target.region.code for group in groups for target in group.targets}
    initial = {"scope": "cluster"} | ticked_by_link(request.GET, offered)
    form = _form(request, found, request.POST if is_sent else None, initial)
    if is_sent and form.is_valid() and "failure" not in context:
        try:
            return redirect(do_once(request, lambda: _request_backup(request, cluster, form)))
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
    shown = form if form.is_bound else _form(request, found, initial)
    context |= {
        "form": form,
        "collections": found,
        "groups": groups,
        "regions_with_store": set(
            Store.objects.of_organization(cluster.project.organization_id).values_list("region", flat=True)
        ),
    }
    context |= {"refusals": [context["failure"]]} if "failure" in context else _quote(cluster, found, shown)
    return render(request, "jobs/backup_create.html", context, status=422 if is_sent else 200)


def _as_ticked(posted: QueryDict) -> list[LiveCollection]:
    """The collections that a form names, with no sizes, for nobody tells them."""
    pairs = (value.partition(SEPARATOR) for value in dict.fromkeys(posted.getlist("collections")))
    return [LiveCollection(database, name, 0, 0) for database, _, name in pairs if name][:MOST_SHOWN_AGAIN]


def _request_backup(request: HtmxHttpRequest, cluster: Cluster, form: BackupForm) -> str:
    job = services.request_backup(
        user=request.user, cluster=cluster, collections=form.chosen_collections, regions=form.chosen_regions
    )
    copies = " Its copies follow once it has succeeded." if form.chosen_regions else ""
    messages.success(request, f"The backup {job.backup} was queued.{copies}")
    return reverse("jobs:job-list")


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
