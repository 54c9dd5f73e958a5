"""What Milvus and pymilvus say, in our words, and what we say in theirs. Pure: imports neither."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dataplane.errors import (
    ClusterDenied,
    ClusterError,
    ClusterUnreachable,
    CollectionExists,
    CollectionMissing,
    EndpointInvalid,
)
from dataplane.manifest import IndexEntry, Key
from dataplane.redaction import parts_of, without_secrets

REACH = "be reached"
"""What a connection that was never made could not do."""

_DENIED = re.compile(
    r"auth check failure|unauthenticated|permission ?den|privilege|invalid token|\b401\b|\b403\b", re.IGNORECASE
)
_UNREACHABLE = re.compile(
    r"fail connecting|unavailable|deadline|timed? ?out|unimplemented|connection|server closed", re.IGNORECASE
)
_NOT_FOUND = re.compile(r"(collection|database).*(not found|does not exist|can't find|not exist)", re.IGNORECASE)
_ALREADY = re.compile(r"already exists?|duplicated? (new )?collection", re.IGNORECASE)
_ABOUT_AN_INDEX = frozenset({
    "index_type", "metric_type", "field_name", "index_name", "total_rows", "indexed_rows", "pending_index_rows",
    "state", "index_state_fail_reason", "index_version", "min_index_version", "max_index_version",
})  # fmt: skip
"""What a description of an index holds besides the index's own parameters."""


def explained(
    error: Exception, *, address: str, what: str, collection: str, timeout_seconds: float, token: str
) -> ClusterError:
    """The error for `error`, met when the cluster should `what`. `collection` is empty when none was meant."""
    reason = " ".join(str(getattr(error, "message", "") or error).split())
    reason = without_secrets(reason, parts_of(token))[:300].rstrip(". ")
    said = reason.replace(collection.rpartition(".")[2], "") if collection else reason  # names are not words
    if _DENIED.search(said):
        return ClusterDenied(
            f"{address} refused to {what}: access denied. Check the cluster's token and its privileges."
        )
    if collection and _NOT_FOUND.search(said):
        return CollectionMissing(f"{address} has no collection {collection}. Choose one that exists.")
    if _ALREADY.search(said):
        return CollectionExists(f"{address} could not {what}: the name is taken. Choose another name.")
    if what == REACH or _UNREACHABLE.search(said):
        return ClusterUnreachable(
            f"{address} could not {what}: no answer from Milvus within {timeout_seconds:g} s. "
            "Check that the cluster is running, its endpoint and the network."
        )
    return ClusterError(f"{address} could not {what}: {reason}.")


def literal(key: Key) -> str:
    """`key` as a literal of Milvus' filter language, which knows no \\u escapes."""
    if isinstance(key, int):
        return str(key)
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(character, character) for character in key) + '"'


def plain_value(value: object) -> object:
    """pymilvus wraps the bytes of a vector in a list of one, which no other value can be."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], bytes) else value


def index_entry(described: Mapping[str, Any]) -> IndexEntry:
    return IndexEntry(
        field=described["field_name"],
        name=described.get("index_name", ""),
        type=described.get("index_type", ""),
        metric=described.get("metric_type", ""),
        params={name: str(value) for name, value in sorted(described.items()) if name not in _ABOUT_AN_INDEX},
    )


def checked_address(uri: str) -> str:
    """`uri` without path and secrets, if it is a network address.

    pymilvus would take a path for a Milvus Lite database and open it in this process.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password or port == 0:
        raise EndpointInvalid(
            "The cluster's endpoint is not valid. Write it as https://host:port, and the token in its own field."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
