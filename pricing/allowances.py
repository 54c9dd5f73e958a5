"""What an organization need not pay of its transfer in each calendar month, as some providers grant it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.access import require_in_organization
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.models import Organization, User
from accounts.privileges import Privilege
from pricing.amounts import Amounts
from pricing.calculator import LineKind
from pricing.charges import charges_between, month_of
from pricing.currencies import CURRENCIES
from pricing.errors import AllowanceRefused
from pricing.ledger_models import TransferAllowance

MOST = Decimal(1_000_000)


@dataclass(frozen=True)
class Discount:
    """What is taken off the transfer of one month, or of a part of it."""

    month: date
    currency: str
    amount: Decimal


@refusals_as(Action.ALLOWANCE_SET, of="organization")
@transaction.atomic
def set_allowance(
    *, user: User, organization: Organization, month: date, amount: Decimal, currency: str, today: date
) -> TransferAllowance:
    """From `month` (its first day) on, so much of each month's transfer is free; 0 ends it.

    PrivilegeMissing without `billing: manage`; AllowanceRefused for a month that is over, which was charged already.
    """
    require_in_organization(user, Privilege.BILLING_MANAGE, organization)
    if not amount.is_finite() or not 0 <= amount <= MOST:
        raise AllowanceRefused(f"An allowance is an amount from 0 to {MOST:,}.", field="amount")
    if currency not in CURRENCIES:
        raise AllowanceRefused(f"There is no currency {currency}.", field="currency")
    if month.day != 1 or month < month_of(today)[0]:
        raise AllowanceRefused(
            f"What was charged stays charged: an allowance begins with {today:%B %Y} or a later month.", field="month"
        )
    allowance, _ = TransferAllowance.objects.update_or_create(
        organization=organization, month=month, defaults={"amount": amount, "currency": currency}
    )
    details = {"from": month, "amount": amount, "currency": currency}
    record(Action.ALLOWANCE_SET, user=user, target=organization, details=details)
    return allowance


def discounts_between(organization_id: int, first: date, last: date, *, today: date) -> list[Discount]:
    """What the allowance takes off the transfer that was charged from `first` to `last`, by month.

    The first bytes of a month are the free ones, so a period cut in two has in both parts together what it has as one.
    No more than two queries while there is no allowance.
    """
    allowances = list(TransferAllowance.objects.filter(organization=organization_id, month__lte=last).order_by("month"))
    if not any(allowance.amount for allowance in allowances):
        return []
    sent: dict[date, list[Amounts]] = defaultdict(lambda: [Amounts(), Amounts()])
    for charge in charges_between(organization_id, month_of(first)[0], last, today=today):
        if charge.kind is LineKind.TRANSFER:
            before, until = sent[month_of(charge.day)[0]]
            until.add(charge.priced)
            if charge.day < first:
                before.add(charge.priced)
    discounts = []
    for month, (before, until) in sorted(sent.items()):
        valid = next((found for found in reversed(allowances) if found.month <= month), None)
        if valid is None:
            continue
        used = [min(valid.amount, amounts.in_currency(valid.currency)) for amounts in (before, until)]
        if used[1] > used[0]:
            discounts.append(Discount(month, valid.currency, used[1] - used[0]))
    return discounts


def allowances_from(organization_id: int, today: date) -> list[TransferAllowance]:
    """The one that counts in the month of `today`, and those that begin later. One that has ended is not told."""
    month = month_of(today)[0]
    known = list(TransferAllowance.objects.filter(organization=organization_id).order_by("month"))
    begun = [allowance for allowance in known if allowance.month <= month][-1:]
    later = [allowance for allowance in known if allowance.month > month]
    return [*(allowance for allowance in begun if allowance.amount), *later]


def months_to_choose(today: date, *, count: int = 12) -> Iterator[date]:
    """The first days of this month and the following ones."""
    month = month_of(today)[0]
    for _ in range(count):
        yield month
        month = month_of(month)[1] + timedelta(days=1)
