"""What people say about an API key that they make."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.core import signing

from .codes import key_code
from .keys import LONGEST_NAME
from .models import Project
from .privileges import Privilege
from .querysets import ProjectQuerySet

FOR_EVER = "for-ever"
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "A year"), (FOR_EVER, "Until it is revoked")]
_SALT = "accounts.key_forms"


class KeyForm(forms.Form):
    """`mark` names the key before it is made, so that a form that is sent twice makes one."""

    name = forms.CharField(max_length=LONGEST_NAME, help_text="What will use it, such as “nightly export”.")
    privileges = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        help_text="Only what it needs. Managing includes looking.",
        error_messages={"required": "Choose at least one privilege: a key without any can do nothing."},
    )
    lifetime = forms.ChoiceField(
        choices=LIFETIMES,
        initial="90",
        help_text="A key without an end still works on the day somebody finds it in an old file.",
    )
    mark = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, may_give: Collection[Privilege], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["privileges"].choices = [  # type: ignore[attr-defined]
            (privilege.value, privilege.value) for privilege in Privilege if privilege in may_give
        ]
        self.initial["mark"] = signing.dumps(key_code(), salt=_SALT)

    def clean_mark(self) -> str:
        try:
            return str(signing.loads(self.cleaned_data["mark"], salt=_SALT))
        except signing.BadSignature:
            return ""

    @property
    def wishes(self) -> dict[str, Any]:
        """The arguments of the service; call it on valid data."""
        data = self.cleaned_data
        days = None if data["lifetime"] == FOR_EVER else int(data["lifetime"])
        privileges = [Privilege(held) for held in data["privileges"]]
        return {"name": data["name"], "privileges": privileges, "days": days, "code": data["mark"]}


class PersonalKeyForm(KeyForm):
    project = forms.ModelChoiceField(
        Project.objects.none(), required=False, to_field_name="code", empty_label="All of my projects", label="Reaches"
    )
    field_order = ["name", "project", "privileges", "lifetime"]

    def __init__(self, *args: Any, projects: ProjectQuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]

    @property
    def wishes(self) -> dict[str, Any]:
        return super().wishes | {"project": self.cleaned_data["project"]}
