"""The manifest: what a backup holds, in a file that a person can read."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dataplane import strict_json
from dataplane.errors import ManifestInvalid

FORMAT = "backupsite/1.2"
_FORMER_FORMATS = ("backupsite/1", "backupsite/1.1")

Scalar = str | int | float | bool
Key = int | str

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FieldEntry:
    name: str
    type: str
    """Milvus' name of the type: `INT64`, `VARCHAR`, `FLOAT_VECTOR`, ..."""
    element_type: str
    """Of an ARRAY; empty otherwise."""
    description: str
    is_primary: bool
    auto_id: bool
    is_nullable: bool
    is_partition_key: bool
    params: Mapping[str, str | int | bool]
    default: str | int | float | bool | None
    is_clustering_key: bool = False
    is_function_output: bool = False
    """The server makes its values from other fields, so no chunk has them."""


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """What fills a field from others, such as BM25."""

    name: str
    type: str
    description: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Schema:
    description: str
    has_dynamic_field: bool
    fields: tuple[FieldEntry, ...]
    functions: tuple[FunctionEntry, ...] = ()

    @property
    def stored_fields(self) -> tuple[FieldEntry, ...]:
        """Those whose values are in the chunks, in the order of the columns."""
        return tuple(field for field in self.fields if not field.is_function_output)

    @property
    def primary(self) -> FieldEntry:
        return next(field for field in self.fields if field.is_primary)

    @property
    def has_partition_key(self) -> bool:
        return any(field.is_partition_key for field in self.fields)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    field: str
    name: str
    type: str
    metric: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChunkRef:
    sha256: str
    size_bytes: int
    row_count: int
    partition: str
    """Empty for a collection with a partition key: the server places those rows itself."""
    first_key: int | str
    last_key: int | str


@dataclass(frozen=True, slots=True)
class CollectionEntry:
    database: str
    name: str
    schema: Schema
    indexes: tuple[IndexEntry, ...]
    partitions: tuple[str, ...]
    aliases: tuple[str, ...]
    shards: int
    consistency_level: str
    properties: Mapping[str, str]
    is_loaded: bool
    row_count: int
    chunks: tuple[ChunkRef, ...]
    notes: tuple[str, ...]
    loaded_partitions: tuple[str, ...] = ()
    """When only these were loaded; empty when all were, or none."""


@dataclass(frozen=True, slots=True)
class DatabaseEntry:
    name: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GrantEntry:
    object_type: str
    object_name: str
    database: str
    privilege: str


@dataclass(frozen=True, slots=True)
class PrivilegeGroupEntry:
    """Privileges under a name that a role can be granted; none of those that every server has."""

    name: str
    privileges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleEntry:
    name: str
    description: str
    grants: tuple[GrantEntry, ...]


@dataclass(frozen=True, slots=True)
class UserEntry:
    """Never with a password: a restore makes a new one."""

    name: str
    description: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exclusion:
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class LineageStep:
    """One copy on the way from where the backup was taken to where this manifest lies."""

    source_region: str
    target_region: str


@dataclass(frozen=True, slots=True)
class Manifest:
    backup_id: str
    cluster_id: str
    cluster_name: str
    region: str
    """Where the backup was first taken; copies keep it."""
    created_at: datetime
    fence: int
    """Of the attempt that wrote this manifest."""
    collections: tuple[CollectionEntry, ...]
    exclusions: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    software: Mapping[str, str]
    lineage: tuple[LineageStep, ...]
    point_in_time: str = ""
    """What moment the rows are of, in a sentence; empty when nobody wrote it down."""
    databases: tuple[DatabaseEntry, ...] = ()
    """Of the collections; for a backup of the whole cluster, all there are."""
    users: tuple[UserEntry, ...] = ()
    roles: tuple[RoleEntry, ...] = ()
    privilege_groups: tuple[PrivilegeGroupEntry, ...] = ()

    @property
    def chunks(self) -> tuple[ChunkRef, ...]:
        """Every stored chunk once, in order of first use; two collections with the same rows share one."""
        return tuple({chunk.sha256: chunk for entry in self.collections for chunk in entry.chunks}.values())

    @property
    def size_bytes(self) -> int:
        """Bytes of the chunks in the store."""
        return sum(chunk.size_bytes for chunk in self.chunks)

    @property
    def row_count(self) -> int:
        return sum(entry.row_count for entry in self.collections)

    def has_same_content(self, other: "Manifest") -> bool:
        """Whether both are the same backup with the same rows, whoever wrote or copied it."""
        return (self.backup_id, self.cluster_id, self.collections) == (
            other.backup_id,
            other.cluster_id,
            other.collections,
        )


def to_json(manifest: Manifest) -> bytes:
    """The stored form. The same manifest always gives the same bytes."""
    body = strict_json.encode(manifest)
    document = {"format": FORMAT, "sha256": _digest(body), "manifest": body}
    return (_laid_out(document) + "\n").encode()


_on_one_line = json.JSONEncoder(ensure_ascii=False).encode


def _laid_out(value: Any, margin: str = "") -> str:
    """JSON for a text editor: a line for every object or list that holds no other, such as a chunk."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not any(isinstance(item, (dict, list)) for item in inner):
        return _on_one_line(value)
    deeper = margin + " "
    if isinstance(value, dict):
        lines = [f"{deeper}{_on_one_line(key)}: {_laid_out(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    lines = [f"{deeper}{_laid_out(item, deeper)}" for item in value]
    return "[\n" + ",\n".join(lines) + f"\n{margin}]"


def from_json(data: bytes, *, source: str = "The manifest") -> Manifest:
    """The manifest in `data`; ManifestInvalid names what is wrong. `source` begins the message."""
    try:
        document: Any = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"{source} is not valid JSON. Copy the backup again from another region.") from error
    if not isinstance(document, dict) or document.get("format") not in (FORMAT, *_FORMER_FORMATS):
        found = document.get("format") if isinstance(document, dict) else None
        raise ManifestInvalid(
            f"{source} has the format {str(found)[:60]!r}; this version reads {FORMAT!r}. Use a version that reads it."
        )
    if document.keys() != {"format", "sha256", "manifest"}:
        raise ManifestInvalid(f"{source} must hold exactly format, sha256 and manifest.")
    if document["sha256"] != _digest(document["manifest"]):
        raise ManifestInvalid(
            f"{source} does not match its own SHA-256, so it was changed after it was written. "
            "Copy the backup again from another region."
        )
    try:
        body = document["manifest"]
        if document["format"] != FORMAT:
            body = _upgraded(body, document["format"])
        manifest = strict_json.decode(Manifest, body, "manifest")
        _check(manifest)
    except strict_json.Mismatch as error:
        raise ManifestInvalid(f"{source} is not valid: {error}. Copy the backup again from another region.") from error
    return manifest


def _check(manifest: Manifest) -> None:
    """What types alone cannot say."""
    names = Counter((entry.database, entry.name) for entry in manifest.collections)
    for number, entry in enumerate(manifest.collections):
        where = f"manifest.collections[{number}]"
        if names[entry.database, entry.name] > 1:
            raise strict_json.Mismatch(f"{where}: {entry.database}.{entry.name} is listed twice")
        if sum(field.is_primary for field in entry.schema.fields) != 1:
            raise strict_json.Mismatch(f"{where}.schema must have exactly one primary field")
        if entry.shards < 1:
            raise strict_json.Mismatch(f"{where}.shards must be at least 1")
        if entry.row_count != sum(chunk.row_count for chunk in entry.chunks):
            raise strict_json.Mismatch(f"{where}.row_count is not the sum of its chunks")
        for position, chunk in enumerate(entry.chunks):
            if not _DIGEST.fullmatch(chunk.sha256):
                raise strict_json.Mismatch(f"{where}.chunks[{position}].sha256 must be 64 hexadecimal digits")
            if chunk.size_bytes < 1 or chunk.row_count < 1:
                raise strict_json.Mismatch(f"{where}.chunks[{position}] must hold at least one row and one byte")


_NEW: Mapping[str, Mapping[str, Any]] = {
    "backupsite/1": {"point_in_time": "", "databases": [], "users": [], "roles": [], "privilege_groups": []},
    "backupsite/1.1": {"privilege_groups": []},
}
"""Keys that each former format did not have."""


def _upgraded(body: Any, former: str) -> Any:
    """A manifest of a former format in today's keys; unchanged, to be refused, when it is not quite one."""
    try:
        new = _NEW[former]
        if early := sorted(body.keys() & new.keys()):
            raise strict_json.Mismatch(f"manifest.{early[0]} is not part of the format {former}")
        if former != _FORMER_FORMATS[0]:
            return {**body, **new}
        collections = [
            {
                **entry,
                "loaded_partitions": [],
                "schema": {
                    **entry["schema"],
                    "functions": [],
                    "fields": [
                        {**field, "is_clustering_key": False, "is_function_output": False}
                        for field in entry["schema"]["fields"]
                    ],
                },
            }
            for entry in body["collections"]
        ]
    except (AttributeError, KeyError, TypeError):
        return body
    return {**body, **new, "collections": collections}


def _digest(body: object) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
