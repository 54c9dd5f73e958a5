"""The forms of django-allauth in the words of this site, without the grey text inside their fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from allauth.account import forms as account
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from django import forms

from .models import User

LONGEST_KEY_NAME = 60
PASSWORD_HELP = "At least 10 characters, not a common password and not your name or address."  # noqa: S105


class _InOurWords(forms.Form):
    """Takes labels and helps from `labels` and `helps`, and leaves no placeholder."""

    labels: ClassVar[dict[str, str]] = {}
    helps: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)
            field.help_text = self.helps.get(name, "")


class SignInForm(_InOurWords, account.LoginForm):
    def add_prefix(self, field_name: str) -> str:
        """The address is sent as `username`, as it always was: password managers and scripts know it by that name."""
        return super().add_prefix("username" if field_name == "login" else field_name)


class ChangePasswordForm(_InOurWords, account.ChangePasswordForm):
    labels = {"oldpassword": "Current password", "password1": "New password", "password2": "New password again"}
    helps = {"password1": PASSWORD_HELP}


class SetPasswordForm(_InOurWords, account.SetPasswordForm):
    labels = {"password1": "New password", "password2": "New password again"}
    helps = {"password1": PASSWORD_HELP}


class ResetPasswordForm(_InOurWords, account.ResetPasswordForm):
    users: list[User]

    def clean_email(self) -> str:
        email: str = super().clean_email()
        # What a key acts as has an address that nobody reads, and never a password.
        self.users = [user for user in self.users if not user.is_machine]
        return email


class ResetPasswordKeyForm(_InOurWords, account.ResetPasswordKeyForm):
    labels = SetPasswordForm.labels
    helps = SetPasswordForm.helps


class ReauthenticateForm(_InOurWords, account.ReauthenticateForm):
    pass


class _WithCode(_InOurWords):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs |= {"inputmode": "numeric", "autocapitalize": "off", "spellcheck": "false"}


class CodeForm(_WithCode, mfa.AuthenticateForm):
    helps = {"code": "Six digits from your authenticator app, or one of your recovery codes."}


class ConfirmByCodeForm(_WithCode, mfa.ReauthenticateForm):
    helps = CodeForm.helps


class ActivateAppForm(_WithCode, totp.ActivateTOTPForm):
    labels = {"code": "Code"}
    helps = {"code": "The six digits that the app shows now."}


@contextmanager
def _told_of_passkeys() -> Iterator[None]:
    """Says that it is the passkey which is wrong; what no browser sends makes the libraries stumble anyhow."""
    try:
        yield
    except forms.ValidationError as refusal:
        if getattr(refusal, "code", "") != "incorrect_code":
            raise
        raise get_adapter().validation_error("incorrect_passkey") from refusal
    except (ValueError, TypeError, LookupError, AttributeError) as nonsense:
        raise get_adapter().validation_error("incorrect_passkey") from nonsense


class PasskeyStepForm(webauthn.AuthenticateWebAuthnForm):
    """After the password."""

    def clean_credential(self) -> Any:
        with _told_of_passkeys():
            return super().clean_credential()


class PasskeySignInForm(PasskeyStepForm, webauthn.LoginWebAuthnForm):
    """Instead of it."""


class ConfirmByPasskeyForm(PasskeyStepForm, webauthn.ReauthenticateWebAuthnForm):
    pass


class AddPasskeyForm(_InOurWords, webauthn.AddWebAuthnForm):
    labels = {"passwordless": "Sign in with it alone, without a password"}
    helps = {
        "name": "By which you will know it again: a laptop, a phone, a key ring.",
        "passwordless": "It then asks for your fingerprint, your face or its PIN each time.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _limit_name(self)
        self.fields["passwordless"].initial = True

    def clean(self) -> dict[str, Any]:
        with _told_of_passkeys():
            return super().clean() or {}


class RenamePasskeyForm(_InOurWords, webauthn.EditWebAuthnForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _limit_name(self)


def _limit_name(form: forms.Form) -> None:
    # A field of its own in place of theirs, because a limit is checked by what is made with the field.
    old = form.fields["name"]
    form.fields["name"] = forms.CharField(
        label="Name", help_text=old.help_text, required=old.required, max_length=LONGEST_KEY_NAME
    )
