"""How schedules and their times read on the screen."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django import template

from jobs.models import Schedule
from jobs.schedule_wording import describe_pace, describe_rule
from jobs.schedules import RuleInvalid

register = template.Library()

register.filter("pace", describe_pace)


@register.filter
def when(schedule: Schedule) -> str:
    try:
        return describe_rule(schedule.rule)
    except RuleInvalid as invalid:
        return str(invalid)


@register.filter
def on_clock(moment: datetime, zone: str) -> str:
    """ "Tue 2026-11-24 01:17 CET": what the clock there shows."""
    try:
        return f"{moment.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M %Z}"
    except (KeyError, ValueError):
        return f"{moment:%a %Y-%m-%d %H:%M} UTC"
