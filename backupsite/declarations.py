"""Who may call the views that are not ours, by their names in the URLs; ours say it themselves (accounts/guard.py)."""

from accounts.guard import Access

FOREIGN_VIEWS: dict[str, Access] = {
    "mfa_authenticate": Access(why_open="The second step of signing in: the password was right."),
    "mfa_login_webauthn": Access(why_open="Here people sign in with a passkey."),
    "account_inactive": Access(why_open="It tells whose account is closed."),
    "socialaccount_login_cancelled": Access(why_open="It tells who stopped at the provider."),
    "account_logout": Access(why_open="Without a session there is none to end."),
    "account_reset_password_done": Access(why_open="It says the same to everybody."),
    "account_reset_password_from_key_done": Access(why_open="It says the same to everybody."),
    "account_change_password": Access(),
    "account_set_password": Access(),
    "account_reauthenticate": Access(),
    "mfa_reauthenticate": Access(),
    "mfa_reauthenticate_webauthn": Access(),
    "mfa_deactivate_totp": Access(),
    "mfa_view_recovery_codes": Access(),
    "mfa_list_webauthn": Access(),
    "mfa_edit_webauthn": Access(),
    "mfa_remove_webauthn": Access(),
    "usersessions_list": Access(),
}
