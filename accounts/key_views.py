"""API keys: one's own and those of a project; and the one call by which a key learns what it is."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .access import organizations_of, organizations_with, privileges_in, projects_with
from .errors import Refused
from .guard import find, needs, signed_in, with_key
from .http import HtmxHttpRequest
from .key_forms import KeyForm, PersonalKeyForm
from .keys import KeyExists, NewKey, make_personal_key, make_project_key, revoke_key
from .models import ApiKey, Project, User
from .privileges import Privilege
from .querysets import ProjectQuerySet


@signed_in
@require_GET
def key_list(request: HtmxHttpRequest) -> HttpResponse:
    keys = ApiKey.objects.of_person(request.user)
    return render(request, "accounts/key_list.html", {"keys": keys, "create_url": reverse("keys:key-create")})


@signed_in
@require_http_methods(["GET", "POST"])
def key_create(request: HtmxHttpRequest) -> HttpResponse:
    form = PersonalKeyForm(
        request.POST or None, may_give=_held_anywhere(request.user), projects=_projects_of(request.user)
    )
    return _create(request, form, lambda: make_personal_key(user=request.user, **form.wishes), project=None)


@signed_in
@require_POST
def key_revoke(request: HtmxHttpRequest, code: str) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.of_person(request.user), code=code)
    return _revoke(request, key, "keys:key-list")


@needs(Privilege.MEMBER_MANAGE)
@require_GET
def project_key_list(request: HtmxHttpRequest, code: str) -> HttpResponse:
    project = _find_project(request, code)
    create_url = reverse("keys:project-key-create", args=[code])
    context = {"keys": ApiKey.objects.of_project(project), "project": project, "create_url": create_url}
    return render(request, "accounts/project_key_list.html", context)


@needs(Privilege.MEMBER_MANAGE)
@require_http_methods(["GET", "POST"])
def project_key_create(request: HtmxHttpRequest, code: str) -> HttpResponse:
    project = _find_project(request, code)
    form = KeyForm(request.POST or None, may_give=privileges_in(request.user, project))
    return _create(
        request, form, lambda: make_project_key(user=request.user, project=project, **form.wishes), project=project
    )


@needs(Privilege.MEMBER_MANAGE)
@require_POST
def project_key_revoke(request: HtmxHttpRequest, code: str, key: str) -> HttpResponse:
    project = _find_project(request, code)
    found = get_object_or_404(ApiKey.objects.of_project(project), code=key)
    return _revoke(request, found, "keys:project-key-list", code)


@with_key
@require_GET
def whoami(request: HtmxHttpRequest) -> HttpResponse:
    """Who acts with this key, and what they may do where: the first thing to ask when a program is refused."""
    key = request.user.acting_key
    assert key is not None  # what `with_key` lets in has one
    by_organization: dict[int, list[str]] = {}
    by_project: dict[int, list[str]] = {}
    for privilege in Privilege:
        for pk in organizations_with(request.user, privilege).values_list("pk", flat=True):
            by_organization.setdefault(pk, []).append(privilege.value)
        for pk in projects_with(request.user, privilege).values_list("pk", flat=True):
            by_project.setdefault(pk, []).append(privilege.value)
    projects = Project.objects.filter(pk__in=by_project).select_related("organization").order_by("name", "code")
    return JsonResponse(
        {
            "acts_as": str(request.user),
            "email": None if request.user.is_machine else request.user.email,
            "key": {"code": key.code, "name": key.name, "privileges": key.privileges, "expires_at": key.expires_at},
            "organizations": [
                {"code": row.code, "name": row.name, "privileges": by_organization.get(row.pk, [])}
                for row in organizations_of(request.user).order_by("name", "code")
            ],
            "projects": [
                {
                    "code": row.code,
                    "name": row.name,
                    "organization": row.organization.code,
                    "privileges": by_project[row.pk],
                }
                for row in projects
            ],
        }
    )


def _find_project(request: HtmxHttpRequest, code: str) -> Project:
    return find(Project.objects.select_related("organization"), request, code=code)


def _held_anywhere(user: User) -> list[Privilege]:
    return [
        privilege
        for privilege in Privilege
        if projects_with(user, privilege).exists() or organizations_with(user, privilege).exists()
    ]


def _projects_of(user: User) -> ProjectQuerySet:
    """Those in which `user` may at least look at something."""
    seen = [Q(pk__in=projects_with(user, held)) for held in (Privilege.CLUSTER_VIEW, Privilege.BILLING_VIEW)]
    return Project.objects.filter(seen[0] | seen[1])


def _create(
    request: HtmxHttpRequest, form: KeyForm, make: Callable[[], NewKey], *, project: Project | None
) -> HttpResponse:
    """The form, or once it is right the new key: shown by the very answer that made it, and by no other."""
    list_url = reverse("keys:project-key-list", args=[project.code]) if project else reverse("keys:key-list")
    if request.method == "POST" and form.is_valid():
        try:
            made = make()
        except KeyExists as refusal:
            messages.info(request, str(refusal))
            return redirect(list_url)
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            shown = {"key": made.key, "token": made.token, "project": project, "list_url": list_url}
            return render(request, "accounts/key_made.html", shown)
    context = {"form": form, "project": project, "list_url": list_url}
    return render(request, "accounts/key_create.html", context, status=422 if form.errors else 200)


def _revoke(request: HtmxHttpRequest, key: ApiKey, name: str, *arguments: str) -> HttpResponse:
    revoke_key(user=request.user, key=key)
    messages.success(request, f"{key.name} was revoked: whatever uses it is refused from now on.")
    return redirect(name, *arguments)
