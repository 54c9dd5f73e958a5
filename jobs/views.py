"""The jobs list, one job, and what can be done to it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.access import find, has
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from backups.models import Backup, Copy

from . import services
from .check_services import why_not_repaired_now
from .errors import JobRefused
from .forms import JobFilterForm
from .models import Job
from .savings import savings_of
from .states import CHECKS, JobState, JobType
from .waiting import why_waiting
from .wording import describe_saving

PAGE_SIZE = 50


def _find_job(request: HtmxHttpRequest, code: str) -> Job:
    return find(Job.objects.for_row(), request.user, Privilege.BACKUP_VIEW, code=code)


def _list_context(request: HtmxHttpRequest) -> dict[str, Any]:
    form = JobFilterForm(request.GET or None, user=request.user)
    jobs = Job.objects.visible_to(request.user).for_list()
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
    page = Paginator(jobs, PAGE_SIZE).get_page(request.GET.get("page"))
    everything = [job for parent in page for job in (parent, *parent.children.all())]
    query = request.GET.copy()
    query.pop("page", None)
    return {
        "form": form,
        "page": page,
        "is_live": any(job.is_active for job in everything),
        "is_filtered": bool(query),
        "query": query.urlencode(),
    }


@login_required
@require_GET
def job_list(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "jobs/job_list.html", _list_context(request))


@login_required
@require_GET
def job_table(request: HtmxHttpRequest) -> HttpResponse:
    """The table of the jobs list alone; it asks for itself again while anything in it is running."""
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
        "is_live": job.is_active or any(copy.is_active for copy in copies),
        "may_cancel": may_manage and job.is_cancelable,
        "may_repair": may_manage and job.type in CHECKS and not why_not_repaired_now(job.copy),
        "may_retry": may_manage and job.type == JobType.COPY and job.copy.may_be_made_again,
    }


def _saving(job: Job) -> str:
    [copy] = Copy.objects.filter(pk=job.copy_id).select_related("region", "source_region", "backup__cluster__region")
    saving = savings_of([copy], on=timezone.now().date()).get(copy.pk)
    return describe_saving(saving.sent_bytes, saving.saved_bytes, saving.amount) if saving else ""


@login_required
@require_GET
def job_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    return render(request, "jobs/job_detail.html", _detail_context(request, _find_job(request, code)))


@login_required
@require_GET
def job_progress(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """What changes while a job runs; it asks for itself again until the job and its copies have ended."""
    return render(request, "jobs/_job_progress.html", _detail_context(request, _find_job(request, code)))


@login_required
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


@login_required
@require_POST
def copy_retry(request: HtmxHttpRequest, code: str, region: str) -> HttpResponse:
    """Make one copy of a backup again that failed, was canceled or is damaged."""
    backup = find(Backup.objects.existing(), request.user, Privilege.BACKUP_MANAGE, code=code)
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
