"""The Workers page: who carries out jobs, on which machine, and what is in whose hands."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.guard import ANY_ORGANIZATION, needs
from accounts.http import HtmxHttpRequest
from accounts.models import User
from accounts.privileges import Privilege

from .models import Job, Worker
from .presence import code_version, regions_in, why_nothing_begins


def _worker_context(user: User) -> dict[str, Any]:
    """A few queries, however many workers there are. Of other organizations' jobs it tells only that there are some."""
    now = timezone.now()
    visible = set(Job.objects.visible_to(user).held().values_list("pk", flat=True))
    in_hand: dict[str, list[Job | None]] = {}
    for job in Job.objects.held().for_row():
        # A job is held by one thread of a worker: the last part of the name.
        in_hand.setdefault(job.worker.rpartition(":")[0], []).append(job if job.pk in visible else None)
    workers = list(Worker.objects.all())
    return {
        "rows": [(worker, regions_in(worker.queues), in_hand.get(worker.name, [])) for worker in workers],
        "trouble": why_nothing_begins(now),
        "our_version": code_version(),
    }


@needs(Privilege.CLUSTER_MANAGE, of=ANY_ORGANIZATION)
@require_GET
def worker_list(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "jobs/worker_list.html", _worker_context(request.user))


@needs(Privilege.CLUSTER_MANAGE, of=ANY_ORGANIZATION)
@require_GET
def worker_table(request: HtmxHttpRequest) -> HttpResponse:
    return render(request, "jobs/_worker_table.html", _worker_context(request.user))
