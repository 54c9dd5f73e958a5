"""Inviting people, and accepting an invitation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .errors import Refused
from .grants import Grant, grants_to_give
from .guard import ORGANIZATION, find, needs, open_to_all
from .http import HtmxHttpRequest
from .invitation_services import (
    find_invitation,
    hash_token,
    invite,
    join,
    join_as_new_person,
    revoke_invitation,
)
from .models import Invitation, Organization, Project, User
from .people_forms import InviteForm, NewPersonForm
from .privileges import Privilege

IN_SESSION = "invitation"
MANAGE = needs(Privilege.MEMBER_MANAGE)
MANAGE_ORGANIZATION = needs(Privilege.MEMBER_MANAGE, of=ORGANIZATION)


@MANAGE_ORGANIZATION
@never_cache
@require_http_methods(["GET", "POST"])
def organization_invite(request: HtmxHttpRequest, organization: str) -> HttpResponse:
    owner = find(Organization.objects.all(), request, code=organization)
    return _invite(request, owner, owner, ())


@MANAGE
@never_cache
@require_http_methods(["GET", "POST"])
def project_invite(request: HtmxHttpRequest, code: str) -> HttpResponse:
    project = find(Project.objects.select_related("organization"), request, code=code)
    return _invite(request, project.organization, project, grants_to_give(request.user, project))


def _invite(
    request: HtmxHttpRequest, organization: Organization, place: Organization | Project, grants: Sequence[Grant]
) -> HttpResponse:
    """Ask whom and as what, then show the link this once. A mail carries it too, where the site can send any."""
    data = request.POST if request.method == "POST" else None
    form = InviteForm(data, user=request.user, place=place, grants=grants)
    is_project = isinstance(place, Project)
    context: dict[str, Any] = {"organization": organization, "place": place, "is_project": is_project, "form": form}
    if request.method == "POST" and form.is_valid():
        try:
            invitation, token = invite(
                user=request.user,
                organization=organization,
                email=form.cleaned_data["email"],
                offer=form.offer(),
            )
        except Refused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        else:
            url = request.build_absolute_uri(reverse("people:invitation-open", args=[token]))
            context |= {"invitation": invitation, "url": url}
            context["was_sent"] = settings.MAIL_CONFIGURED and _send(invitation, url, request.user)
            return render(request, "people/invited.html", context)
    return render(request, "people/invite.html", context, status=422 if form.errors else 200)


def _send(invitation: Invitation, url: str, inviter: User) -> bool:
    """Whether the mail server took it; if not, the link on the page is what is left."""
    text = (
        f"{inviter} invites you to {invitation.organization} on backupsite, as {invitation.role_name}.\n\n"
        f"To accept, open this link before {timezone.localtime(invitation.expires_at):%-d %B %Y, %H:%M %Z}:\n{url}\n\n"
        "It works once, and for you alone. If you expected no invitation, do nothing.\n"
    )
    try:
        return bool(send_mail(f"Join {invitation.organization} on backupsite", text, None, [invitation.email]))
    except OSError:
        return False


@MANAGE_ORGANIZATION
@require_POST
def invitation_revoke(request: HtmxHttpRequest, code: str) -> HttpResponse:
    invitation = find(Invitation.objects.select_related("project"), request, code=code)
    return _revoke(request, invitation, reverse("people:member-list"))


@MANAGE
@require_POST
def project_invitation_revoke(request: HtmxHttpRequest, code: str) -> HttpResponse:
    invitation = find(Invitation.objects.filter(project__isnull=False), request, code=code)
    assert invitation.project is not None
    return _revoke(request, invitation, reverse("people:project-detail", args=[invitation.project.code]))


def _revoke(request: HtmxHttpRequest, invitation: Invitation, back: str) -> HttpResponse:
    revoke_invitation(user=request.user, invitation=invitation)
    messages.success(request, f"The invitation of {invitation.email} was withdrawn.")
    return redirect(back)


@open_to_all("Whoever has the link was invited.")
@require_GET
def invitation_open(request: HttpRequest, token: str) -> HttpResponse:
    """Take the secret out of the address, so that no history, log or referrer keeps it."""
    token_hash = hash_token(token)
    if find_invitation(token_hash) is not None:  # nonsense makes no session
        request.session[IN_SESSION] = token_hash
    return redirect("people:invitation")


@open_to_all("It shows what the link was for, to who followed it.")
@never_cache
@require_http_methods(["GET", "POST"])
def invitation_accept(request: HtmxHttpRequest) -> HttpResponse:
    """Join with the account one has, or with a new one."""
    invitation = find_invitation(request.session.get(IN_SESSION, ""))
    if invitation is None:
        return render(request, "people/invitation.html", {"invitation": None})
    user = request.user if request.user.is_authenticated else None
    is_known = user is not None or User.objects.filter(email__iexact=invitation.email).exists()
    form = None if is_known else NewPersonForm(request.POST if request.method == "POST" else None)
    refusal = ""
    if request.method == "POST" and (user or form):
        try:
            if user:
                join(user=user, invitation=invitation)
                return _joined(request, invitation, "dashboard:overview")
            if form and form.is_valid():
                data = form.cleaned_data
                join_as_new_person(invitation=invitation, name=data["name"], password=data["password"])
                return _joined(request, invitation, settings.LOGIN_URL)
        except Refused as trouble:
            refusal = str(trouble)
        except ValidationError as weak:
            assert form is not None
            form.add_error("password", weak)
    context = {"invitation": invitation, "form": form, "refusal": refusal, "is_known": is_known}
    context["is_somebody_else"] = user is not None and user.email.lower() != invitation.email
    status = 422 if refusal or (form and form.errors) else 200
    return render(request, "people/invitation.html", context, status=status)


def _joined(request: HtmxHttpRequest, invitation: Invitation, page: str) -> HttpResponse:
    del request.session[IN_SESSION]
    messages.success(request, f"You belong to {invitation.organization} now, as {invitation.role_name}.")
    return redirect(page)
