"""Addresses of signing in and of one's own account: of django-allauth's those that we need, and a few of our own.

Its names stay without a namespace, because it reverses them itself.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as providers
from allauth.usersessions import views as sessions
from django.urls import include, path, re_path

from . import signin_views as views

_ours = (
    [
        path("account/sessions/end/", views.session_end, name="session-end"),
        path("settings/security/", views.sign_in_security, name="sign-in-security"),
        path("settings/security/<slug:code>/two-factors/", views.two_factors_require, name="two-factors-require"),
        path("settings/security/<slug:code>/sign-out/", views.member_sign_out, name="member-sign-out"),
    ],
    "account",
)

urlpatterns = [
    path("", include(_ours)),
    path("sign-in/", views.sign_in, name="account_login"),
    path("sign-in/code/", mfa.authenticate, name="mfa_authenticate"),
    path("sign-in/passkey/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("sign-in/closed/", account.account_inactive, name="account_inactive"),
    path("sign-in/canceled/", providers.login_cancelled, name="socialaccount_login_cancelled"),
    path("sign-in/with/<slug:provider_id>/", views.provider_sign_in, name="openid_connect_login"),
    path("sign-in/with/<slug:provider_id>/callback/", views.provider_callback, name="openid_connect_callback"),
    path("sign-out/", account.logout, name="account_logout"),
    path("account/forgotten/", views.forgotten_password, name="account_reset_password"),
    path("account/forgotten/sent/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "account/new-password/done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"
    ),
    re_path(
        r"^account/new-password/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.new_password,
        name="account_reset_password_from_key",
    ),
    path("account/password/", account.password_change, name="account_change_password"),
    path("account/password/first/", account.password_set, name="account_set_password"),
    path("account/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("account/confirm/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("account/confirm/passkey/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("account/two-factor/", views.two_factors, name="mfa_index"),
    path("account/two-factor/app/", views.where_secrets_can_be_kept(totp.activate_totp), name="mfa_activate_totp"),
    path("account/two-factor/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/two-factor/codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "account/two-factor/codes/new/",
        views.where_secrets_can_be_kept(recovery_codes.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path("account/passkeys/", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("account/passkeys/add/", views.where_secrets_can_be_kept(webauthn.add_webauthn), name="mfa_add_webauthn"),
    path("account/passkeys/<int:pk>/rename/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path("account/passkeys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
    path("account/sessions/", sessions.list_usersessions, name="usersessions_list"),
]
