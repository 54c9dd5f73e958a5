"""What is said of a cluster: where it is, who answers, and what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dataplane.manifest import IndexEntry, Key, Schema
from dataplane.reach import Reach

DEFAULT_DATABASE = "default"


@dataclass(frozen=True, slots=True)
class ClusterEndpoint:
    uri: str
    token: str = field(default="", repr=False)
    timeout_seconds: float = 10
    reach: Reach | None = None
    """Where `uri` may lead if somebody typed it; without one it may lead anywhere."""


@dataclass(frozen=True, slots=True, order=True)
class CollectionRef:
    database: str
    name: str

    def __str__(self) -> str:
        return self.name if self.database == DEFAULT_DATABASE else f"{self.database}.{self.name}"


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    ref: CollectionRef
    row_count: int
    """As the server's statistics say; a backup counts for itself."""
    is_loaded: bool
    vector_fields: tuple[str, ...]
    primary_field: str
    estimated_bytes: int
    """Rows times the width of their fields, texts taken at a guess; good enough for a first quote."""
    dimensions: Mapping[str, int] = field(default_factory=dict)
    """Of those vector fields that have one; sparse vectors have none."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    version: str
    is_lite: bool


@dataclass(frozen=True, slots=True)
class SearchHit:
    key: Key
    score: float
    fields: dict[str, object]
    """Every field but the vectors."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a server says of a collection, in the manifest's words."""

    schema: Schema
    shards: int
    consistency_level: str
    properties: dict[str, str]
    partitions: tuple[str, ...]
    aliases: tuple[str, ...]
    indexes: tuple[IndexEntry, ...]
    is_loaded: bool
    loaded_partitions: tuple[str, ...] = ()
    """When only these are loaded; empty when all are, or none."""
