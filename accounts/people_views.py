"""Who belongs to an organization, with which role, and what that lets them do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .access import organizations_of, privileges_in_organization, projects_with
from .errors import Refused
from .guard import ORGANIZATION, find, needs, signed_in
from .http import HtmxHttpRequest
from .member_services import change_organization_role, remove_member
from .models import Invitation, Organization, OrganizationMember
from .people_forms import OrganizationRoleForm
from .people_pages import member_rows, rights_of
from .privileges import OrganizationRole, Privilege

MANAGE = needs(Privilege.MEMBER_MANAGE, of=ORGANIZATION)
MEMBERS = OrganizationMember.objects.for_list().select_related("organization")


def chosen_organization(request: HtmxHttpRequest) -> Organization | None:
    """The one named in the address, else the first that the person belongs to; 404 for somebody else's."""
    mine = organizations_of(request.user).order_by("name", "pk")
    code = request.GET.get("organization")
    return get_object_or_404(mine, code=code) if code else mine.first()


@signed_in
@require_GET
def member_list(request: HtmxHttpRequest) -> HttpResponse:
    """Everybody in the organization, for whoever manages them; for others, the way to their own rights and projects."""
    organization = chosen_organization(request)
    context: dict[str, Any] = {
        "organizations": organizations_of(request.user).order_by("name", "pk"),
        "organization": organization,
    }
    if organization is not None:
        may_manage = Privilege.MEMBER_MANAGE in privileges_in_organization(request.user, organization)
        invitations = Invitation.objects.open(timezone.now()).filter(organization=organization).for_list()
        context |= {
            "may_manage": may_manage,
            "projects": projects_with(request.user, Privilege.MEMBER_MANAGE)
            .filter(organization=organization)
            .order_by("name"),
            "rows": member_rows(organization) if may_manage else [],
            "invitations": invitations if may_manage else [],
        }
    return render(request, "people/member_list.html", context)


@signed_in
@require_GET
def own_rights(request: HtmxHttpRequest) -> HttpResponse:
    """What one may do oneself, in every organization one belongs to."""
    members = MEMBERS.filter(user=request.user, organization__in=organizations_of(request.user))
    groups = [(member, rights_of(member)) for member in members.order_by("organization__name")]
    return render(request, "people/own_rights.html", {"groups": groups})


@MANAGE
@require_GET
def member_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """One person: what they may do where, and why; another role; the way out."""
    return _show_member(request, find(MEMBERS, request, code=code))


def _show_member(
    request: HtmxHttpRequest, member: OrganizationMember, form: OrganizationRoleForm | None = None
) -> HttpResponse:
    initial = {"role": member.role}
    context = {
        "member": member,
        "form": form or OrganizationRoleForm(initial=initial, user=request.user, organization=member.organization),
        "rights": rights_of(member),
    }
    return render(request, "people/member_detail.html", context, status=422 if form else 200)


@MANAGE
@require_POST
def member_role(request: HtmxHttpRequest, code: str) -> HttpResponse:
    member = find(MEMBERS, request, code=code)
    form = OrganizationRoleForm(request.POST, user=request.user, organization=member.organization)
    if not form.is_valid():
        return _show_member(request, member, form)
    role = OrganizationRole(form.cleaned_data["role"])
    try:
        change_organization_role(user=request.user, member=member, role=role)
    except Refused as refusal:
        form.add_error("role", str(refusal))
        return _show_member(request, member, form)
    messages.success(request, f"{member.user} is now {role.label} of {member.organization}.")
    # Whoever gave up what it takes to see this page would be refused it.
    return redirect("people:member-list") if member.user == request.user else redirect("people:member-detail", code)


@MANAGE
@require_http_methods(["GET", "POST"])
def member_remove(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Take somebody out of the organization; what they lose is listed first."""
    member = find(MEMBERS, request, code=code)
    refusal = ""
    if request.method == "POST":
        try:
            remove_member(user=request.user, member=member)
        except Refused as trouble:
            refusal = str(trouble)
        else:
            messages.success(request, f"{member.user} does not belong to {member.organization} any more.")
            return redirect("people:member-list")
    context = {"member": member, "rights": rights_of(member), "refusal": refusal}
    return render(request, "people/member_remove.html", context, status=422 if refusal else 200)
