"""The organization, its projects, and who has which role in one of them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .access import privileges_in_organization
from .errors import Refused
from .grants import Grant, grants_to_give
from .guard import ORGANIZATION, find, needs
from .http import HtmxHttpRequest
from .member_services import give_project_role, remove_from_project
from .models import Invitation, Organization, OrganizationMember, Project, ProjectMember
from .organization_services import create_project, rename_project, update_organization
from .people_forms import AddToProjectForm, GrantForm, NameForm, OrganizationForm
from .people_pages import rights_of
from .privileges import Privilege

MANAGE = needs(Privilege.MEMBER_MANAGE)
MANAGE_ORGANIZATION = needs(Privilege.MEMBER_MANAGE, of=ORGANIZATION)


def _find_project(request: HtmxHttpRequest, code: str) -> Project:
    return find(Project.objects.select_related("organization"), request, code=code)


def _members(project: Project) -> QuerySet[OrganizationMember]:
    """Those of the organization who have a role in `project`."""
    everybody = OrganizationMember.objects.filter(organization=project.organization_id)
    return everybody.filter(user__project_memberships__project=project).for_list()


def _others(request: HtmxHttpRequest, project: Project) -> QuerySet[OrganizationMember]:
    """Whom `project` could take in; only who manages the whole organization knows everybody in it."""
    everybody = OrganizationMember.objects.filter(organization=project.organization_id).for_list()
    if Privilege.MEMBER_MANAGE not in privileges_in_organization(request.user, project.organization):
        return everybody.none()
    return everybody.exclude(user__project_memberships__project=project)


@MANAGE
@require_GET
def project_detail(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Who has which role in a project."""
    return _show_project(request, _find_project(request, code))


def _show_project(
    request: HtmxHttpRequest,
    project: Project,
    *,
    form: AddToProjectForm | None = None,
    name_form: NameForm | None = None,
) -> HttpResponse:
    roles = {role.user_id: role for role in ProjectMember.objects.filter(project=project).select_related("custom_role")}
    others = _others(request, project)
    context: dict[str, Any] = {
        "project": project,
        "rows": [(member, roles[member.user_id]) for member in _members(project)],
        "invitations": Invitation.objects.open(timezone.now()).filter(project=project).for_list(),
        "others": others,
        "form": form or AddToProjectForm(members=others, grants=grants_to_give(request.user, project)),
        "name_form": name_form or NameForm(initial={"name": project.name}, prefix="project"),
    }
    return render(request, "people/project_detail.html", context, status=422 if form or name_form else 200)


@MANAGE
@require_POST
def project_rename(request: HtmxHttpRequest, code: str) -> HttpResponse:
    project = _find_project(request, code)
    form = NameForm(request.POST, prefix="project")
    if form.is_valid():
        try:
            rename_project(user=request.user, project=project, name=form.cleaned_data["name"])
        except Refused as refusal:
            form.add_error("name", str(refusal))
            project.refresh_from_db()
        else:
            messages.success(request, "Renamed.")
            return redirect("people:project-detail", code)
    return _show_project(request, project, name_form=form)


@MANAGE
@require_POST
def project_add(request: HtmxHttpRequest, code: str) -> HttpResponse:
    """Give somebody of the organization a role in the project."""
    project = _find_project(request, code)
    grants = grants_to_give(request.user, project)
    form = AddToProjectForm(request.POST, members=_others(request, project), grants=grants)
    if form.is_valid():
        member, grant = form.cleaned_data["member"], form.cleaned_data["role"]
        try:
            give_project_role(user=request.user, project=project, member=member, grant=grant)
        except Refused as refusal:
            form.add_error("role", str(refusal))
        else:
            messages.success(request, f"{member.user} is now {grant.name} of {project}.")
            return redirect("people:project-detail", code)
    return _show_project(request, project, form=form)


@MANAGE
@require_GET
def project_member(request: HtmxHttpRequest, code: str, member: str) -> HttpResponse:
    """What one person may do in a project, and why."""
    project = _find_project(request, code)
    return _show_project_member(request, project, get_object_or_404(_members(project), code=member))


def _show_project_member(
    request: HtmxHttpRequest, project: Project, member: OrganizationMember, form: GrantForm | None = None
) -> HttpResponse:
    role = ProjectMember.objects.select_related("custom_role").get(project=project, user=member.user_id)
    grants = grants_to_give(request.user, project)
    context = {
        "project": project,
        "member": member,
        "role": role,
        "rights": rights_of(member, [project]),
        "form": form or GrantForm(initial={"role": Grant.of(role).code}, grants=grants),
    }
    return render(request, "people/project_member.html", context, status=422 if form else 200)


@MANAGE
@require_POST
def project_member_role(request: HtmxHttpRequest, code: str, member: str) -> HttpResponse:
    project = _find_project(request, code)
    found = get_object_or_404(_members(project), code=member)
    form = GrantForm(request.POST, grants=grants_to_give(request.user, project))
    if form.is_valid():
        grant = form.cleaned_data["role"]
        try:
            give_project_role(user=request.user, project=project, member=found, grant=grant)
        except Refused as refusal:
            form.add_error("role", str(refusal))
        else:
            messages.success(request, f"{found.user} is now {grant.name} of {project}.")
            return _back(request, project, found)
    return _show_project_member(request, project, found, form)


@MANAGE
@require_POST
def project_member_remove(request: HtmxHttpRequest, code: str, member: str) -> HttpResponse:
    project = _find_project(request, code)
    found = get_object_or_404(_members(project), code=member)
    try:
        remove_from_project(user=request.user, project=project, member=found)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{found.user} has no role in {project} any more.")
    return _back(request, project, found)


def _back(request: HtmxHttpRequest, project: Project, member: OrganizationMember) -> HttpResponse:
    # Whoever gave up what it takes to see the project's page would be refused it.
    if member.user_id == request.user.pk:
        return redirect("people:member-list")
    return redirect("people:project-detail", project.code)


@MANAGE_ORGANIZATION
@require_http_methods(["GET", "POST"])
def project_create(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    owner = find(Organization.objects.all(), request, code=organization)
    form = NameForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            project = create_project(user=request.user, organization=owner, name=form.cleaned_data["name"])
        except Refused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, f"{project} was made, and you are its admin.")
            return redirect("people:project-detail", project.code)
    context = {"organization": owner, "form": form}
    return render(request, "people/project_create.html", context, status=422 if form.errors else 200)


@MANAGE_ORGANIZATION
@require_http_methods(["GET", "POST"])
def organization_settings(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    """The organization's name, and how long its schedules may keep what they make."""
    owner = find(Organization.objects.all(), request, code=organization)
    initial = {"name": owner.name, "max_retention_days": owner.max_retention_days}
    form = OrganizationForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            update_organization(user=request.user, organization=owner, **form.cleaned_data)
        except Refused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, "Saved.")
            return redirect("people:organization-settings", organization)
    context = {"organization": owner, "form": form}
    return render(request, "people/organization_settings.html", context, status=422 if form.errors else 200)
