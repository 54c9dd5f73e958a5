"""Asking for a restore or a deletion."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.access import has
from accounts.errors import Refused
from accounts.guard import find, needs
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from backups.models import Backup, Copy
from clusters import live
from clusters.forms import TypedConfirmationForm
from clusters.models import Cluster
from clusters.services import can_add_embedded_clusters
from dataplane.errors import DataPlaneError

from . import services
from .errors import JobRefused
from .forms import RestoreForm
from .models import Job
from .restores import RestoreRequest


def _find_backup(request: HtmxHttpRequest, code: str) -> Backup:
    return find(Backup.objects.existing().for_list(), request, code=code)


def _best_copy(backup: Backup) -> Copy | None:
    """The original if it is available, for then nothing has to travel to its cluster; else the copy proven last."""
    available = backup.copies.available().select_related("region")
    return max(available, key=lambda copy: (copy.is_original, copy.verified_at), default=None)


@needs(Privilege.BACKUP_MANAGE)
@require_http_methods(["GET", "POST"])
def restore_create(request: HtmxHttpRequest, code: str) -> HttpResponse:
    backup = _find_backup(request, code)
    best = _best_copy(backup)
    available = set(backup.copies.available().values_list("region_id", flat=True))
    asked_for = request.GET.get("copy")
    initial: dict[str, Any] = {
        "copy": asked_for if asked_for in available else (best.region_id if best else None),
        "target": backup.cluster.code,
        "cu_size": backup.cluster.cu_size,
    }
    form = RestoreForm(
        request.POST or None,
        user=request.user,
        backup=backup,
        can_make_clusters=can_add_embedded_clusters() and has(request.user, Privilege.CLUSTER_MANAGE, backup.project),
        present=_names_in(backup.cluster) if request.method == "GET" else (),
        initial=initial,
    )
    if request.method == "POST" and form.is_valid():
        try:
            job = _request_restore(request, backup, form)
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            messages.success(request, f"The restore into {job.cluster} was queued.")
            return redirect(job)
    others = [copy for copy in backup.copies.all() if copy.region_id not in available]
    context = {"backup": backup, "form": form, "best": best, "others": others}
    return render(request, "jobs/restore_create.html", context, status=422 if form.errors else 200)


def _names_in(cluster: Cluster) -> set[tuple[str, str]]:
    """What the cluster holds now; nothing if it does not answer: it may be lost, and that be why somebody restores."""
    if cluster.dropped_at is not None:
        return set()
    try:
        return {(found.ref.database, found.ref.name) for found in live.collections_of(cluster)}
    except DataPlaneError:
        return set()


def _refuse_taken_names(data: dict[str, Any], restore: RestoreRequest) -> None:
    """Say now what the worker would find out: a collection that is there is never overwritten."""
    target: Cluster = data["target"]
    present = _names_in(target)
    taken = [row.new_name for row in restore.collections if (row.database, row.new_name) in present]
    if taken:
        raise JobRefused(
            f"{target.name} already has {', '.join(taken)}. Untick it, give the restored one another name, or delete "
            "the one that is there first.",
            field="collections",
        )


def _request_restore(request: HtmxHttpRequest, backup: Backup, form: RestoreForm) -> Job:
    data = form.cleaned_data
    if form.is_into_new_cluster:
        return services.request_restore_to_new_cluster(
            user=request.user,
            copy=data["copy"],
            project=backup.project,
            name=data["new_name"],
            cu_size=data["cu_size"],
            load=data["load"],
        )
    restore = form.request()
    _refuse_taken_names(data, restore)
    return services.request_restore(user=request.user, copy=data["copy"], request=restore, target=data["target"])


def _regions(count: int) -> str:
    return "1 region" if count == 1 else f"{count} regions"


@needs(Privilege.BACKUP_MANAGE)
@require_http_methods(["GET", "POST"])
def backup_delete(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Delete a backup in every region; the name must be typed, and what will be lost is listed."""
    backup = _find_backup(request, code)
    form = TypedConfirmationForm(request.POST or None, name=backup.name)
    if request.method == "POST" and form.is_valid():
        try:
            jobs = services.request_deletion(user=request.user, backup=backup)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{backup} is being deleted in {_regions(len(jobs))}.")
            return redirect("jobs:job-list")
    others = Copy.objects.available().filter(backup__cluster=backup.cluster_id).exclude(backup=backup)
    is_last = backup.copies.available().exists() and not others.exists()
    context = {"backup": backup, "form": form, "is_last": is_last}
    return render(request, "jobs/backup_delete.html", context, status=422 if form.errors else 200)
