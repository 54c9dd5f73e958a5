"""What the operator lets the addresses reach that people type; the data plane keeps it at every connection."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

from dataplane.reach import Reach


def reach() -> Reach:
    return Reach(
        networks=tuple(settings.ALLOWED_NETWORKS),
        folders=(settings.LOCAL_STORES_ROOT,),
        host_credentials=settings.HOST_CREDENTIALS,
    )


def folder_of(url: str) -> Path | None:
    """The real folder of a store's address, links followed; None where it is no folder or cannot be one."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    try:
        return Path(unquote(parts.path)).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name no file can have
        return None
