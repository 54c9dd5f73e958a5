"""The audit log, for whoever may read it: an organization's owners, and in their projects the project admins."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from .access import organizations_with, projects_with
from .audit_forms import AuditFilterForm
from .audit_querysets import AuditEntryQuerySet
from .csv_cells import safe_cell
from .guard import ANY_PROJECT, needs
from .http import HtmxHttpRequest
from .models import AuditEntry, Organization, Project
from .privileges import Privilege

PAGE_SIZE = 50
MOST_EXPORTED = 100_000
COLUMNS = (
    *("entry", "at", "project", "who", "key", "action", "outcome", "type", "code", "name"),
    *("reason", "address", "request", "details"),
)


@needs(Privilege.AUDIT_VIEW, of=ANY_PROJECT)
@require_GET
def audit_list(request: HtmxHttpRequest) -> HttpResponse:
    form = _form(request)
    page = _page(form.choose().for_list(), newer_than=request.GET.get("after"), older_than=request.GET.get("before"))
    query = request.GET.copy()
    for name in ("before", "after"):
        query.pop(name, None)
    context = page | {
        "form": form,
        "place": form.chosen_place,
        "query": query.urlencode(),
        "is_filtered": any(query.values()),
    }
    return render(request, "accounts/audit_list.html", context)


@needs(Privilege.AUDIT_VIEW, of=ANY_PROJECT)
@require_GET
def audit_csv(request: HtmxHttpRequest) -> StreamingHttpResponse:
    """What the filters choose, the newest first; of more than MOST_EXPORTED the last line says so."""
    form = _form(request)
    answer = StreamingHttpResponse(_lines(form.choose().for_list()), content_type="text/csv; charset=utf-8")
    name = f"audit-{form.chosen_place.code}-{timezone.now():%Y-%m-%d}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _form(request: HtmxHttpRequest) -> AuditFilterForm:
    places: dict[str, Organization | Project] = {}
    for organization in organizations_with(request.user, Privilege.AUDIT_VIEW).order_by("name", "pk"):
        places[organization.code] = organization
    for project in projects_with(request.user, Privilege.AUDIT_VIEW).order_by("name", "pk"):
        places[project.code] = project
    return AuditFilterForm(request.GET, places=places)


def _page(entries: AuditEntryQuerySet, *, newer_than: str | None, older_than: str | None) -> dict[str, Any]:
    """One page and where its neighbours begin. What is written meanwhile moves nothing from one page to another."""
    mark = AuditEntry.objects.filter(code=newer_than or older_than or "").first()
    if mark and newer_than:
        found = list(entries.newer_than(mark).order_by("at", "pk")[: PAGE_SIZE + 1])
        shown = found[:PAGE_SIZE][::-1]
        is_first, is_last = len(found) <= PAGE_SIZE, False
    else:
        found = list((entries.older_than(mark) if mark else entries)[: PAGE_SIZE + 1])
        shown = found[:PAGE_SIZE]
        is_first, is_last = mark is None, len(found) <= PAGE_SIZE
    return {
        "entries": shown,
        "newer": shown[0].code if shown and not is_first else "",
        "older": shown[-1].code if shown and not is_last else "",
    }


class _Echo:
    """What csv.writer writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def _lines(entries: AuditEntryQuerySet) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    # One more than is exported tells whether there is more.
    for number, entry in enumerate(entries[: MOST_EXPORTED + 1].iterator(chunk_size=2_000)):
        if number == MOST_EXPORTED:
            yield writer.writerow(
                [f"There are more than {MOST_EXPORTED:,} entries. Narrow the filters for the others."]
            )
            return
        yield writer.writerow([safe_cell(value) for value in _cells(entry)])


def _cells(entry: AuditEntry) -> tuple[object, ...]:
    return (
        entry.code,
        entry.at.isoformat(timespec="seconds"),
        entry.project.code if entry.project else "",
        entry.actor_name,
        f"{entry.key_name} ({entry.key_code})" if entry.key_code else "",
        entry.action,
        entry.outcome,
        entry.target_type,
        entry.target_code,
        entry.target_name,
        entry.reason,
        entry.address,
        entry.request_id,
        json.dumps(entry.details) if entry.details else "",
    )
