"""What tests of signing in have in common."""

from __future__ import annotations

import re
import time
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.test import Client

from accounts.models import User

PASSWORD = "a long password 47"  # noqa: S105
ELSEWHERE = "203.0.113.77"


def with_password(user: User, password: str = PASSWORD) -> User:
    user.set_password(password)
    user.save()
    return user


def sign_in(client: Client, user: User | str, password: str = PASSWORD, **extra: Any) -> Any:
    """Through the form, as a browser does."""
    email = user if isinstance(user, str) else user.email
    return client.post("/sign-in/", {"username": email, "password": password}, **extra)


def is_signed_in(client: Client) -> bool:
    return client.get("/account/password/").status_code == 200


def confirm(client: Client, password: str = PASSWORD) -> None:
    """Say once more who it is, which pages about second factors ask for."""
    client.post("/account/confirm/", {"password": password})


def code_of(secret: str) -> str:
    """What an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def give_app(user: User) -> str:
    """An authenticator app; the key that is in it."""
    secret: str = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def give_recovery_codes(user: User) -> list[str]:
    codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
    return codes


def secret_in(user: User) -> str:
    stored = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP).data["secret"]
    secret: str = get_adapter().decrypt(stored)
    return secret


def key_on(page: Any) -> str:
    """The key that the page shows for an app."""
    found = re.search(r'data-copy="([A-Z2-7]+)"', page.content.decode())
    assert found
    return found[1]
