"""What the options of a store say: who we are, or where the files lie. Pure."""

from __future__ import annotations

from collections.abc import Mapping

# Names obstore knows without their provider's prefix. Whatever is not listed may lead to another place.
_CREDENTIALS = frozenset(
    {"access_key_id", "secret_access_key", "session_token", "token"}
    | {"service_account", "service_account_key", "service_account_path", "application_credentials"}
    | {"account_key", "access_key", "master_key", "sas_key", "sas_token", "bearer_token"}
    | {"client_id", "client_secret", "tenant_id"}
)
_WAITING = frozenset({"timeout", "connect_timeout"})
_PREFIXES = ("aws_", "google_", "azure_storage_", "azure_")


def parse_options(text: str) -> dict[str, str]:
    """The options of a text with one NAME=value per line; other lines say nothing."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def moved_options(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The options whose change may make the same address mean another place: all but credentials and timeouts."""
    old, new = _locating(before), _locating(after)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _locating(options: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in options.items() if not _is_harmless(name.lower(), value)}


def _is_harmless(name: str, value: str) -> bool:
    if "gcs_base_url" in value:  # a service account's key can name another server
        return False
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix) in _CREDENTIALS or name in _WAITING
