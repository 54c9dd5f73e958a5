"""How sessions are told to people."""

from __future__ import annotations

from django import template

from accounts.signin_adapters import NO_ADDRESS

register = template.Library()

# The first that is found counts: most browsers also claim to be those further down.
_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
LONGEST_UNKNOWN = 60


@register.filter
def browser_name(user_agent: str) -> str:
    """Browser and system in words; of what is no browser we know, what it says of itself."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or user_agent[:LONGEST_UNKNOWN] or "Something without a name"


@register.filter
def known_address(address: str) -> str:
    return "not known" if address == NO_ADDRESS else address
