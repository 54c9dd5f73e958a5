"""The jobs list, one job, and what can be done to it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import reswap

from accounts.access import has
from accounts.guard import find, needs, signed_in
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from backups.models import Backup, Copy

from . import services
from .check_services import why_not_repaired_now
from .errors import JobRefused
from .forms import JobFilterForm
from .models import Job
from .polling import poll_seconds
from .querysets import JobQuerySet
from .savings import savings_of
from .states import CHECKS, HELD, JobState, JobType
from .waiting import why_waiting
from .wording import describe_saving

PAGE_SIZE = 50


def _find_job(request: HtmxHttpRequest, code: str) -> Job:
    return find(Job.objects.for_row(), request, code=code)


def _chosen_jobs(request: HtmxHttpRequest) -> tuple[JobFilterForm, JobQuerySet]:
    form = JobFilterForm(request.GET or None, user=request.user)
    jobs = Job.objects.visible_to(request.user).first_jobs()
    if form.is_valid():
        chosen = form.cleaned_data
        # An original stays in the list when one of its copies is what was looked for.
        for field in ("type", "state"):
            if chosen[field]:
                jobs = jobs.filter(Q(**{field: chosen[field]}) | Q(**{f"children__{field}": chosen[field]})).distinct()
        if chosen["cluster"]:
            jobs = jobs.filter(cluster=chosen["cluster"])
        if chosen["schedule"]:
            jobs = jobs.filter(schedule=chosen["schedule"])
    return form, jobs


def _list_context(request: HtmxHttpRequest) -> dict[str, Any]:
    form, jobs = _chosen_jobs(request)
    page = Paginator(jobs.for_list(), PAGE_SIZE).get_page(request.GET.get("page"))
    everything = [job for parent in page for job in (parent, *parent.children.all())]
    query = request.GET.copy()
    for name in ("page", "seen"):
        query.pop(name, None)
    return {
        "form": form,
        "page": page,
        "is_filtered": bool(query),
        "query": query.urlencode(),
        "poll_seconds": poll_seconds(everything),
        "seen": _mark((job.pk, job.state) for job in everything),
    }


def _mark(jobs: Iterable[tuple[int, str]]) -> str:
    """Equal for two looks at the list exactly when they show the same jobs in the same states."""
    return sha256(repr(sorted(jobs)).encode()).hexdigest()[:16]


def _moving_rows(request: HtmxHttpRequest) -> list[Job] | None:
    """The jobs at work on the page that was seen, or None when it shows others or other states by now."""
    _, jobs = _chosen_jobs(request)
    number = request.GET.get("page", "1")
    start = (int(number) - 1) * PAGE_SIZE if number.isdecimal() and number != "0" else 0
    shown = dict(jobs.values_list("pk", "state")[start : start + PAGE_SIZE])
    shown |= dict(Job.objects.filter(parent__in=list(shown)).values_list("pk", "state"))
    if _mark(shown.items()) != request.GET["seen"]:
        return None
    return list(Job.objects.for_row().filter(pk__in=[pk for pk, state in shown.items() if state in HELD]))


@signed_in
@require_GET
def job_list(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "jobs/job_list.html", _list_context(request))


@signed_in
@require_GET
def job_table(request: HtmxHttpRequest) -> HttpResponse:
    """The table of the jobs list alone; it asks for itself again while anything in it is running.

    Told what was `seen`, it answers with the rows of the jobs at work alone as long as nothing else has changed: a page
    may hold hundreds of rows that have ended, and every open tab asks every second.
    """
    if "seen" in request.GET:
        moving = _moving_rows(request)
        if moving is not None:
            rows = render(request, "jobs/_job_rows_moving.html", {"jobs": moving})
            return reswap(rows, "none")
    return render(request, "jobs/_job_table.html", _list_context(request))


def _detail_context(request: HtmxHttpRequest, job: Job) -> dict[str, Any]:
    may_manage = has(request.user, Privilege.BACKUP_MANAGE, job.project)
    copies = list(job.children.for_row().order_by("pk"))
    return {
        "job": job,
        "events": job.events.select_related("by"),
        "copies": copies,
        "waits_for": why_waiting(job),
        "saving": _saving(job) if job.type == JobType.COPY and job.state == JobState.SUCCESSFUL else "",
        "poll_seconds": poll_seconds([job, *copies]),
        "may_cancel": may_manage and job.is_cancelable,
        "may_repair": may_manage and job.type in CHECKS and not why_not_repaired_now(job.copy),
        "may_retry": may_manage and job.type == JobType.COPY and job.copy.may_be_made_again,
    }


def _saving(job: Job) -> str:
    [copy] = Copy.objects.filter(pk=job.copy_id).for_facts()
    saving = savings_of([copy], on=timezone.now().date()).get(copy.pk)
    return describe_saving(saving.sent_bytes, saving.saved_bytes, saving.amount) if saving else ""


@needs(Privilege.BACKUP_VIEW)
@require_GET
def job_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    return render(request, "jobs/job_detail.html", _detail_context(request, _find_job(request, code)))


@needs(Privilege.BACKUP_VIEW)
@require_GET
def job_progress(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """What changes while a job runs; it asks for itself again until the job and its copies have ended."""
    return render(request, "jobs/_job_progress.html", _detail_context(request, _find_job(request, code)))


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
