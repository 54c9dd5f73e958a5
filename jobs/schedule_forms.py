"""The shape and wording of input about schedules; the rules behind it live in the services."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import time
from typing import Any

from django import forms

from clusters.models import Cluster, Region

from .forms import SEPARATOR, BackupForm
from .models import Schedule
from .schedule_services import MAX_NAME_LENGTH, ScheduleRequest
from .schedule_states import ScheduleKind
from .schedule_wording import describe_window
from .schedules import WEEKDAYS, zone_names

# By whole hours, as people speak of their nights.
WINDOWS = [(f"{hour:02}:00", describe_window(time(hour))) for hour in range(24)]
# What says when; the rest says what, where to and for how long.
_RULE_FIELDS = ("kind", "days", "window_start", "cron", "time_zone")
_IN_HIDDEN_PARTS = ("days", "window_start", "cron", "kept_days")
DEFAULT_KEPT_DAYS, DEFAULT_WINDOW = 7, "01:00"


class _OfAHiddenPart(forms.BoundField):
    """A field of a part that scripts hide, and then do not send: it comes back as it was shown first, not empty."""

    def value(self) -> Any:
        was_sent = self.html_name in self.form.data
        # No box ticked and no box shown look alike, but only the other kind of rule hides the days.
        was_shown = was_sent or (self.name == "days" and self.form.data.get("kind") != ScheduleKind.CRON)
        return super().value() if was_shown or not self.form.is_bound else self.initial


class ScheduleForm(BackupForm):
    """When, what, where to and for how long. What belongs to the other kind of rule is not looked at."""

    name = forms.CharField(max_length=MAX_NAME_LENGTH)
    kind = forms.ChoiceField(
        choices=ScheduleKind.choices, initial=ScheduleKind.BASIC, widget=forms.RadioSelect, label="When"
    )
    days = forms.TypedMultipleChoiceField(
        choices=list(WEEKDAYS.items()),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        label="Days",
        error_messages={"required": "Choose at least one day of the week."},
    )
    window_start = forms.TypedChoiceField(
        choices=WINDOWS,
        coerce=time.fromisoformat,
        empty_value=None,
        label="Start between",
        error_messages={"required": "Choose when the window begins."},
    )
    cron = forms.CharField(
        max_length=100,
        label="Cron expression",
        error_messages={"required": "Write when, for example 30 2 * * 1-5."},
        help_text="Minute, hour, day of month, month, day of week (0 is Sunday). 30 2 * * 1-5 is 2:30 from Monday to "
        "Friday.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    time_zone = forms.ChoiceField(label="Time zone")
    is_enabled = forms.BooleanField(required=False, initial=True, label="Switched on")
    accepts_earlier_ends = forms.BooleanField(required=False, label="End these copies earlier")

    # What one choice asks for is not asked for by the other, so the browser cannot know what is required.
    use_required_attribute = False

    def __init__(
        self,
        *args: Any,
        collections: Sequence[tuple[str, str]],
        cluster: Cluster,
        regions: Collection[Region],
        **kwargs: Any,
    ) -> None:
        """`regions` are those that `cluster` may be copied to; each has a field for how long copies stay there."""
        super().__init__(*args, collections=collections, **kwargs)
        self.longest = cluster.project.organization.max_retention_days
        self.fields["time_zone"].choices = [(name, name.replace("_", " ")) for name in zone_names()]  # type: ignore[attr-defined]
        self.fields["kept_days"] = self._retention("Keep the original in", cluster.region)
        for region in regions:
            self.fields[f"kept-{region.code}"] = self._retention("Keep copies in", region)
        for field_name, field in self.fields.items():
            if field_name in _IN_HIDDEN_PARTS or field_name.startswith("kept-"):
                field.bound_field_class = _OfAHiddenPart
        if self.is_bound:
            is_cron = self.data.get("kind") == ScheduleKind.CRON
            self.fields["cron"].required = is_cron
            self.fields["days"].required = self.fields["window_start"].required = not is_cron
            ticked = self.fields["regions"].widget.value_from_datadict(self.data, self.files, "regions") or ()
            for region in regions:
                self.fields[f"kept-{region.code}"].required = region.code in ticked

    def _retention(self, label: str, region: Region) -> forms.IntegerField:
        return forms.IntegerField(
            min_value=1,
            max_value=self.longest,
            initial=min(DEFAULT_KEPT_DAYS, self.longest),
            label=f"{label} {region.city}, days",
            help_text=f"1 to {self.longest}",
            error_messages={"required": f"Say for how many days it stays in {region.city}."},
        )

    @property
    def has_rule(self) -> bool:
        """Whether the parts that say when are filled in well enough to be read; call it after `is_valid`."""
        return not any(name in self.errors for name in _RULE_FIELDS)

    @property
    def has_price(self) -> bool:
        """Whether everything that a price depends on is filled in well enough; call it after `is_valid`."""
        return not set(self.errors) - {"name", "accepts_earlier_ends"}

    def request(self) -> ScheduleRequest:
        """What was asked for, as far as it could be read; its rules are checked by the service."""
        data = self.cleaned_data
        return ScheduleRequest(
            name=data.get("name", ""),
            kind=ScheduleKind(data["kind"]),
            time_zone=data["time_zone"],
            kept_days=data.get("kept_days") or 0,
            days=frozenset(data["days"]),
            window_start=data["window_start"],
            cron=data["cron"],
            collections=self.chosen_collections if "collections" in data and "scope" in data else None,
            kept_days_by_region={
                region.code: data.get(f"kept-{region.code}") or 0 for region in data.get("regions") or ()
            },
        )

    def as_typed(self) -> dict[str, Any]:
        """What was sent, to be shown again without anybody's verdict."""
        return {name: self[name].value() for name in self.fields}


def initial_of(schedule: Schedule) -> dict[str, Any]:
    """A schedule as the form shows it."""
    targets: Mapping[str, int] = dict(schedule.targets.values_list("region", "kept_days"))
    return {
        "name": schedule.name,
        "kind": schedule.kind,
        # Of a cron expression, what the other kind begins with when somebody turns to it.
        "days": sorted(schedule.day_numbers) or list(WEEKDAYS),
        "window_start": f"{schedule.window_start:%H:%M}" if schedule.window_start else DEFAULT_WINDOW,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "scope": schedule.scope,
        "collections": [SEPARATOR.join(pair) for pair in schedule.chosen_collections or ()],
        "copy": bool(targets),
        "regions": list(targets),
        "kept_days": schedule.kept_days,
    } | {f"kept-{code}": kept_days for code, kept_days in targets.items()}
