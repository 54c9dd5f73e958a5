"""What the options of a bucket may say when somebody else than the operator typed them.

obstore knows many more: files to read and send, commands to run, addresses to fetch credentials from, a proxy. What is
not named here is refused, so that a new version of it adds nothing by itself.
"""

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from dataplane.errors import StoreMisconfigured
from dataplane.reach import AddressRefused, Reach

PREFIXES = ("aws_", "google_", "azure_storage_", "azure_")
"""The same option may be written with its provider's name before it."""

_SERVER = frozenset({"endpoint", "endpoint_url", "endpoint_url_s3", "base_url"})
_CLIENT = frozenset({"allow_http", "allow_invalid_certificates", "connect_timeout", "timeout"})
_EVERYWHERE = frozenset({"disable_tagging", "skip_signature"})
_ALLOWED = {
    "s3": _CLIENT
    | _EVERYWHERE
    | _SERVER
    | {"access_key_id", "secret_access_key", "session_token", "token", "region", "default_region"}
    | {"virtual_hosted_style_request", "unsigned_payload", "checksum_algorithm", "request_payer", "s3_express"}
    | {"server_side_encryption", "sse_kms_key_id", "sse_bucket_key_enabled", "disable_bulk_delete"}
    | {"conditional_put", "copy_if_not_exists"},
    "gs": _CLIENT | _EVERYWHERE | _SERVER | {"service_account_key", "bearer_token"},
    "az": _CLIENT
    | _EVERYWHERE
    | _SERVER
    | {"account_name", "account_key", "access_key", "master_key", "sas_key", "sas_token", "bearer_token", "token"}
    | {"client_id", "client_secret", "tenant_id"},
}
# Where these lead the machine itself decides: its files, its environment, its identity in the cloud.
_OF_THE_HOST = frozenset(
    {"service_account", "service_account_path", "application_credentials"}
    | {"role_arn", "role_session_name", "web_identity_token_file", "federated_token_file"}
)
_CREDENTIALS = {
    "s3": [{"access_key_id", "secret_access_key"}],
    "gs": [{"service_account_key"}, {"bearer_token"}],
    "az": [
        *({"account_name", key} for key in ("account_key", "access_key", "master_key")),
        *({"account_name", key} for key in ("sas_key", "sas_token", "bearer_token", "token")),
        {"account_name", "client_id", "client_secret", "tenant_id"},
    ],
}
# These become part of a host name or of a path at the provider's.
_PLAIN_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_WORDS = ("region", "default_region", "account_name", "tenant_id")


def named_server(options: Mapping[str, str]) -> str:
    """The address of a server that is not the provider's own, or nothing."""
    return next((value for name, value in options.items() if _plain(name) in _SERVER and value), "")


def check_bucket(url: str, options: Mapping[str, str], *, reach: Reach, name: str) -> None:
    """StoreMisconfigured if the bucket or an option leads where `reach` allows nobody."""
    scheme, bucket = urlsplit(url).scheme, urlsplit(url).netloc
    plain = {_plain(option): value for option, value in options.items()}
    allowed = _ALLOWED[scheme] | (_OF_THE_HOST if reach.host_credentials else frozenset())
    if refused := sorted(option for option in options if _plain(option) not in allowed):
        raise StoreMisconfigured(
            f"{name} was given options that this site does not take: {', '.join(refused)[:300]}. "
            f"Leave them out. Known are: {', '.join(sorted(allowed))}."
        )
    if len(plain) < len(options):
        raise StoreMisconfigured(f"{name} was given the same option twice. Leave one of them out.")
    for what, text in [("bucket", bucket), *((word, plain[word]) for word in _WORDS if plain.get(word))]:
        if not _PLAIN_WORD.fullmatch(text) or ".." in text:
            raise StoreMisconfigured(
                f"{name} has a {what} that is no name: use letters, digits, dots, hyphens and underscores."
            )
    _check_key(plain.get("service_account_key", ""), name=name)
    has_own = plain.get("skip_signature", "").lower() == "true" or any(
        all(plain.get(option) for option in needed) for needed in _CREDENTIALS[scheme]
    )
    server = named_server(options)
    # The machine's own credentials are for the provider's own servers: any other could keep what it is sent.
    if not has_own and (server or not reach.host_credentials):
        needed = " or ".join(" and ".join(sorted(group)) for group in _CREDENTIALS[scheme])
        raise StoreMisconfigured(f"{name} has no credentials. Enter {needed} as its options.")
    if server:
        _check_server(server, reach=reach, name=name)


def _check_server(address: str, *, reach: Reach, name: str) -> None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        parts, host, port = urlsplit(""), "", 0
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise StoreMisconfigured(f"{name} names a server that is no address. Write it as https://host:port.")
    try:
        reach.resolve(host, port)
    except AddressRefused as refusal:
        raise StoreMisconfigured(
            f"{name} names the server {host}, which is or leads to an address that this site may not reach. "
            "Whoever runs the site can allow it (ALLOWED_NETWORKS)."
        ) from refusal
    except OSError:
        pass  # it has no address now; the first request will say so, and the gateway asks again


def _check_key(text: str, *, name: str) -> None:
    """A service account's key may name other servers than Google's."""
    if not text:
        return
    try:
        key = json.loads(text)
    except ValueError:
        key = None
    if not isinstance(key, dict) or "gcs_base_url" in key or key.get("disable_oauth"):
        raise StoreMisconfigured(
            f"{name} has a service_account_key that is no key as Google gives it: a JSON object on one line, with "
            "no gcs_base_url in it. Download a new one."
        )


def _plain(option: str) -> str:
    lower = option.lower()
    return lower.removeprefix(next((prefix for prefix in PREFIXES if lower.startswith(prefix)), ""))
