"""Pages about the catalogue: what exists, where, and how sure we are of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import has, project_numbers_with
from accounts.guard import find, needs, signed_in
from accounts.http import HtmxHttpRequest
from accounts.newest import Place, find_page
from accounts.privileges import Privilege
from clusters.models import Cluster
from clusters.rules import why_not_backed_up
from clusters.services import copy_refusal

from . import services
from .errors import BackupRefused
from .facts import facts_of
from .forms import RenameForm
from .models import Backup
from .querysets import BackupQuerySet

PAGE_SIZE = 50


def _find_backup(request: HtmxHttpRequest, code: str) -> Backup:
    return find(Backup.objects.for_list(), request, code=code)


def _page_context(request: HtmxHttpRequest, rows: BackupQuerySet, lists: list[BackupQuerySet]) -> dict[str, Any]:
    """The page of existing backups that the address names by its neighbour, which is one of `rows`."""

    def place(name: str) -> Place | None:
        marks = rows.filter(code=request.GET.get(name, "")).values_list("created_at", "pk")
        return next((Place(*mark) for mark in marks), None) if request.GET.get(name) else None

    page = find_page(lists, by=("created_at", "pk"), size=PAGE_SIZE, before=place("before"), after=place("after"))
    backups = list(Backup.objects.filter(pk__in=page.pks).for_list())
    return {
        "backups": backups,
        "newer": backups[0].code if backups and page.has_newer else "",
        "older": backups[-1].code if backups and page.has_older else "",
    }


@signed_in
@require_GET
def backup_list(request: HtmxHttpRequest) -> HttpResponse:
    projects = project_numbers_with(request.user, Privilege.BACKUP_VIEW)
    lists = [of_state.filter(project=number) for number in projects for of_state in Backup.objects.existing_by_state()]
    rows = Backup.objects.filter(project__in=projects)
    return render(request, "backups/backup_list.html", _page_context(request, rows, lists))


@needs(Privilege.BACKUP_VIEW)
@require_GET
def cluster_backups(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """The Backups tab of a cluster."""
    cluster = find(Cluster.objects.existing().for_list(), request, code=code)
    lists = [of_state.filter(cluster=cluster) for of_state in Backup.objects.existing_by_state()]
    context = {
        "cluster": cluster,
        "tab": "backups",
        "backup_refusal": why_not_backed_up(cluster.plan),
        "copy_refusal": copy_refusal(cluster),
        "may_back_up": has(request.user, Privilege.BACKUP_MANAGE, cluster.project),
        "may_manage": has(request.user, Privilege.CLUSTER_MANAGE, cluster.project),
    } | _page_context(request, Backup.objects.filter(cluster=cluster), lists)
    return render(request, "backups/cluster_backups.html", context)


def _detail_context(request: HtmxHttpRequest, backup: Backup) -> dict[str, Any]:
    copies = list(backup.copies.for_facts())
    facts = facts_of(copies)
    return {
        "backup": backup,
        "copies": copies,
        "rows": [(copy, facts[copy.pk]) for copy in copies],
        "is_live": any(copy.is_on_its_way or facts[copy.pk].working for copy in copies),
        "collections": backup.collections.all(),
        "can_restore": any(copy.is_restorable for copy in copies),
        "may_manage": has(request.user, Privilege.BACKUP_MANAGE, backup.project),
    }


@needs(Privilege.BACKUP_VIEW)
@require_GET
def backup_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    return render(request, "backups/backup_detail.html", _detail_context(request, _find_backup(request, code)))


@needs(Privilege.BACKUP_VIEW)
@require_GET
def backup_copies(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """The copies by region; asks for itself again while one of them is still on its way."""
    return render(request, "backups/_backup_copies.html", _detail_context(request, _find_backup(request, code)))


@needs(Privilege.BACKUP_MANAGE)
@require_http_methods(["GET", "POST"])
def backup_rename(request: HtmxHttpRequest, code: str) -> HttpResponse:
    backup = _find_backup(request, code)
    form = RenameForm(request.POST or None, initial={"name": backup.name})
    if request.method == "POST" and form.is_valid():
        try:
            services.rename_backup(user=request.user, backup=backup, name=form.cleaned_data["name"])
        except BackupRefused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, "Renamed.")
            return redirect(backup)
    context = {"backup": backup, "form": form}
    return render(request, "backups/backup_rename.html", context, status=422 if form.errors else 200)
