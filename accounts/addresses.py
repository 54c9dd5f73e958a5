"""Where a request came from."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address of whoever sent `request`, or "" where none can be told.

    That is the other end of the connection, unless it is one of settings.TRUSTED_PROXIES: then it is the last address
    in X-Forwarded-For that no trusted proxy has. What stands before that one was written by whoever wanted to.
    """
    found = _address(request.META.get("REMOTE_ADDR", ""))
    # A proxy on this machine may speak through a socket, which has no address.
    if not settings.TRUSTED_PROXIES or not (found is None or _is_trusted(found)):
        return str(found or "")
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = _address(hop.strip())
        if address is None:
            break
        found = address
        if not _is_trusted(found):
            break
    return str(found or "")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A server that listens on IPv6 sees those who come by IPv4 so.
    return getattr(found, "ipv4_mapped", None) or found


def _is_trusted(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)
