"""The page on which an organization says how much of its transfer is free in each month."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.guard import ORGANIZATION, find, needs
from accounts.http import HtmxHttpRequest
from accounts.models import Organization
from accounts.privileges import Privilege
from pricing.allowances import MOST, allowances_from, months_to_choose, set_allowance
from pricing.currencies import CURRENCIES, USD
from pricing.errors import AllowanceRefused
from pricing.formatting import format_money
from pricing.usage import day_of


class AllowanceForm(forms.Form):
    """Valid data is ready for `set_allowance`."""

    amount = forms.DecimalField(
        label="Free in each month",
        help_text="Of what transfer between regions costs. 0 ends an allowance.",
        min_value=0,
        max_value=MOST,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    currency = forms.ChoiceField(
        label="Currency",
        choices=[(code, f"{code}, {name}") for code, name in CURRENCIES.items()],
        initial=USD,
        help_text="Only transfer that is priced in this currency is free.",
    )
    month = forms.TypedChoiceField(label="From", coerce=date.fromisoformat)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        months = [(month.isoformat(), f"{month:%B %Y}") for month in months_to_choose(today)]
        cast(forms.ChoiceField, self.fields["month"]).choices = months


@needs(Privilege.BILLING_MANAGE, of=ORGANIZATION)
@require_http_methods(["GET", "POST"])
def allowance(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    """What is free from which month on, and a form that adds to it or changes what has not ended yet."""
    owner = find(Organization.objects.all(), request, code=organization)
    today = day_of(timezone.now())
    form = AllowanceForm(request.POST or None, today=today)
    list_url = f"{reverse('pricing:price-list')}?organization={owner.code}"
    if request.method == "POST" and form.is_valid():
        try:
            made = set_allowance(user=request.user, organization=owner, today=today, **form.cleaned_data)
        except AllowanceRefused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            free = format_money(made.amount, made.currency) if made.amount else "no"
            messages.success(request, f"From {made.month:%B %Y} on, {free} transfer is free in each month.")
            return redirect(list_url)
    known = allowances_from(owner.pk, today)
    context = {"organization": owner, "form": form, "allowances": known, "list_url": list_url}
    status = 422 if request.method == "POST" else 200
    return render(request, "pricing/allowance.html", context, status=status)
