"""Daily usage, and ours: a quote before anything is made."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Annotated, Any

from django.utils import timezone
from pydantic import Field

from accounts.access import organizations_of, projects_with
from accounts.guard import ANY_PROJECT
from accounts.http import HtmxHttpRequest
from accounts.privileges import Privilege
from pricing.amounts import Amounts
from pricing.calculator import Estimate, LineKind, estimate
from pricing.charges import Charge, charges_between
from pricing.regions import RegionChoice, region_choices
from pricing.services import rates_for

from .envelope import Model, Moment
from .errors import ApiRefused, Code
from .operation import OURS, Example, Operations
from .schemas import Id

LONGEST_RANGE = timedelta(days=62)
EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
COST_TYPE = {LineKind.STORAGE: "backup", LineKind.TRANSFER: "backup_transfer"}


class UsageQuery(Model):
    start: str = Field(max_length=40, examples=["2026-11-01"])
    end: str = Field(max_length=40, description="Up to and without this day.", examples=["2026-12-01"])


class UnitPrice(Model):
    unit_price: float | None


class UsageProperties(Model):
    project_id: str
    cluster_id: str
    region_id: str
    source_region_id: str | None = Field(description="Ours, for transfer.")
    cu_type: str | None = None


class UsageItem(Model):
    cost_type: str = Field(description="backup: storage of backups; backup_transfer (ours): sent to other regions.")
    quantity: float
    unit: str
    amount: float = Field(description="In the currency of the day's result; 0 while no price is set.")
    price: UnitPrice
    list_price: UnitPrice
    properties: UsageProperties


class UsageDay(Model):
    interval_start: Moment
    interval_end: Moment
    total: float
    currency: str
    is_complete: bool = Field(description="Ours: false if something used on this day has no price set.")
    items: list[UsageItem]


class UsageTotal(Model):
    amount: float
    currency: str


class Usage(Model):
    results: list[UsageDay] = Field(description="One for each day and currency.")
    total: float | None = Field(description="None if there is more than one currency.")
    totals: list[UsageTotal] = Field(description="Ours: one for each currency.")


class QuoteRequest(Model):
    size_bytes: Annotated[int, Field(ge=1, le=10**18)]
    region_id: Id
    target_region_ids: Annotated[list[Id], Field(max_length=100)] = Field(default_factory=list)
    days: Annotated[int, Field(ge=1, le=36_000)] = 30
    include_original: bool = False


class QuoteLine(Model):
    region_id: str
    kind: str
    quantity_gb: float
    unit_price: float | None
    days: int | None
    amount: float | None


class Quote(Model):
    total: float | None
    storage: float | None
    transfer: float | None
    is_complete: bool
    missing: list[str] = Field(description="One sentence for each price that is not set.")
    currency: str
    lines: list[QuoteLine]


def add_calls(calls: Operations) -> None:
    calls.add(
        "POST",
        "/usage/query",
        answers=Usage,
        tag="Usage",
        needs=Privilege.BILLING_VIEW,
        of=ANY_PROJECT,
        example=Example(body={"start": "2026-11-01", "end": "2026-12-01"}),
    )(query_usage)
    calls.add(
        "POST",
        "/backupsite/quote",
        answers=Quote,
        tag=OURS,
        example=Example(
            body={
                "sizeBytes": 20_000_000_000,
                "regionId": "gcp-us-west1",
                "targetRegionIds": ["gcp-us-east4", "gcp-europe-west3"],
                "days": 30,
            }
        ),
    )(make_quote)


def query_usage(request: HtmxHttpRequest, body: UsageQuery) -> dict[str, Any]:
    """What backups and their copies used on each day of a range of at most 62, in UTC."""
    first, end = _day(body.start), _last_day(body.end)
    if end <= first:
        raise ApiRefused(Code.BAD_RANGE, "end comes before start.")
    if end - first > LONGEST_RANGE:
        raise ApiRefused(Code.BAD_RANGE, f"A range has at most {LONGEST_RANGE.days} days.")
    charges = _charges(request, first, end - timedelta(days=1))
    by_day = sorted(charges, key=lambda charge: (charge.day, charge.currency))
    days = [
        _usage_day(day, currency, list(of_day))
        for (day, currency), of_day in groupby(by_day, key=lambda charge: (charge.day, charge.currency))
    ]
    total = Amounts.of(charge.priced for charge in charges)
    return {
        "results": days,
        "total": None if len(total.currencies) > 1 else float(total.only[0] if total.only else 0),
        "totals": [{"amount": float(amount), "currency": currency} for amount, currency in total],
    }


def _charges(request: HtmxHttpRequest, first: date, last: date) -> list[Charge]:
    projects: dict[int, list[str]] = {}
    for organization_id, code in projects_with(request.user, Privilege.BILLING_VIEW).values_list(
        "organization", "code"
    ):
        projects.setdefault(organization_id, []).append(code)
    return [
        charge
        for organization_id, codes in sorted(projects.items())
        for charge in charges_between(organization_id, first, last, projects=codes, by=("project", "cluster"))
    ]


def _usage_day(day: date, currency: str, charges: list[Charge]) -> dict[str, Any]:
    total = Amounts.of(charge.priced for charge in charges)
    return {
        "interval_start": _midnight(day),
        "interval_end": _midnight(day + timedelta(days=1)),
        "total": float(total.in_currency(currency)),
        "currency": currency,
        "is_complete": total.is_complete,
        "items": [_usage_item(charge) for charge in charges],
    }


def _usage_item(charge: Charge) -> dict[str, Any]:
    price = {"unit_price": _number(charge.unit_price)}
    return {
        "cost_type": COST_TYPE[charge.kind],
        "quantity": float(charge.quantity),
        "unit": f"{charge.unit}-month" if charge.kind is LineKind.STORAGE else charge.unit.value,
        "amount": float(charge.amount or 0),
        "price": price,
        "list_price": price,
        "properties": {
            "project_id": charge.project,
            "cluster_id": charge.cluster,
            "region_id": charge.region,
            "source_region_id": charge.source or None,
        },
    }


def make_quote(request: HtmxHttpRequest, body: QuoteRequest) -> dict[str, Any]:
    """What copies of so many bytes cost: kept for `days`, and sent once to each target region."""
    regions = {region.code: region for region in region_choices()}
    source = _known(regions, body.region_id)
    targets = [_known(regions, code) for code in body.target_region_ids]
    if forbidden := next((target for target in targets if target.code not in source.targets), None):
        raise ApiRefused(Code.BAD_REGION, f"Backups in {source.code} cannot be copied to {forbidden.code}.")
    if len(set(targets)) != len(targets):
        raise ApiRefused(Code.BAD_REGION, "A region is named twice.")
    payer = organizations_of(request.user).order_by("name", "pk").first()
    rates = rates_for(source.provider, timezone.localdate(), payer.pk if payer else None)
    found = estimate(
        body.size_bytes,
        source=source.place,
        targets=[target.place for target in targets],
        days=body.days,
        rates=rates,
        include_original=body.include_original,
    )
    return _quote_out(found)


def _quote_out(found: Estimate) -> dict[str, Any]:
    return {
        "total": _number(found.total),
        "storage": _number(found.storage_total),
        "transfer": _number(found.transfer_total),
        "is_complete": found.is_complete,
        "missing": list(found.missing),
        "currency": found.rates.currency,
        "lines": [
            {
                "region_id": line.region,
                "kind": line.kind.value,
                "quantity_gb": float(line.quantity),
                "unit_price": _number(line.unit_price),
                "days": line.days,
                "amount": _number(line.amount),
            }
            for line in found.lines
        ],
    }


def _known(regions: dict[str, RegionChoice], code: str) -> RegionChoice:
    if code not in regions:
        raise ApiRefused(Code.BAD_REGION, f"There is no region called {code[:60]}.")
    return regions[code]


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _day(text: str) -> date:
    """The day of "2026-11-01" or, in UTC, of "2026-11-01T00:00:00Z"."""
    try:
        if DAY.fullmatch(text):
            return _sane(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiRefused(Code.BAD_TIME, "A day is written 2026-11-01, a moment 2026-11-01T00:00:00Z.") from error
    if moment.tzinfo is None:
        raise ApiRefused(Code.BAD_TIME, "A moment needs its zone, such as 2026-11-01T00:00:00Z.")
    _sane(moment.date())
    return moment.astimezone(UTC).date()


def _sane(day: date) -> date:
    if not EARLIEST <= day <= LATEST:
        raise ApiRefused(Code.BAD_TIME, f"A day lies between {EARLIEST} and {LATEST}.")
    return day


def _last_day(text: str) -> date:
    """The first day after the range: a moment within a day means that this day is part of it."""
    day = _day(text)
    if DAY.fullmatch(text) or datetime.fromisoformat(text).astimezone(UTC).time() == datetime.min.time():
        return day
    return day + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
