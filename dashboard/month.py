"""What this calendar month (UTC) costs: so far, and until its end if what lies in the regions now stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from accounts.models import Project
from pricing.allowances import discounts_between
from pricing.amounts import Amounts
from pricing.charges import charges_between, charges_to_come, month_of
from pricing.usage import day_of


@dataclass(frozen=True)
class MonthCosts:
    """Sums for each currency of what has a price; lower bounds unless `is_complete`."""

    so_far: Amounts
    forecast: Amounts
    ends_on: date
    """The last day of the month."""

    @property
    def is_complete(self) -> bool:
        return self.so_far.is_complete and self.forecast.is_complete


def costs_of_month(projects: Iterable[Project], *, now: datetime) -> MonthCosts:
    """What `projects` cost in the month of `now`; a constant number of queries for each organization.

    The allowance of an organization belongs to all of its projects together: it counts when all of them are asked for.
    """
    today = day_of(now)
    first, last = month_of(today)
    codes: dict[int, set[str]] = defaultdict(set)
    for project in projects:
        codes[project.organization_id].add(project.code)
    so_far, to_come = Amounts(), Amounts()
    for organization_id, chosen in sorted(codes.items()):
        for charge in charges_between(organization_id, first, last, projects=chosen, per_day=False, today=today):
            so_far.add(charge.priced)
        for charge in charges_to_come(organization_id, last, projects=chosen, today=today):
            to_come.add(charge.priced)
        if not Project.objects.filter(organization=organization_id).exclude(code__in=chosen).exists():
            for discount in discounts_between(organization_id, first, last, today=today):
                so_far.add_amount(-discount.amount, discount.currency)
    forecast = Amounts()
    forecast.add_all(so_far)
    forecast.add_all(to_come)
    return MonthCosts(so_far, forecast, last)
