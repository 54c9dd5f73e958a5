"""The shape and wording of input about clusters and stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django import forms

from accounts.access import projects_with
from accounts.models import User
from accounts.privileges import Privilege

from .errors import ClusterRefused
from .models import Cluster, Region
from .rules import LARGEST_CU_SIZE, LONGEST_NAME, check_endpoint, check_name


def _checked(check: Callable[[Any], None]) -> Callable[[Any], None]:
    """A rule as a validator of forms."""

    def validate(value: Any) -> None:
        try:
            check(value)
        except ClusterRefused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    return validate


_NAME_RULES, _ENDPOINT_RULES = [_checked(check_name)], [_checked(check_endpoint)]


def _cu_size_field(**options: Any) -> forms.IntegerField:
    return forms.IntegerField(min_value=1, max_value=LARGEST_CU_SIZE, label="CU size", **options)


def _token_field(help_text: str) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "off"})
    return forms.CharField(required=False, max_length=500, widget=widget, help_text=help_text)


class _ProjectField(forms.ModelChoiceField):
    """Two organizations may each have a project of the same name."""

    def label_from_instance(self, project: Any) -> str:
        return f"{project.name} ({project.organization.name})"


class ClusterForm(forms.ModelForm):
    name = forms.CharField(max_length=LONGEST_NAME, validators=_NAME_RULES)
    cu_size = _cu_size_field(help_text="Decides how many shards a collection may have after a restore.")
    endpoint = forms.CharField(
        max_length=300, validators=_ENDPOINT_RULES, help_text="For example https://in01-abc.example.com:19530"
    )
    token = _token_field("An API key, or user:password. Stored encrypted and never shown again.")

    class Meta:
        model = Cluster
        fields = ["project", "name", "plan", "region", "cu_size", "endpoint"]

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        projects = projects_with(user, Privilege.CLUSTER_MANAGE).select_related("organization")
        self.fields["project"] = _ProjectField(projects, to_field_name="code", empty_label=None)
        self.fields["region"] = forms.ModelChoiceField(Region.objects.all(), empty_label="Choose a region")


class ClusterSettingsForm(forms.ModelForm):
    name = forms.CharField(max_length=LONGEST_NAME, validators=_NAME_RULES)
    cu_size = _cu_size_field()
    endpoint = forms.CharField(max_length=300, validators=_ENDPOINT_RULES)
    token = _token_field("Leave empty to keep the stored one, unless the address changes.")
    remove_token = forms.BooleanField(required=False, label="Remove the stored token")

    class Meta:
        model = Cluster
        fields = ["name", "plan", "cu_size", "endpoint"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.is_embedded:
            # The keeper of embedded clusters decides where they answer.
            del self.fields["endpoint"], self.fields["token"]
        if self.instance.is_embedded or not self.instance.token:
            del self.fields["remove_token"]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("token") and data.get("remove_token"):
            self.add_error("remove_token", "Type a new token or remove the stored one, not both.")
        return data


class SearchForm(forms.Form):
    words = forms.CharField(max_length=500, label="Search for", required=False)


class TypedConfirmationForm(forms.Form):
    """Asks for the name of the thing that is about to be destroyed."""

    confirmation = forms.CharField(max_length=300)

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["confirmation"].label = f"Type {name} to confirm"
        self.fields["confirmation"].widget.attrs = {"autocomplete": "off", "data-confirm-value": name}

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self.name:
            raise forms.ValidationError(f"Type {self.name} exactly.")
        return typed


def _can_be_split(address: str) -> None:
    try:
        urlsplit(address)
    except ValueError as error:
        raise forms.ValidationError("This is no address. Write for example s3://bucket/prefix.") from error


class StoreForm(forms.Form):
    url = forms.CharField(
        max_length=500,
        label="Address",
        validators=[_can_be_split],
        help_text="s3://bucket/prefix, gs://bucket/prefix or file:///folder",
    )
    options = forms.CharField(
        required=False,
        max_length=5000,
        label="Credentials and options",
        widget=forms.Textarea(attrs={"rows": 5, "autocomplete": "off", "spellcheck": "false"}),
        help_text=(
            "One NAME=value per line, for example access_key_id=… and secret_access_key=…, or endpoint=… for "
            "an S3-compatible service. Stored encrypted and never shown again; leave empty to keep the stored ones."
        ),
    )
