"""What browsers are told to refuse on every page; docs/threat-model.md says against whom. Pure: settings reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_SELF, _NOTHING = "'self'", "'none'"

# Everything else, such as autoplay or reading the clipboard, is asked of the person by the browser itself.
_UNUSED_FEATURES = (
    "accelerometer",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)
# Passkeys, and buttons that copy a name: ours, and of no frame.
_OWN_FEATURES = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")

PERMISSIONS_POLICY = ", ".join(
    [f"{name}=()" for name in _UNUSED_FEATURES] + [f"{name}=(self)" for name in _OWN_FEATURES]
)


def content_security_policy(*, form_targets: Sequence[str] = (), report_uri: str = "") -> dict[str, Any]:
    """The setting CONTENT_SECURITY_POLICY: files of our own and nothing else, the same for every page.

    No nonce, no hash, no exception for charts: nothing is inline. `form_targets` are origins that a form of ours may
    lead on to, such as that of a company's sign-in: browsers count the redirects after a form as part of it.
    """
    directives: dict[str, Any] = {
        "default-src": [_NOTHING],
        "script-src": [_SELF],
        "style-src": [_SELF],
        "img-src": [_SELF],
        "font-src": [_SELF],
        "connect-src": [_SELF],
        "form-action": [_SELF, *form_targets],
        "base-uri": [_NOTHING],
        "frame-ancestors": [_NOTHING],
    }
    if report_uri:
        directives["report-uri"] = [report_uri]
    return {"DIRECTIVES": directives}
