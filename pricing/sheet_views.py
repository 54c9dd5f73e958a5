"""An organization's own price sheets: entered on a page or from a file, exported, and withdrawn until they begin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.guard import ORGANIZATION, find, needs
from accounts.http import HtmxHttpRequest
from accounts.models import Organization
from accounts.privileges import MEMBERSHIP, Privilege
from pricing import services
from pricing.csv_files import FileRefused, ReadSheet, read_sheets, write_sheets
from pricing.errors import PricesRefused, SheetRefused
from pricing.models import PriceSheet
from pricing.regions import RegionChoice, region_choices
from pricing.sheet_forms import EMPTY_LINES, ImportForm, LineFormSet, PriceLines, SheetForm, line_values, places_of

MANAGE = needs(Privilege.BILLING_MANAGE, of=ORGANIZATION)


@MANAGE
@require_http_methods(["GET", "POST"])
def sheet_create(request: HtmxHttpRequest, organization: str, provider: str) -> HttpResponse:
    """Enter the prices of one provider, beginning with those in force today."""
    owner = find(Organization.objects.all(), request, code=organization)
    regions = [region for region in region_choices() if region.provider == provider]
    if not regions:
        raise Http404
    if request.method == "GET":
        return _show_sheet(request, owner, regions, *_forms_of_today(owner, regions))
    form = SheetForm(request.POST)
    lines = LineFormSet(request.POST, form_kwargs={"places": places_of(provider, regions)})
    if "more" in request.POST:
        return _show_sheet(request, owner, regions, *_with_more_lines(request, regions))
    if form.is_valid() and lines.is_valid():
        try:
            [sheet] = services.add_sheets(
                user=request.user,
                organization=owner,
                drafts=[form.draft_with(provider, lines)],
                today=timezone.localdate(),
            )
        except PricesRefused as refusal:
            lines.add_refusal(form, refusal)
        else:
            messages.success(
                request, f"{sheet.name} prices {regions[0].provider_name} from {sheet.valid_from:%-d %B %Y} on."
            )
            return redirect(_list_url(owner))
    return _show_sheet(request, owner, regions, form, lines, status=422)


def _forms_of_today(owner: Organization, regions: list[RegionChoice]) -> tuple[SheetForm, PriceLines]:
    provider, today = regions[0].provider, timezone.localdate()
    sheet = PriceSheet.objects.with_prices().valid_on(today, provider, owner.pk)
    known = line_values(services.draft_of(sheet).lines) if sheet else []
    initial: dict[str, Any] = {"valid_from": today + timedelta(days=1)}
    if sheet:
        initial |= {"currency": sheet.currency, "unit": sheet.unit}
    form = SheetForm(initial=initial)
    return form, _lines(known, regions)


def _with_more_lines(request: HtmxHttpRequest, regions: list[RegionChoice]) -> tuple[SheetForm, PriceLines]:
    """What was typed so far, with empty lines after it; nothing is checked yet."""
    typed = LineFormSet(request.POST, form_kwargs={"places": []})
    values = [{name: form[name].value() or "" for name in form.fields} for form in typed.forms]
    filled = [value for value in values if any(value.values())]
    form = SheetForm(initial={name: request.POST.get(name, "") for name in SheetForm.base_fields})
    return form, _lines(filled, regions)


def _lines(values: list[dict[str, Any]], regions: list[RegionChoice]) -> PriceLines:
    lines = LineFormSet(initial=values, form_kwargs={"places": places_of(regions[0].provider, regions)})
    lines.extra = EMPTY_LINES
    return lines


def _show_sheet(
    request: HtmxHttpRequest,
    owner: Organization,
    regions: list[RegionChoice],
    form: SheetForm,
    lines: PriceLines,
    status: int = 200,
) -> HttpResponse:
    context = {
        "organization": owner,
        "provider_name": regions[0].provider_name,
        "form": form,
        "lines": lines,
        "list_url": _list_url(owner),
    }
    return render(request, "pricing/sheet_create.html", context, status=status)


@MANAGE
@require_http_methods(["GET", "POST"])
def sheet_import(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    """Add every sheet of a CSV file, or none and every mistake with its line."""
    owner = find(Organization.objects.all(), request, code=organization)
    form = ImportForm(request.POST or None, request.FILES or None)
    mistakes: list[str] = []
    if request.method == "POST" and form.is_valid():
        try:
            read = read_sheets(form.cleaned_data["file"])
            mistakes = _add_read(request, owner, read)
        except FileRefused as refusal:
            mistakes = refusal.mistakes
        if not mistakes:
            messages.success(request, f"{len(read)} price sheet{'' if len(read) == 1 else 's'} added.")
            return redirect(_list_url(owner))
    context = {"organization": owner, "form": form, "mistakes": mistakes, "list_url": _list_url(owner)}
    status = 200 if request.method == "GET" else 422
    return render(request, "pricing/sheet_import.html", context, status=status)


def _add_read(request: HtmxHttpRequest, owner: Organization, read: list[ReadSheet]) -> list[str]:
    """The mistakes of sheets that were refused, each with its line of the file; empty once they are stored."""
    drafts = [sheet.draft for sheet in read]
    try:
        services.add_sheets(user=request.user, organization=owner, drafts=drafts, today=timezone.localdate())
    except PricesRefused as refusal:
        return [
            f"Line {read[number].line_numbers[mistake.line or 0]}: {mistake.sentence}"
            for number, mistake in refusal.found
        ]
    return []


@needs(MEMBERSHIP, of=ORGANIZATION)
@require_GET
def sheet_export(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    """Every sheet that prices a day for the organization, in the form that the import reads."""
    owner = find(Organization.objects.all(), request, code=organization)
    sheets = PriceSheet.objects.of(owner.pk).filter(is_default=True).with_prices()
    text = write_sheets(services.draft_of(sheet) for sheet in sheets)
    return HttpResponse(
        text,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="prices-{timezone.localdate():%Y-%m-%d}.csv"'},
    )


@MANAGE
@require_POST
def sheet_withdraw(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Delete a sheet that has not begun yet."""
    sheet = find(PriceSheet.objects.all(), request, code=code)
    try:
        services.withdraw_sheet(user=request.user, sheet=sheet, today=timezone.localdate())
    except SheetRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{sheet.name} was withdrawn.")
    return redirect("pricing:price-list")


def _list_url(owner: Organization) -> str:
    return f"{reverse('pricing:price-list')}?organization={owner.code}"
