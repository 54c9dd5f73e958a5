"""Where everything lies in a store. Pure.

clusters/<cluster id>/chunks/<first two hex>/<sha256>.parquet   shared by all backups of the cluster in this store
clusters/<cluster id>/backups/<backup id>/manifest.json         written last: no manifest, no backup
clusters/<cluster id>/backups/<backup id>/README.txt            how to restore without this software
"""

import re
from functools import lru_cache

from dataplane.errors import ManifestInvalid

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CHUNK = re.compile(r"clusters/[^/]+/chunks/([0-9a-f]{2})/(\1[0-9a-f]{62})\.parquet")
_MANIFEST = re.compile(r"clusters/[^/]+/backups/([^/]+)/manifest\.json")


def chunks_prefix(cluster_id: str) -> str:
    return f"clusters/{checked_id(cluster_id)}/chunks/"


def backups_prefix(cluster_id: str) -> str:
    return f"clusters/{checked_id(cluster_id)}/backups/"


def chunk_key(cluster_id: str, sha256: str) -> str:
    return f"{chunks_prefix(cluster_id)}{sha256[:2]}/{sha256}.parquet"


def manifest_key(cluster_id: str, backup_id: str) -> str:
    return f"{backups_prefix(cluster_id)}{checked_id(backup_id)}/manifest.json"


def readme_key(cluster_id: str, backup_id: str) -> str:
    return f"{backups_prefix(cluster_id)}{checked_id(backup_id)}/README.txt"


def tombstone_key(cluster_id: str, backup_id: str) -> str:
    return f"{backups_prefix(cluster_id)}{checked_id(backup_id)}/deleting.json"


def backup_of_manifest(key: str) -> str | None:
    """The backup id when `key` is a manifest's key."""
    match = _MANIFEST.fullmatch(key)
    return match[1] if match else None


def digest_of_chunk(key: str) -> str | None:
    """The SHA-256 in the name when `key` is a chunk's key; None for whatever else lies among the chunks."""
    match = _CHUNK.fullmatch(key)
    return match[2] if match else None


@lru_cache(maxsize=256)  # asked for every chunk of the same cluster
def checked_id(value: str) -> str:
    """`value`, if it can be one part of a key on every store."""
    if not _ID.fullmatch(value):
        raise ManifestInvalid(
            f"The id {value[:100]!r} cannot be used in a store. Use letters, digits, dots and dashes."
        )
    return value
