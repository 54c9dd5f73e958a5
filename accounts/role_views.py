"""An organization's own roles: a name, and the privileges it holds."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from .custom_role_services import change_custom_role, create_custom_role, delete_custom_role
from .errors import Refused
from .guard import ORGANIZATION, find, needs
from .http import HtmxHttpRequest
from .models import CustomRole, Organization
from .people_forms import CustomRoleForm
from .people_pages import holders_of
from .privileges import BY_PROJECT_ROLE, Privilege, ProjectRole, with_implied

MANAGE = needs(Privilege.MEMBER_MANAGE, of=ORGANIZATION)
ROLES = CustomRole.objects.select_related("organization")


def _in_order(held: frozenset[Privilege]) -> list[str]:
    return [privilege.value for privilege in Privilege if privilege in with_implied(held)]


@MANAGE
@require_GET
def role_list(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    """Every role of a project with what it holds."""
    owner = find(Organization.objects.all(), request, code=organization)
    custom = owner.custom_roles.prefetch_related("privileges").annotate(n_members=Count("members")).order_by("name")
    context = {
        "organization": owner,
        "known": [(ProjectRole(role).label, _in_order(held)) for role, held in BY_PROJECT_ROLE.items()],
        "custom": [(role, _in_order(role.held)) for role in custom],
    }
    return render(request, "people/role_list.html", context)


@MANAGE
@require_http_methods(["GET", "POST"])
def role_create(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    owner = find(Organization.objects.all(), request, code=organization)
    form = CustomRoleForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            role = create_custom_role(
                user=request.user,
                organization=owner,
                name=form.cleaned_data["name"],
                privileges=[Privilege(held) for held in form.cleaned_data["privileges"]],
            )
        except Refused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, f"{role} was made. Give it to people on the page of a project.")
            return redirect("people:role-list", owner.code)
    context = {"organization": owner, "form": form}
    return render(request, "people/role_edit.html", context, status=422 if form.errors else 200)


@MANAGE
@require_http_methods(["GET", "POST"])
def role_edit(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Change a custom role; everybody who holds it is listed, for it changes for them at once."""
    role = find(ROLES, request, code=code)
    owner = role.organization
    initial = {"name": role.name, "privileges": sorted(role.held)}
    form = CustomRoleForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            change_custom_role(
                user=request.user,
                role=role,
                name=form.cleaned_data["name"],
                privileges=[Privilege(held) for held in form.cleaned_data["privileges"]],
            )
        except Refused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, "Saved, and in force at once.")
            return redirect("people:role-list", owner.code)
    context = {"organization": owner, "role": role, "form": form, "holders": holders_of(role.pk)}
    return render(request, "people/role_edit.html", context, status=422 if form.errors else 200)


@MANAGE
@require_http_methods(["GET", "POST"])
def role_delete(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Delete a custom role that nobody holds."""
    role = find(ROLES, request, code=code)
    refusal = ""
    if request.method == "POST":
        try:
            delete_custom_role(user=request.user, role=role)
        except Refused as trouble:
            refusal = str(trouble)
        else:
            messages.success(request, f"{role.name} was deleted.")
            return redirect("people:role-list", role.organization.code)
    context = {"organization": role.organization, "role": role, "holders": holders_of(role.pk), "refusal": refusal}
    return render(request, "people/role_delete.html", context, status=422 if refusal else 200)
