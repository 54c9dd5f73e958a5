"""Schedules of a cluster: the list, one schedule with its runs, the form with its preview, the switch."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import has
from accounts.errors import Refused
from accounts.guard import find, needs
from accounts.http import HtmxHttpRequest
from accounts.once import do_once, find_sent
from accounts.privileges import Privilege
from backups.models import Backup
from backups.states import BackupState, Scope
from clusters import live
from clusters.models import Cluster, Region, Store
from clusters.rules import why_not_backed_up
from clusters.services import copy_refusal
from dataplane.errors import DataPlaneError

from . import schedule_services as services
from .backup_views import ticked_by_link
from .models import Schedule, ScheduledRun, ScheduleTarget
from .quotes import LiveCollection, expected_size, offered_regions
from .retention import earlier_ends
from .schedule_forms import DEFAULT_WINDOW, ScheduleForm, initial_of
from .schedule_quotes import quote_schedule
from .schedule_wording import next_runs
from .schedules import WEEKDAYS, RuleInvalid, per_day

PAGE_SIZE = 50


def _find_cluster(request: HtmxHttpRequest, code: str) -> Cluster:
    clusters = Cluster.objects.existing().for_list().select_related("project__organization")
    return find(clusters, request, code=code)


def _find_schedule(request: HtmxHttpRequest, code: str) -> Schedule:
    schedules = Schedule.objects.for_page().filter(cluster__dropped_at__isnull=True)
    return find(schedules, request, code=code)


def _tab_context(request: HtmxHttpRequest, cluster: Cluster) -> dict[str, Any]:
    """What the head of every cluster page shows."""
    return {
        "cluster": cluster,
        "tab": "schedules",
        "backup_refusal": why_not_backed_up(cluster.plan),
        "copy_refusal": copy_refusal(cluster),
        "may_back_up": has(request.user, Privilege.BACKUP_MANAGE, cluster.project),
        "may_manage": has(request.user, Privilege.CLUSTER_MANAGE, cluster.project),
    }


@needs(Privilege.BACKUP_VIEW)
@require_GET
def schedule_list(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """The Schedules tab of a cluster."""
    cluster = _find_cluster(request, code)
    context = _tab_context(request, cluster) | {"schedules": Schedule.objects.filter(cluster=cluster).for_list()}
    return render(request, "jobs/schedule_list.html", context)


@needs(Privilege.BACKUP_VIEW)
@require_GET
def schedule_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """One schedule: what it does, when next, and what came of every time so far."""
    schedule = _find_schedule(request, code)
    runs = ScheduledRun.objects.filter(schedule=schedule).for_list()
    context: dict[str, Any] = {
        "schedule": schedule,
        "cluster": schedule.cluster,
        "targets": _in_the_order_of_the_form(schedule),
        "page": Paginator(runs, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_change": has(request.user, Privilege.BACKUP_MANAGE, schedule.project),
    }
    try:
        context["next_runs"] = next_runs(schedule.rule, timezone.now()) if schedule.is_enabled else []
    except RuleInvalid as invalid:
        context["failure"] = str(invalid)
    return render(request, "jobs/schedule_detail.html", context)


def _in_the_order_of_the_form(schedule: Schedule) -> list[ScheduleTarget]:
    groups = offered_regions(schedule.cluster, on=timezone.now().date())
    offered = (target.region.code for group in groups for target in group.targets)
    places = {code: place for place, code in enumerate(offered)}
    return sorted(
        schedule.targets.select_related("region"), key=lambda target: places.get(target.region_id, len(places))
    )


class _Editor:
    """What the form, its preview and its page have in common for one cluster, and one schedule of it if there is."""

    def __init__(self, request: HtmxHttpRequest, cluster: Cluster, schedule: Schedule | None = None) -> None:
        self.request, self.cluster, self.schedule = request, cluster, schedule
        self.copy_refusal = copy_refusal(cluster)
        self.groups = [] if self.copy_refusal else offered_regions(cluster, on=timezone.now().date())
        codes = [target.region.code for group in self.groups for target in group.targets]
        self.regions = Region.objects.in_bulk(codes)
        self.failure = ""
        try:
            self.collections = [
                LiveCollection(found.ref.database, found.ref.name, found.row_count, found.estimated_bytes)
                for found in live.collections_of(cluster)
            ]
        except DataPlaneError as failure:
            # A schedule for the whole cluster can be made without looking into it.
            self.collections, self.failure = [], str(failure)

    def form(self, data: QueryDict | None, initial: dict[str, Any] | None = None) -> ScheduleForm:
        pairs = {(found.database, found.name) for found in self.collections}
        # What was chosen stays choosable when the cluster does not answer, or has lost it.
        pairs |= set((self.schedule and self.schedule.chosen_collections) or ())
        if initial is None:
            initial = initial_of(self.schedule) if self.schedule else self._defaults()
        regions = self.regions.values()
        return ScheduleForm(data, initial=initial, collections=sorted(pairs), cluster=self.cluster, regions=regions)

    def _defaults(self) -> dict[str, Any]:
        return {
            "days": list(WEEKDAYS),
            "window_start": DEFAULT_WINDOW,
            "time_zone": "UTC",
            "scope": Scope.CLUSTER,
        } | ticked_by_link(self.request.GET, self.regions.keys())

    def preview(self, form: ScheduleForm) -> dict[str, Any]:
        """The next runs and the steady month of what `form`, which is bound, asks for, or sentences in their place."""
        form.is_valid()
        if not form.has_rule:
            return {"rule_refusals": [text for name in form.errors if name != "name" for text in form.errors[name]]}
        try:
            rule = form.request().make_rule()
        except Refused as refusal:
            return {"rule_refusals": [str(refusal)]}
        now = timezone.now()
        found: dict[str, Any] = {"next_runs": next_runs(rule, now)}
        if not form.has_price:
            return found
        wish = form.request()
        if wish.kept_days_by_region.keys() <= self.regions.keys():
            kept_days = {self.cluster.region: wish.kept_days} | {
                self.regions[code]: days for code, days in wish.kept_days_by_region.items()
            }
            if size := self._size(wish.collections):
                pace = per_day(rule, now)
                found["quote"] = quote_schedule(
                    self.cluster, per_day=pace, kept_days=kept_days, size=size, on=now.date()
                )
        return found

    def _size(self, wanted: Any) -> tuple[int, bool] | None:
        """How large a backup will be and whether that was measured, or None if nobody can tell."""
        if not self.failure:
            chosen = [row for row in self.collections if wanted is None or (row.database, row.name) in wanted]
            return expected_size(self.cluster, chosen)
        last = Backup.objects.filter(cluster=self.cluster, state=BackupState.AVAILABLE).order_by("-pk").first()
        return (last.size_bytes, True) if last and last.size_bytes is not None else None

    def page(self, form: ScheduleForm, *, status: int = 200, **more: Any) -> HttpResponse:
        bound = form if form.is_bound else self.form(_as_data(form))
        stores = Store.objects.of_organization(self.cluster.project.organization_id)
        context: dict[str, Any] = {
            "cluster": self.cluster,
            "schedule": self.schedule,
            "form": form,
            "collections": form.fields["collections"].choices,  # type: ignore[attr-defined]
            "failure": self.failure,
            "copy_refusal": self.copy_refusal,
            "groups": [
                {
                    "continent": group.continent,
                    "targets": [(target, form[f"kept-{target.region.code}"]) for target in group.targets],
                }
                for group in self.groups
            ],
            "regions_with_store": set(stores.values_list("region", flat=True)),
        }
        template = "jobs/schedule_edit.html" if self.schedule else "jobs/schedule_create.html"
        return render(self.request, template, context | self.preview(bound) | more, status=status)


def _as_data(form: ScheduleForm) -> QueryDict:
    """What an untouched form would send."""
    data = QueryDict(mutable=True)
    for name in form.fields:
        value = form[name].value()
        if isinstance(value, list | tuple):
            data.setlist(name, [str(part) for part in value])
        elif value is True:
            data[name] = "on"
        elif value not in {None, False}:
            data[name] = str(value)
    return data


@needs(Privilege.BACKUP_MANAGE)
@require_http_methods(["GET", "POST"])
def schedule_create(request: HtmxHttpRequest, code: str) -> HttpResponse:
    cluster = _find_cluster(request, code)
    if reason := why_not_backed_up(cluster.plan):
        context = {"cluster": cluster, "backup_refusal": reason}
        return render(request, "jobs/schedule_create.html", context, status=200 if request.method == "GET" else 422)
    if request.method == "POST" and (location := find_sent(request)):
        return redirect(location)
    editor = _Editor(request, cluster)
    if request.method == "GET":
        return editor.page(editor.form(None))
    form = editor.form(request.POST)
    if "preview" in request.POST:
        return editor.page(editor.form(None, form.as_typed()))
    if form.is_valid():
        try:
            return redirect(do_once(request, lambda: _create_schedule(request, cluster, form)))
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
    return editor.page(form, status=422)


def _create_schedule(request: HtmxHttpRequest, cluster: Cluster, form: ScheduleForm) -> str:
    schedule = services.create_schedule(
        user=request.user, cluster=cluster, request=form.request(), is_enabled=form.cleaned_data["is_enabled"]
    )
    at_once = " Its first backup was queued." if schedule.is_enabled else " It is switched off."
    messages.success(request, f"The schedule {schedule} was created.{at_once}")
    return schedule.get_absolute_url()


@needs(Privilege.BACKUP_MANAGE)
@require_http_methods(["GET", "POST"])
def schedule_edit(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Change a schedule; if that ends copies earlier, they are listed and somebody has to say yes first."""
    schedule = _find_schedule(request, code)
    editor = _Editor(request, schedule.cluster, schedule)
    if request.method == "GET":
        return editor.page(editor.form(None))
    form = editor.form(request.POST)
    if "preview" in request.POST:
        return editor.page(editor.form(None, form.as_typed()))
    more: dict[str, Any] = {}
    if form.is_valid():
        wish, accepts = form.request(), form.cleaned_data["accepts_earlier_ends"]
        try:
            services.update_schedule(user=request.user, schedule=schedule, request=wish, accepts_earlier_ends=accepts)
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
            more["ends"] = earlier_ends(
                schedule, kept_days=wish.kept_days, kept_days_by_region=wish.kept_days_by_region
            )
        else:
            messages.success(request, "Saved.")
            return redirect(schedule)
    return editor.page(form, status=422, **more)


@needs(Privilege.BACKUP_MANAGE)
@require_GET
def schedule_preview(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """The next runs and the monthly cost of the form as it is filled in now."""
    editor = _Editor(request, _find_cluster(request, code))
    context = {"cluster": editor.cluster} | editor.preview(editor.form(request.GET))
    return render(request, "jobs/_schedule_preview.html", context)


@needs(Privilege.BACKUP_MANAGE)
@require_POST
def schedule_switch(request: HtmxHttpRequest, code: str) -> HttpResponse:
    schedule = _find_schedule(request, code)
    is_enabled = request.POST.get("is_enabled") == "on"
    try:
        run = services.set_enabled(user=request.user, schedule=schedule, is_enabled=is_enabled)
    except Refused as refusal:
        messages.error(request, f"{schedule} could not be switched on. {refusal}")
    else:
        at_once = " A backup was queued at once." if run else ""
        messages.success(request, f"{schedule} is switched {'on' if is_enabled else 'off'}.{at_once}")
    return redirect("jobs:schedule-list", schedule.cluster.code)


@needs(Privilege.BACKUP_MANAGE)
@require_http_methods(["GET", "POST"])
def schedule_delete(request: HtmxHttpRequest, code: str) -> HttpResponse:
    schedule = _find_schedule(request, code)
    if request.method == "POST":
        services.delete_schedule(user=request.user, schedule=schedule)
        messages.success(request, f"The schedule {schedule} was deleted. What it made stays as long as it was to stay.")
        return redirect("jobs:schedule-list", schedule.cluster.code)
    context = {"schedule": schedule, "cluster": schedule.cluster}
    return render(request, "jobs/schedule_delete.html", context)
