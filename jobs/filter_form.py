"""The filters of the jobs list; they live in the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.http import QueryDict

from accounts.models import User
from clusters.models import Cluster, Region

from .listing import MOST_FOUND, Choice, Found, find_by_id
from .models import Schedule
from .states import JobState, JobType

_MINUTE = "%Y-%m-%dT%H:%M"
_TIMES = [_MINUTE, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"]
_NO_TIME = "That is no date and time, such as 2026-03-31 02:00."


class ScheduleChoiceField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.cluster}: {obj}"


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput({"type": "datetime-local"}, format=_MINUTE)
    return forms.DateTimeField(
        required=False, label=label, widget=widget, input_formats=_TIMES, error_messages={"invalid": _NO_TIME}
    )


def _gone(thing: str) -> dict[str, str]:
    return {"invalid_choice": f"There is no such {thing}, or you may not see it."}


class JobFilterForm(forms.Form):
    """What is sensible in it narrows the list; what is not does nothing, and its error says so."""

    q = forms.CharField(
        required=False,
        max_length=100,
        label="ID",
        widget=forms.TextInput({"type": "search", "placeholder": "job-… or backup…", "autocomplete": "off"}),
        validators=[RegexValidator(r"^[A-Za-z0-9_-]+\Z", "IDs are made of letters, digits, - and _.")],
    )
    cluster = forms.ModelChoiceField(
        Cluster.objects.none(),
        required=False,
        to_field_name="code",
        empty_label="Every cluster",
        error_messages=_gone("cluster"),
    )
    type = forms.ChoiceField(
        required=False,
        choices=[("", "Every type"), *JobType.choices],
        error_messages={"invalid_choice": "There is no such type of job."},
    )
    state = forms.ChoiceField(
        required=False,
        choices=[("", "Every state"), *JobState.choices],
        error_messages={"invalid_choice": "There is no such state."},
    )
    region = forms.ModelChoiceField(
        Region.objects.none(),
        required=False,
        label="Target region",
        empty_label="Every region",
        error_messages=_gone("region"),
    )
    schedule = ScheduleChoiceField(
        Schedule.objects.none(),
        required=False,
        to_field_name="code",
        empty_label="Every schedule",
        error_messages=_gone("schedule"),
    )
    since = _moment("From, UTC")
    until = _moment("To, UTC")

    def __init__(self, data: QueryDict, *, user: User, projects: Sequence[int]) -> None:
        """`projects` are those whose jobs `user` may see."""
        super().__init__(data)
        self._address = data
        self._projects = projects
        self._found: Found | None = None
        schedules = Schedule.objects.visible_to(user).select_related("cluster").order_by("cluster__name", "name")
        regions = Region.objects.filter(stores__organization__projects__in=projects).distinct()
        for name, rows in (("cluster", Cluster.objects.visible_to(user)), ("region", regions), ("schedule", schedules)):
            self.fields[name].queryset = rows  # type: ignore[attr-defined]

    def clean_q(self) -> str:
        # Ours are lower-case; a mail or a terminal may have told them otherwise.
        text: str = self.cleaned_data["q"].lower()
        if text:
            self._found = find_by_id(text, self._projects)
            if self._found.is_too_much:
                raise forms.ValidationError(f"More than {MOST_FOUND} IDs begin with “{text}”. Type more of it.")
        return text

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        since, until = data.get("since"), data.get("until")
        if since and until and until <= since:
            self.add_error("until", "The end is not after the beginning, so nothing lies between them.")
        return data

    @property
    def choice(self) -> Choice:
        """What everything sensible in the form asks for."""
        self.is_valid()
        data = self.cleaned_data
        return Choice(
            type=data.get("type") or None,
            state=data.get("state") or None,
            cluster=data.get("cluster"),
            schedule=data.get("schedule"),
            region=data.get("region"),
            since=data.get("since"),
            until=data.get("until"),
            found=self._found if data.get("q") else None,
        )

    @property
    def chosen(self) -> list[tuple[str, str, str]]:
        """Of each filter in force: its name, what it chooses, and the query of the address without it."""
        self.is_valid()
        rows = []
        for name in self.fields:
            if value := self.cleaned_data.get(name):
                rest = self._address.copy()
                rest.pop(name, None)
                rows.append((str(self[name].label), self._words(name, value), rest.urlencode()))
        return rows

    def _words(self, name: str, value: Any) -> str:
        if name in {"since", "until"}:
            return f"{value:%Y-%m-%d %H:%M}"
        label = dict(getattr(self.fields[name], "choices", [])).get(value) if isinstance(value, str) else None
        return str(label or value)
