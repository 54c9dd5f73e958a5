"""The kinds of schedules, and what can come of a due time."""

from django.db.models import TextChoices


class ScheduleKind(TextChoices):
    BASIC = "basic", "Days of the week"
    CRON = "cron", "Cron expression"


class RunCause(TextChoices):
    DUE = "due", "Due"
    ENABLED = "enabled", "Switched on"  # R11


class RunState(TextChoices):
    STARTED = "started", "Started"
    MISSED = "missed", "Missed"
