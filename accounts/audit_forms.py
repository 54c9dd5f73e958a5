"""The filters of the audit log."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from django import forms

from .audit_actions import Action, Outcome
from .audit_querysets import AuditEntryQuerySet
from .models import AuditEntry, Organization, Project


class AuditFilterForm(forms.Form):
    """They live in the URL, and nonsense there filters nothing. Days are those of UTC, both ends included."""

    place = forms.ChoiceField(required=False, label="Log of")
    person = forms.CharField(required=False, max_length=100, label="Who")
    action = forms.ChoiceField(
        required=False,
        label="What",
        choices=[("", "Everything"), *sorted(Action.choices, key=lambda choice: choice[1])],
    )
    outcome = forms.ChoiceField(required=False, choices=[("", "Done and refused"), *Outcome.choices])
    target = forms.CharField(required=False, max_length=120, label="Code of the thing")
    since = forms.DateField(required=False, widget=forms.DateInput({"type": "date"}), label="From")
    until = forms.DateField(required=False, widget=forms.DateInput({"type": "date"}), label="To")

    def __init__(self, *args: Any, places: dict[str, Organization | Project], **kwargs: Any) -> None:
        """`places` are the organizations and projects whose log may be read, by code; the first is shown at first."""
        super().__init__(*args, **kwargs)
        self._places = places
        self.fields["place"].choices = [(code, str(place)) for code, place in places.items()]  # type: ignore[attr-defined]
        if len(places) == 1:
            self.fields["place"].widget = forms.HiddenInput()

    @property
    def chosen_place(self) -> Organization | Project:
        self.is_valid()
        return self._places.get(self.cleaned_data.get("place", "")) or next(iter(self._places.values()))

    def choose(self) -> AuditEntryQuerySet:
        """The entries that everything sensible in the form asks for."""
        place, data = self.chosen_place, self.cleaned_data
        everything = AuditEntry.objects.all()
        rows = everything.of_organization(place) if isinstance(place, Organization) else everything.of_project(place)
        if data.get("person"):
            rows = rows.by_person(data["person"])
        for name, column in (("action", "action"), ("outcome", "outcome"), ("target", "target_code")):
            if data.get(name):
                rows = rows.filter(**{column: data[name]})
        return rows.between(_moment(data.get("since"), time.min), _moment(data.get("until"), time.max))


def _moment(day: date | None, moment: time) -> datetime | None:
    return datetime.combine(day, moment, tzinfo=UTC) if day else None
