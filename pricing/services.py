"""Stored price sheets: as the rates that the calculator reckons with, and how new ones come to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from django.db import transaction

from accounts.access import require_in_organization
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.models import Organization, User
from accounts.privileges import Privilege
from pricing.calculator import Area, LineKind, Rates, Scope
from pricing.currencies import USD, SizeUnit
from pricing.drafts import Mistake, PriceLine, SheetDraft, find_changed_prices, find_mistakes
from pricing.errors import PricesRefused, SheetRefused
from pricing.models import PriceSheet, StoragePrice, TransferPrice
from pricing.regions import region_choices

MOST_DIFFERENCES_NAMED = 3


def rates_for(provider: str, on: date, organization_id: int | None = None) -> Rates:
    """The provider's rates on that day as an organization pays them, in three queries.

    Rates without any price if no sheet is valid yet.
    """
    sheet = PriceSheet.objects.with_prices().valid_on(on, provider, organization_id)
    if sheet is None:
        return Rates(provider=provider, currency=USD, source="", valid_from=None)
    return rates_of(sheet)


def rates_of(sheet: PriceSheet) -> Rates:
    """The prices of `sheet`, which comes from `with_prices()`; no query."""
    return replace(draft_of(sheet).rates, sheet=sheet.code)


def draft_of(sheet: PriceSheet) -> SheetDraft:
    """What is in `sheet`, which comes from `with_prices()`; no query."""
    storage = (
        PriceLine(LineKind.STORAGE, Area(Scope.ANY), _area_of_region(price.region), price.price_per_gb_month)
        for price in sheet.storage_prices.all()
    )
    transfer = (
        PriceLine(
            LineKind.TRANSFER,
            Area(Scope(price.source_kind), price.source),
            Area(Scope(price.target_kind), price.target),
            price.price_per_gb,
        )
        for price in sheet.transfer_prices.all()
    )
    return SheetDraft(
        provider=sheet.provider,
        name=sheet.name,
        valid_from=sheet.valid_from,
        currency=sheet.currency,
        source_note=sheet.source_note,
        lines=(*storage, *transfer),
        unit=SizeUnit(sheet.unit),
    )


@refusals_as(Action.PRICES_ADDED, of="organization")
@transaction.atomic
def add_sheets(
    *, user: User, organization: Organization, drafts: Sequence[SheetDraft], today: date
) -> list[PriceSheet]:
    """Store `drafts` as price sheets of `organization`; all of them or none.

    A sheet replaces the organization's own one that begins on the same day, which is kept and prices nothing.
    PrivilegeMissing without `billing: manage`; PricesRefused with every mistake, by draft and line, also where a sheet
    that begins today or earlier would change what a day that has begun was charged.
    """
    require_in_organization(user, Privilege.BILLING_MANAGE, organization)
    # Two people who add sheets at once would each not see what the other changes.
    Organization.objects.select_for_update().get(pk=organization.pk)
    regions = region_choices()
    found: list[tuple[int, Mistake]] = []
    for number, draft in enumerate(drafts):
        mistakes = find_mistakes(draft, regions=regions)
        mistakes += _clashes(draft, organization, drafts[:number])
        if not mistakes:
            mistakes += _rewritings(draft, organization, today=today)
        found += [(number, mistake) for mistake in mistakes]
    if found:
        raise PricesRefused(found)
    sheets = [_store(draft, organization) for draft in drafts]
    for sheet in sheets:
        details = {"provider": sheet.provider, "valid_from": sheet.valid_from}
        record(Action.PRICES_ADDED, user=user, target=sheet, details=details)
    return sheets


@refusals_as(Action.PRICES_WITHDRAWN, of="sheet")
@transaction.atomic
def withdraw_sheet(*, user: User, sheet: PriceSheet, today: date) -> None:
    """Delete a sheet that has not begun; SheetRefused for one that has, or that came with the site."""
    if sheet.organization is None:
        raise SheetRefused("This sheet came with the site and is kept. Add one of your own: it goes before it.")
    require_in_organization(user, Privilege.BILLING_MANAGE, sheet.organization)
    if sheet.valid_from <= today:
        raise SheetRefused("This sheet has priced days already, so it is kept. Add one that begins later.")
    record(Action.PRICES_WITHDRAWN, user=user, target=sheet, details={"valid_from": sheet.valid_from})
    sheet.delete()


def _clashes(draft: SheetDraft, organization: Organization, before: Sequence[SheetDraft]) -> list[Mistake]:
    found = []
    if PriceSheet.objects.filter(organization=organization, provider=draft.provider, name=draft.name.strip()).exists():
        found.append(Mistake(None, f"There is a sheet called {draft.name.strip()} for {draft.provider} already."))
    for other in before:
        if other.provider == draft.provider and other.valid_from == draft.valid_from:
            found.append(Mistake(None, f"{other.name} begins on the same day. Only one sheet can price a day."))
        if other.provider == draft.provider and other.name.strip() == draft.name.strip():
            found.append(Mistake(None, f"There are two sheets called {draft.name.strip()} for {draft.provider}."))
    return found


def _rewritings(draft: SheetDraft, organization: Organization, *, today: date) -> list[Mistake]:
    """A sheet may price days that have begun only where they had no price."""
    if draft.valid_from > today:
        return []
    begun = PriceSheet.objects.of(organization.pk).filter(
        provider=draft.provider, is_default=True, valid_from__gt=draft.valid_from, valid_from__lte=today
    )
    begins = sorted(begun.values_list("valid_from", "organization"))
    # From the organization's next own sheet on, that one prices the days, whatever this one says.
    ends = next((day for day, owner in begins if owner is not None), None)
    days = {draft.valid_from, *(day for day, _ in begins if ends is None or day < ends)}
    changed: dict[str, None] = {}
    regions = region_choices()
    for day in sorted(days):
        rates = rates_for(draft.provider, day, organization.pk)
        changed |= dict.fromkeys(find_changed_prices(rates, draft.rates, regions=regions))
    if not changed:
        return []
    named = " ".join(list(changed)[:MOST_DIFFERENCES_NAMED])
    more = len(changed) - MOST_DIFFERENCES_NAMED
    rest = f" So have {more:,} others." if more > 0 else ""
    tomorrow = today + timedelta(days=1)
    return [
        Mistake(
            None,
            "What was charged stays charged: a sheet that begins today or earlier can only add prices that were "
            f"missing. {named}{rest} To change them, let the sheet begin on {tomorrow:%Y-%m-%d} or later.",
        )
    ]


def _store(draft: SheetDraft, organization: Organization) -> PriceSheet:
    own = PriceSheet.objects.filter(organization=organization, provider=draft.provider)
    own.filter(valid_from=draft.valid_from, is_default=True).update(is_default=False)
    sheet = PriceSheet.objects.create(
        organization=organization,
        provider=draft.provider,
        name=draft.name.strip(),
        currency=draft.currency,
        unit=draft.unit,
        valid_from=draft.valid_from,
        source_note=draft.source_note.strip(),
        is_default=True,
    )
    StoragePrice.objects.bulk_create(
        StoragePrice(sheet=sheet, region=line.target.name, price_per_gb_month=line.price)
        for line in draft.lines
        if line.kind is LineKind.STORAGE
    )
    TransferPrice.objects.bulk_create(
        TransferPrice(
            sheet=sheet,
            source_kind=line.source.scope,
            source=line.source.name,
            target_kind=line.target.scope,
            target=line.target.name,
            price_per_gb=line.price,
        )
        for line in draft.lines
        if line.kind is LineKind.TRANSFER
    )
    return sheet


def _area_of_region(region: str) -> Area:
    return Area(Scope.REGION, region) if region else Area(Scope.ANY)
