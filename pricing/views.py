"""The calculator and the price list. Both only read, and every signed-in person may see them."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET
from django_htmx.http import replace_url

from accounts.access import organizations_of, privileges_in_organization
from accounts.guard import signed_in
from accounts.http import HtmxHttpRequest
from accounts.models import Organization
from accounts.privileges import Privilege
from pricing.allowances import allowances_from
from pricing.calculator import estimate
from pricing.forms import DOCUMENTATION_EXAMPLE, CalculatorForm
from pricing.models import PriceSheet
from pricing.regions import region_choices, target_groups
from pricing.services import rates_for
from pricing.usage import day_of


@signed_in
@require_GET
def calculator(request: HtmxHttpRequest) -> HttpResponse:
    form = CalculatorForm(request.GET or None, regions=region_choices())
    context = _context(request, form) | {"example_url": _example_url(form)}
    return render(request, "pricing/calculator.html", context, status=_status(form))


@signed_in
@require_GET
def calculator_result(request: HtmxHttpRequest) -> HttpResponse:
    form = CalculatorForm(request.GET, regions=region_choices())
    response = render(request, "pricing/_calculator_result.html", _context(request, form), status=_status(form))
    # The address bar keeps up with the form, so that a reload or a shared link shows the same estimate.
    return replace_url(response, f"{reverse('pricing:calculator')}?{request.GET.urlencode()}")


@signed_in
@require_GET
def price_list(request: HtmxHttpRequest) -> HttpResponse:
    organization = _chosen_organization(request)
    pk = organization.pk if organization else None
    today = timezone.localdate()
    sheets = list(PriceSheet.objects.of(pk).with_prices().with_in_force(today, pk))
    # Providers that have regions come first, so that one without any sheet is seen to lack it.
    regions = region_choices()
    names = {region.provider: region.provider_name for region in regions}
    with_regions = set(names)
    names |= {sheet.provider: sheet.provider for sheet in sheets if sheet.provider not in names}
    providers = [
        (code, name, [sheet for sheet in sheets if sheet.provider == code], code in with_regions)
        for code, name in names.items()
    ]
    context = {
        "organizations": organizations_of(request.user),
        "organization": organization,
        "may_manage": organization is not None
        and Privilege.BILLING_MANAGE in privileges_in_organization(request.user, organization),
        "allowances": allowances_from(organization.pk, day_of(timezone.now())) if organization else [],
        "providers": providers,
        "today": today,
    }
    return render(request, "pricing/price_list.html", context)


def _chosen_organization(request: HtmxHttpRequest) -> Organization | None:
    """The one named in the address, else the first that the person belongs to; 404 for somebody else's."""
    mine = organizations_of(request.user).order_by("name", "pk")
    code = request.GET.get("organization")
    return get_object_or_404(mine, code=code) if code else mine.first()


def _context(request: HtmxHttpRequest, form: CalculatorForm) -> dict[str, Any]:
    """The boxes to tick with their prices, and the estimate: None until the form is filled in without a mistake."""
    source = form.shown_source
    if source is None:
        return {"form": form, "source": None, "estimate": None}
    payer = organizations_of(request.user).order_by("name", "pk").first()
    rates = rates_for(source.provider, timezone.localdate(), payer.pk if payer else None)
    context = {
        "form": form,
        "source": source,
        "target_groups": target_groups(source, list(form.regions.values()), rates),
        "ticked": form["targets"].value() or [],
        "estimate": None,
    }
    if form.is_valid():
        quote = estimate(
            form.size_bytes,
            source=source.place,
            targets=[region.place for region in form.target_regions],
            days=form.days,
            rates=rates,
            include_original=form.cleaned_data["include_original"],
        )
        context |= {"estimate": quote, "lines": [(form.regions[line.region], line) for line in quote.lines]}
    return context


def _example_url(form: CalculatorForm) -> str | None:
    """The calculator filled in with the documentation's example, if its regions exist here."""
    needed = {DOCUMENTATION_EXAMPLE["source"], *DOCUMENTATION_EXAMPLE["targets"]}
    if not needed <= form.regions.keys():
        return None
    return f"{reverse('pricing:calculator')}?{urlencode(DOCUMENTATION_EXAMPLE, doseq=True)}"


def _status(form: CalculatorForm) -> int:
    return 422 if form.errors else 200
