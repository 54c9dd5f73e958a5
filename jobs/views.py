"""The jobs list, one job, and what can be done to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import reswap

from accounts.access import has, project_numbers_with
from accounts.guard import find, needs, signed_in
from accounts.http import HtmxHttpRequest
from accounts.newest import Page, Place
from accounts.privileges import Privilege
from backups.models import Backup, Copy

from . import services
from .check_services import why_not_repaired_now
from .errors import JobRefused
from .filter_form import JobFilterForm
from .history import attempts_of
from .listing import PLACE, Choice, find_families
from .models import Job
from .polling import changed_since, note_seen, poll_seconds
from .savings import savings_of
from .states import CHECKS, HELD, JobState, JobType
from .throughput import stretches_of, throughput_figure
from .waiting import why_waiting
from .wording import describe_next_step, describe_saving

PAGE_SIZE = 50
THROUGHPUT_SECONDS = 10
"""A chart is looked at longer than a number, and drawn anew it loses what the pointer told."""
PLACES = ("before", "after")


def _find_job(request: HtmxHttpRequest, code: str) -> Job:
    return find(Job.objects.for_row(), request, code=code)


def _filters(request: HtmxHttpRequest) -> QueryDict:
    """What of the address chooses jobs, rather than a page of them."""
    filters = request.GET.copy()
    for name in (*PLACES, "seen"):
        filters.pop(name, None)
    for name in [name for name in filters if not filters[name]]:
        del filters[name]
    return filters


def _place(projects: Sequence[int], code: str | None) -> Place | None:
    """Where the family of the job `code` stands; None if it is not among those that may be seen."""
    if not code:
        return None
    rows = Job.objects.filter(code=code, project__in=projects).with_family().values_list(*PLACE)
    found = rows.first()
    return Place(*found) if found else None


def _shown_page(request: HtmxHttpRequest, projects: Sequence[int], choice: Choice) -> Page:
    """The page that the address names by its neighbour: it stays where it is, whatever is asked for meanwhile."""
    before, after = (_place(projects, request.GET.get(name)) for name in PLACES)
    return find_families(projects, choice, size=PAGE_SIZE, before=before, after=after)


def _list_context(request: HtmxHttpRequest) -> dict[str, Any]:
    projects, filters = project_numbers_with(request.user, Privilege.BACKUP_VIEW), _filters(request)
    form = JobFilterForm(filters, user=request.user, projects=projects)
    page = _shown_page(request, projects, form.choice)
    families = list(Job.objects.filter(pk__in=page.pks).for_list().order_by("-family_at", "-pk"))
    shown = {job.pk: job.state for parent in families for job in (parent, *parent.children.all())}
    return _poll_context(request, shown) | {
        "form": form,
        "families": families,
        "newer": families[0].code if families and page.has_newer else "",
        "older": families[-1].code if families and page.has_older else "",
    }


def _poll_context(request: HtmxHttpRequest, shown: dict[int, str]) -> dict[str, Any]:
    filters = _filters(request)
    query = filters.copy()
    for name in PLACES:
        if request.GET.get(name):
            query[name] = request.GET[name]
    return {
        "is_filtered": bool(filters),
        "is_first_page": not any(request.GET.get(name) for name in PLACES),
        "query": query.urlencode(),
        "poll_seconds": poll_seconds(shown.values()),
        "seen": note_seen(shown),
    }


def _news_context(request: HtmxHttpRequest) -> dict[str, Any] | None:
    """The rows that moved on the page that was seen, or None when it shows other jobs by now."""
    projects, filters = project_numbers_with(request.user, Privilege.BACKUP_VIEW), _filters(request)
    # The form costs a third of the whole answer, and most tabs choose nothing.
    choice = JobFilterForm(filters, user=request.user, projects=projects).choice if filters else Choice()
    page = _shown_page(request, projects, choice)
    shown = dict(Job.objects.in_families(page.pks).values_list("pk", "state"))
    changed = changed_since(request.GET["seen"], shown)
    if changed is None:
        return None
    moving = changed | {pk for pk, state in shown.items() if state in HELD}
    rows = {"jobs": Job.objects.for_row().filter(pk__in=moving), "is_changed": bool(changed), "is_update": True}
    return _poll_context(request, shown) | rows


@signed_in
@require_GET
def job_list(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "jobs/job_list.html", _list_context(request))


@signed_in
@require_GET
def job_table(request: HtmxHttpRequest) -> HttpResponse:
    """The table of the jobs list alone; it asks for itself again while anything in it is running.

    Told what was `seen`, it answers with the rows of the jobs at work and of those whose state has changed, as long as
    they are the same jobs: a page may hold hundreds of rows that have ended, and every open tab asks every second.
    """
    if "seen" in request.GET:
        news = _news_context(request)
        if news is not None:
            return reswap(render(request, "jobs/_job_rows_moving.html", news), "none")
    return render(request, "jobs/_job_table.html", _list_context(request))


def _detail_context(request: HtmxHttpRequest, job: Job) -> dict[str, Any]:
    may_manage = has(request.user, Privilege.BACKUP_MANAGE, job.project)
    copies = list(job.children.for_row().order_by("pk"))
    events = list(job.events.select_related("by"))
    return {
        "job": job,
        "events": events,
        "attempts": attempts_of(events),
        "next_step": describe_next_step(job.type, job.state),
        "copies": copies,
        "waits_for": why_waiting(job),
        "saving": _saving(job) if job.type == JobType.COPY and job.state == JobState.SUCCESSFUL else "",
        "poll_seconds": poll_seconds([job.state, *(copy.state for copy in copies)]),
        "may_cancel": may_manage and job.is_cancelable,
        "may_repair": may_manage and job.type in CHECKS and not why_not_repaired_now(job.copy),
        "may_retry": may_manage and job.type == JobType.COPY and job.copy.may_be_made_again,
    }


def _saving(job: Job) -> str:
    [copy] = Copy.objects.filter(pk=job.copy_id).for_facts()
    saving = savings_of([copy], on=timezone.now().date()).get(copy.pk)
    if saving is None:
        return ""
    return describe_saving(saving.sent_bytes, saving.saved_bytes, saving.amount, saving.currency)


@needs(Privilege.BACKUP_VIEW)
@require_GET
def job_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    job = _find_job(request, code)
    return render(request, "jobs/job_detail.html", _detail_context(request, job) | _throughput_context(job))


@needs(Privilege.BACKUP_VIEW)
@require_GET
def job_progress(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """What changes while a job runs; it asks for itself again until the job and its copies have ended."""
    return render(request, "jobs/_job_progress.html", _detail_context(request, _find_job(request, code)))


def _throughput_context(job: Job) -> dict[str, Any]:
    stretches = stretches_of(job.samples.all())
    return {
        "job": job,
        "stretches": stretches,
        "figure": throughput_figure(stretches) if stretches else None,
        "throughput_seconds": THROUGHPUT_SECONDS if job.is_active else None,
    }


@needs(Privilege.BACKUP_VIEW)
@require_GET
def job_throughput(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """How fast the job's bytes moved; it asks for itself again until the job has ended."""
    return render(request, "jobs/_job_throughput.html", _throughput_context(_find_job(request, code)))


@needs(Privilege.BACKUP_MANAGE)
@require_POST
def job_cancel(request: HtmxHttpRequest, code: str) -> HttpResponse:
    job = _find_job(request, code)
    try:
        services.cancel_job(user=request.user, job=job)
    except JobRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{job} is being canceled.")
    return redirect(job)


@needs(Privilege.BACKUP_MANAGE)
@require_POST
def copy_retry(request: HtmxHttpRequest, code: str, region: str) -> HttpResponse:
    """Make one copy of a backup again that failed, was canceled or is damaged."""
    backup = find(Backup.objects.existing(), request, code=code)
    copy = get_object_or_404(
        backup.copies.select_related("backup__project", "backup__cluster", "region"), region=region
    )
    try:
        again = services.retry_copy(user=request.user, copy=copy)
    except JobRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(backup)
    messages.success(request, f"The copy to {copy.region} is being made again.")
    return redirect(again)
