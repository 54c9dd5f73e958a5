"""Who may call the views that are not ours, by their names in the URLs; ours say it themselves (accounts/guard.py)."""

from accounts.guard import Access

FOREIGN_VIEWS: dict[str, Access] = {
    "login": Access(why_open="Here people sign in."),
    "logout": Access(why_open="Without a session there is none to end."),
}
