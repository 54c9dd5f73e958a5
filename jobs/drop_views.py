"""Removing a cluster from the site."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.errors import Refused
from accounts.guard import find, needs
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege, all_of
from clusters.forms import TypedConfirmationForm
from clusters.models import Cluster

from .drops import drop_cluster, preview_drop


@needs(all_of(Privilege.CLUSTER_MANAGE, Privilege.BACKUP_MANAGE))
@require_http_methods(["GET", "POST"])
def cluster_drop(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Remove a cluster; what goes with it and what stays is listed, and its name must be typed."""
    cluster = find(Cluster.objects.existing().for_list(), request, code=code)
    form = TypedConfirmationForm(request.POST or None, name=cluster.name)
    if request.method == "POST" and form.is_valid():
        try:
            jobs = drop_cluster(user=request.user, cluster=cluster)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            going = f" {len(jobs):,} of its copies {'is' if len(jobs) == 1 else 'are'} being removed." if jobs else ""
            messages.success(request, f"{cluster} was removed from this site.{going}")
            return redirect("clusters:cluster-list")
    context = {"cluster": cluster, "form": form, "drop": preview_drop(cluster)}
    return render(request, "jobs/cluster_drop.html", context, status=422 if form.errors else 200)
