"""What is typed on the pages about people, projects and the organization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from .grants import Grant, organization_roles_to_give
from .invitation_services import Offer
from .models import Organization, Project, User
from .privileges import OrganizationRole, Privilege
from .services import LONGEST_NAME, LONGEST_RETENTION_DAYS

_ABOUT_ROLES = {
    OrganizationRole.MEMBER: "Member: nothing but what a role in a project gives",
    OrganizationRole.BILLING_ADMIN: "Billing Admin: costs and prices of every project",
    OrganizationRole.OWNER: "Organization Owner: everything, everywhere",
}


class GrantField(forms.ChoiceField):
    """A role in a project, of those that whoever fills in the form may give; cleaned to a Grant."""

    def __init__(self, grants: Sequence[Grant], **kwargs: Any) -> None:
        self._grants = {grant.code: grant for grant in grants}
        first = [] if kwargs.get("required", True) else [("", "None")]
        super().__init__(choices=first + [(grant.code, grant.name) for grant in grants], **kwargs)

    def clean(self, value: Any) -> Grant | None:
        return self._grants.get(super().clean(value))


class OrganizationRoleForm(forms.Form):
    """Another role in the whole organization."""

    def __init__(self, *args: Any, user: User, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = organization_roles_to_give(user, organization)
        self.fields["role"] = forms.ChoiceField(
            choices=[(role.value, _ABOUT_ROLES[role]) for role in roles], label="Role in the organization"
        )


class GrantForm(forms.Form):
    """Another role in one project."""

    def __init__(self, *args: Any, grants: Sequence[Grant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = GrantField(grants, label="Role in the project")


class AddToProjectForm(GrantForm):
    """A role in a project for somebody who is in the organization already."""

    def __init__(self, *args: Any, members: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["member"] = _MemberField(members, to_field_name="code", empty_label=None, label="Person")
        self.order_fields(["member", "role"])


class _MemberField(forms.ModelChoiceField):
    def label_from_instance(self, member: Any) -> str:
        return f"{member.user.name} ({member.user.email})" if member.user.name else str(member.user.email)


class InviteForm(forms.Form):
    """Somebody new, for the whole organization, or for one project."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, user: User, place: Organization | Project, grants: Sequence[Grant], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._place = place
        if isinstance(place, Project):
            self.fields["role"] = GrantField(grants, label=f"Role in {place}")
        else:
            roles = organization_roles_to_give(user, place)
            self.fields["organization_role"] = forms.ChoiceField(
                choices=[(role.value, _ABOUT_ROLES[role]) for role in roles], label="Role in the organization"
            )

    def offer(self) -> Offer:
        """What was offered; call it on valid data."""
        if isinstance(self._place, Project):
            return Offer(self._place.organization, project=self._place, grant=self.cleaned_data["role"])
        return Offer(self._place, OrganizationRole(self.cleaned_data["organization_role"]))


class NewPersonForm(forms.Form):
    """Who accepts an invitation and has no account yet."""

    name = forms.CharField(max_length=LONGEST_NAME, label="Your name", widget=forms.TextInput({"autocomplete": "name"}))
    password = forms.CharField(
        label="Password",
        help_text="At least 10 characters; not one that many people use.",
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="The same password again", widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("password") and data.get("again") and data["password"] != data["again"]:
            self.add_error("again", "The two passwords differ.")
        return data


class CustomRoleForm(forms.Form):
    name = forms.CharField(max_length=LONGEST_NAME)
    privileges = forms.MultipleChoiceField(
        choices=[(privilege.value, privilege.value) for privilege in Privilege],
        widget=forms.CheckboxSelectMultiple,
        help_text="Managing includes viewing. Whoever sees backups sees the clusters they are of.",
    )


class NameForm(forms.Form):
    name = forms.CharField(max_length=LONGEST_NAME)


class OrganizationForm(NameForm):
    max_retention_days = forms.IntegerField(
        min_value=1,
        max_value=LONGEST_RETENTION_DAYS,
        label="Longest retention, in days",
        help_text="How long a schedule may keep what it makes. What is kept longer already stays so.",
    )
