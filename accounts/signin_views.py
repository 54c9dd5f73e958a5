"""Signing in and what belongs to it, where django-allauth's own views are not enough."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.forms import LoginForm
from allauth.account.views import LoginView, PasswordResetFromKeyView, PasswordResetView
from allauth.mfa.base.views import IndexView
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from requests import RequestException

from .access import organizations_with
from .encryption import check_keys
from .errors import EncryptionKeysUnusable, Refused
from .first_start import is_anybody_here
from .guard import ANY_ORGANIZATION, ORGANIZATION, find, needs, open_to_all, signed_in
from .http import HtmxHttpRequest
from .models import Organization, OrganizationMember
from .privileges import Privilege
from .second_factors import factors_of, organizations_that_ask
from .signin_services import end_session, end_sessions_of, require_two_factors

logger = logging.getLogger(__name__)

_TOO_MANY = "too_many_login_attempts"


class _SignIn(LoginView):
    def form_invalid(self, form: LoginForm) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if form.has_error("__all__", code=_TOO_MANY):
            response.status_code = 429
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        more = {"provider": _provider(), "passkeys_work": _is_named(self.request), "is_empty": not is_anybody_here()}
        return super().get_context_data(**kwargs) | more


sign_in = open_to_all("Here people sign in.")(_SignIn.as_view())


def _told_in_words(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """`view` asks the provider, which may be away or send what makes no sense: the page then says so."""

    @wraps(view)
    def ask(request: HttpRequest, provider_id: str) -> HttpResponse:
        try:
            return view(request, provider_id=provider_id)
        except (RequestException, KeyError) as trouble:
            logger.warning("The provider of OIDC_ISSUER gave no usable answer: %r", trouble)
            return render(request, "socialaccount/authentication_error.html", status=502)

    return ask


provider_sign_in = open_to_all("Here people sign in by their provider.")(_told_in_words(openid_connect.login))
provider_callback = open_to_all("The provider sends people back to it, with proof.")(
    _told_in_words(openid_connect.callback)
)


@open_to_all("Whoever has forgotten the password is not signed in.")
def forgotten_password(request: HttpRequest) -> HttpResponse:
    """Asks for the address to send a link to; without mail, says who can help."""
    if not settings.MAIL_CONFIGURED:
        return render(request, "account/password_reset_without_mail.html")
    return PasswordResetView.as_view()(request)


@open_to_all("The link in the mail says who it is for.")
def new_password(request: HttpRequest, uidb36: str, key: str) -> HttpResponse:
    if not settings.MAIL_CONFIGURED:
        raise Http404
    return PasswordResetFromKeyView.as_view()(request, uidb36=uidb36, key=key)


class _TwoFactors(IndexView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        asking = [] if context["is_mfa_enabled"] else organizations_that_ask(self.request.user)
        return context | {"organizations_that_ask": asking}


two_factors = signed_in(_TwoFactors.as_view())


def where_secrets_can_be_kept(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """`view` stores a secret: without a key to encrypt it with, say so instead."""

    @wraps(view)
    def ask(request: HtmxHttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            check_keys()
        except EncryptionKeysUnusable as trouble:
            messages.error(request, f"{trouble} Whoever runs this site can change that.")
            return redirect("mfa_index")
        return view(request, *args, **kwargs)

    return signed_in(ask)


@signed_in
@require_POST
def session_end(request: HtmxHttpRequest) -> HttpResponse:
    number = request.POST.get("session", "")
    mine = UserSession.objects.filter(user=request.user)
    session = mine.filter(pk=number).first() if number.isascii() and number.isdigit() else None
    if session is None:
        raise Http404
    end_session(user=request.user, session=session)
    messages.success(request, "That session is over.")
    return redirect("usersessions_list")


@needs(Privilege.MEMBER_MANAGE, of=ANY_ORGANIZATION)
@require_GET
def sign_in_security(request: HtmxHttpRequest) -> HttpResponse:
    """Who of one's organizations signs in how safely."""
    return _render_security(request)


@needs(Privilege.MEMBER_MANAGE, of=ORGANIZATION)
@require_POST
def two_factors_require(request: HtmxHttpRequest, code: str) -> HttpResponse:
    organization = find(Organization.objects.all(), request, code=code)
    is_required = request.POST.get("required") == "yes"
    try:
        require_two_factors(user=request.user, organization=organization, is_required=is_required)
    except Refused as refusal:
        return _render_security(request, refusal=refusal, status=422)
    asks = "now asks two factors of everybody" if is_required else "does not ask for two factors any more"
    messages.success(request, f"{organization} {asks}.")
    return redirect("account:sign-in-security")


@needs(Privilege.MEMBER_MANAGE, of=ORGANIZATION)
@require_POST
def member_sign_out(request: HtmxHttpRequest, code: str) -> HttpResponse:
    members = OrganizationMember.objects.select_related("user").filter(organization__code=code)
    member = find(members, request, user__email=request.POST.get("member", ""))
    number = end_sessions_of(user=request.user, member=member)
    messages.success(request, f"{member.user} is signed out everywhere: {number} session{'' if number == 1 else 's'}.")
    return redirect("account:sign-in-security")


def _render_security(request: HtmxHttpRequest, *, refusal: Refused | None = None, status: int = 200) -> HttpResponse:
    organizations = [
        (organization, _members(organization))
        for organization in organizations_with(request.user, Privilege.MEMBER_MANAGE).order_by("name")
    ]
    context = {"organizations": organizations, "refusal": refusal}
    return render(request, "account/sign_in_security.html", context, status=status)


def _members(organization: Organization) -> QuerySet[OrganizationMember]:
    people = OrganizationMember.objects.filter(organization=organization, user__is_machine=False)
    return (
        people.select_related("user")
        .order_by("user__email")
        .annotate(
            has_second_factor=Exists(factors_of(OuterRef("user"))),
            n_sessions=Count("user__usersession"),
        )
    )


def _provider() -> dict[str, str] | None:
    """The one OpenID Connect provider, if there is one."""
    apps = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"]
    return apps[0] if apps else None


def _is_named(request: HttpRequest) -> bool:
    """Whether the site was called by a name: browsers make no passkeys for a bare address."""
    host = request.get_host()
    return not host.startswith("[") and any(letter.isalpha() for letter in host)
