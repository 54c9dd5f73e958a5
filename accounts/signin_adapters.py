"""Where this site differs from django-allauth: who may come in, whose attempts count, what is encrypted."""

from __future__ import annotations

import logging
from ipaddress import IPv6Address, ip_network
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthError, AuthProcess
from django.contrib import messages
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpRequest
from django.shortcuts import redirect
from qrcode.image.svg import SvgPathImage
from qrcode.main import QRCode

from .addresses import client_address
from .encryption import Secret
from .mail import send_in_background
from .models import User
from .signin_log import record_wrong_password

logger = logging.getLogger(__name__)

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - what stands in a column that must hold an address where none can be told


class SignInAdapter(DefaultAccountAdapter):
    """Passwords, sessions and limits."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The email address or the password is not right.",
        "incorrect_password": "That is not your password.",
        "enter_current_password": "That is not your password.",
        "incorrect_code": "That code is not right. A code of an app holds for 30 seconds, a recovery code once.",
        "too_many_login_attempts": "Too many wrong attempts from here. Wait five minutes, then try again.",
        "rate_limited": "Too many attempts. Wait a minute, then try again.",
        "invalid_password_reset": "This link has been used or is too old. Ask for another one.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: an account comes of an invitation or of a command."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_or_none_of(request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return self.request.path

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        site = get_current_site(self.request)
        named = {"request": self.request, "email": email, "current_site": site} | context
        send_in_background(self.render_mail(template_prefix, email, named))

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_wrong_password(str(credentials.get("email", "")))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Wrong passwords count for one account from one address: whoever guesses from elsewhere locks nobody out."""
        account = str(credentials.get("email", "")).casefold()
        return f"{network_of(self.get_client_ip(request))} {account}"


class TwoFactorAdapter(DefaultMFAAdapter):
    """Second factors: their secrets are encrypted as everything secret is."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": SignInAdapter.error_messages["incorrect_code"],
        "incorrect_passkey": "That passkey is not right, or took too long. Try again.",
    }

    def encrypt(self, text: str) -> str:
        return Secret.of(text).stored

    def decrypt(self, encrypted_text: str) -> str:
        return Secret(encrypted_text).reveal()

    def build_totp_svg(self, url: str) -> str:
        """A drawing to stand in the page itself, which needs no permission for `data:` addresses."""
        code = QRCode(image_factory=SvgPathImage, border=2)
        code.add_data(url)
        drawing: str = code.make_image().to_string(encoding="unicode")
        return drawing

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        return "Passkey"


class ProviderAdapter(DefaultSocialAccountAdapter):
    """Signing in by OpenID Connect: a way in for people who are here already, and for nobody else."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """The page says only that it did not work; whoever runs the site needs to know why."""
        if error != AuthError.CANCELLED:
            logger.warning("Signing in by %s failed: %s", provider.name, exception or error)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Let in whom the provider has vouched for before, or else the person with the address it has verified."""
        if sociallogin.state.get("process") != AuthProcess.LOGIN:  # it could also tie a second identity to a session
            raise ImmediateHttpResponse(redirect("account_login"))
        if sociallogin.is_existing:
            return
        person = _vouched_person(sociallogin)
        if person is None:
            messages.error(
                request,
                "Nobody here has the verified email address that your provider gave. "
                "Ask an owner of your organization to invite you under that address.",
            )
            raise ImmediateHttpResponse(redirect("account_login"))
        sociallogin.connect(request, person)


def address_or_none_of(request: HttpRequest) -> str:
    """The client's address, or NO_ADDRESS."""
    return client_address(request) or NO_ADDRESS


def network_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that one customer of a provider has to himself."""
    network = ip_network(address)
    return str(network.supernet(new_prefix=64)) if isinstance(network.network_address, IPv6Address) else address


def _vouched_person(sociallogin: SocialLogin) -> User | None:
    # Exactly true: some providers send the text "false", which Python takes for yes.
    verified = [address.email for address in sociallogin.email_addresses if address.verified is True]
    if not verified:
        return None
    return User.objects.filter(email__iexact=verified[0], is_active=True, is_machine=False).first()
