"""Tells the audit log what django-allauth has done or refused."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as providers
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from .audit import record
from .audit_actions import Action, Outcome
from .models import User

# As the log calls them; the type of the row is the library's word.
_NAMES = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery codes",
}
_METHODS = {"password": "password", "socialaccount": "OpenID Connect", "mfa": "second factor"}


def connect() -> None:
    account.user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    account.password_changed.connect(_password_changed)
    account.password_set.connect(_password_changed)
    account.password_reset.connect(_password_reset)
    mfa.authenticator_added.connect(_factor_added)
    mfa.authenticator_removed.connect(_factor_removed)
    mfa.authenticator_reset.connect(_factor_added)
    mfa.authentication_failed.connect(_code_refused)
    providers.social_account_added.connect(_provider_connected)


def record_wrong_password(email: str) -> None:
    """Somebody tried: told to the organizations of whoever has that address, if anybody does."""
    person = User.objects.filter(email__iexact=email).first()
    # What was typed is not kept where nobody has that address: it may be a password in the wrong field.
    record(Action.SIGNED_IN, user=None, target=person, outcome=Outcome.REFUSED, reason="Wrong address or password.")


def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    records = request.session.get("account_authentication_methods", [])
    by = [_name_of(entry) for entry in records]
    record(Action.SIGNED_IN, user=user, target=user, details={"by": by} if by else None)


def _name_of(entry: dict[str, Any]) -> str:
    method = str(entry.get("method", ""))
    return _NAMES.get(entry.get("type", ""), "") if method == "mfa" else _METHODS.get(method, method)


def _signed_out(user: User | None, **_: Any) -> None:
    if user is not None:
        record(Action.SIGNED_OUT, user=user, target=user)


def _password_changed(user: User, **_: Any) -> None:
    record(Action.PASSWORD_CHANGED, user=user, target=user)


def _password_reset(user: User, **_: Any) -> None:
    record(Action.PASSWORD_CHANGED, user=user, target=user, details={"by": "a link sent by mail"})


def _factor_added(user: User, authenticator: Authenticator, **_: Any) -> None:
    record(Action.FACTOR_ADDED, user=user, target=user, details={"factor": _NAMES[authenticator.type]})


def _factor_removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    record(Action.FACTOR_REMOVED, user=user, target=user, details={"factor": _NAMES[authenticator.type]})


def _code_refused(user: User, authenticator: Authenticator, **_: Any) -> None:
    record(
        Action.SIGNED_IN,
        user=None,
        target=user,
        outcome=Outcome.REFUSED,
        reason="Right password, wrong code.",
        details={"factor": _NAMES[authenticator.type]},
    )


def _provider_connected(sociallogin: Any, **_: Any) -> None:
    person = sociallogin.user
    record(Action.IDENTITY_CONNECTED, user=person, target=person, details={"provider": sociallogin.provider.name})
