"""What one can ask of a Milvus cluster, in the manifest's words.

Only the modules named after Milvus know pymilvus, which takes about a second to import and is imported at first use.
Nothing of it leaves them but messages on their way in or out: its errors become `dataplane.errors`.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dataplane.cluster_types import DEFAULT_DATABASE as DEFAULT_DATABASE
from dataplane.cluster_types import ClusterEndpoint as ClusterEndpoint
from dataplane.cluster_types import CollectionInfo as CollectionInfo
from dataplane.cluster_types import CollectionRef as CollectionRef
from dataplane.cluster_types import Description as Description
from dataplane.cluster_types import SearchHit as SearchHit
from dataplane.cluster_types import ServerInfo as ServerInfo
from dataplane.errors import ClusterDenied
from dataplane.fields import checked_fields, checked_functions, guessed_width, is_vector
from dataplane.manifest import IndexEntry, Key, Schema
from dataplane.milvus_connection import Connection
from dataplane.milvus_schema import forget_schemas, pymilvus_schema
from dataplane.milvus_translation import index_entry, literal, plain_value
from dataplane.milvus_wire import (
    PackedVectors,
    build_index,
    flush,
    insert_request,
    send_insert,
    server_time,
    wire_columns,
)

DEFAULT_PARTITION = "_default"
FLUSHES_AT_ONCE = 8
DATA_TIMEOUT_SECONDS = 120.0
"""For calls that move or build data; the endpoint's own timeout is for answers that should come at once."""

# Of times with zones: in the zone of the collection they would all change with it, and so would every chunk.
_ALL_FIELDS: dict[str, Any] = {"output_fields": ["*"], "timezone": "UTC"}
_STRONG: dict[str, Any] = {"consistency_level": "Strong"}


def check_connection(endpoint: ClusterEndpoint) -> ServerInfo:
    """Who answers at `endpoint`; ClusterUnreachable or ClusterDenied within about its timeout."""
    with Cluster(endpoint) as cluster:
        info = cluster.server_info()
        cluster.databases()  # the version needs no privilege; this does
        return info


def list_collections(endpoint: ClusterEndpoint) -> list[CollectionInfo]:
    """Every collection of every database, sorted."""
    with Cluster(endpoint) as cluster:
        return [cluster.collection_info(ref) for ref in cluster.collections()]


def search(
    endpoint: ClusterEndpoint, ref: CollectionRef, *, vector_field: str, vector: list[float], limit: int
) -> list[SearchHit]:
    """The nearest rows, best first. Loads the collection if needed, and leaves it loaded."""
    with Cluster(endpoint) as cluster:
        return cluster.search(ref, vector_field=vector_field, vector=vector, limit=limit)


def drop_collection(endpoint: ClusterEndpoint, ref: CollectionRef) -> None:
    """Drop it with its rows and aliases; CollectionMissing if it is not there."""
    with Cluster(endpoint) as cluster:
        cluster.describe(ref)
        cluster.drop(ref)


class Cluster(Connection):
    """A cluster's databases, collections and rows. Use as a context manager; not for several threads at once."""

    # What is there

    def databases(self) -> list[str]:
        with self._translated("list its databases"):
            return sorted(self._client(DEFAULT_DATABASE).list_databases(timeout=self.endpoint.timeout_seconds))

    def database_properties(self, database: str) -> dict[str, str] | None:
        """None when this server does not tell them."""
        told = self.optional(
            f"describe the database {database}",
            lambda client, timeout: client.describe_database(database, timeout=timeout),
        )
        return None if told is None else {key: str(value) for key, value in sorted(told.items()) if key != "name"}

    def collections(self) -> list[CollectionRef]:
        found = []
        for database in self.databases():
            with self._translated(f"list the collections of database {database}"):
                names = self._client(database).list_collections(timeout=self.endpoint.timeout_seconds)
            found += [CollectionRef(database, name) for name in names]
        return sorted(found)

    def has_collection(self, ref: CollectionRef) -> bool:
        """Whether a collection of exactly this name exists; aliases do not count."""
        if ref.database not in self.databases():
            return False
        with self._translated(f"look for {ref}", ref):
            names = self._client(ref.database).list_collections(timeout=self.endpoint.timeout_seconds)
        return ref.name in names

    def collection_info(self, ref: CollectionRef) -> CollectionInfo:
        client = self._client(ref.database)
        with self._translated(f"describe {ref}", ref):
            described = client.describe_collection(ref.name, timeout=self.endpoint.timeout_seconds)
            row_count = int(client.get_collection_stats(ref.name, timeout=self.endpoint.timeout_seconds)["row_count"])
        fields = described["fields"]
        return CollectionInfo(
            ref=ref,
            row_count=row_count,
            is_loaded=self.is_loaded(ref),
            vector_fields=tuple(entry["name"] for entry in fields if is_vector(entry["type"].name)),
            primary_field=next((entry["name"] for entry in fields if entry.get("is_primary")), ""),
            estimated_bytes=row_count * sum(guessed_width(entry["type"].name, entry["params"]) for entry in fields),
            dimensions={entry["name"]: int(entry["params"]["dim"]) for entry in fields if "dim" in entry["params"]},
        )

    def describe(self, ref: CollectionRef) -> Description:
        """Everything a backup keeps of `ref`; UnsupportedField when it has something the format cannot hold."""
        client, timeout = self._client(ref.database), self.endpoint.timeout_seconds
        with self._translated(f"describe {ref}", ref):
            described = client.describe_collection(ref.name, timeout=timeout)
            partitions = client.list_partitions(ref.name, timeout=timeout)
            aliases = client.list_aliases(ref.name, timeout=timeout)["aliases"]
            names = client.list_indexes(ref.name, timeout=timeout)
            indexes = [client.describe_index(ref.name, name, timeout=timeout) for name in names]
        is_loaded = self.is_loaded(ref)
        return Description(
            schema=Schema(
                description=described["description"],
                has_dynamic_field=bool(described["enable_dynamic_field"]),
                fields=checked_fields(ref, described),
                functions=checked_functions(ref, described),
            ),
            shards=max(1, int(described["num_shards"])),
            consistency_level=str(described.get("consistency_level_name", "")),
            properties={str(key): str(value) for key, value in sorted(described.get("properties", {}).items())},
            partitions=tuple(sorted(partitions)),
            aliases=tuple(sorted(aliases)),
            indexes=tuple(sorted((index_entry(index) for index in indexes), key=lambda entry: entry.field)),
            is_loaded=is_loaded,
            loaded_partitions=self._loaded_partitions(ref, partitions) if is_loaded else (),
        )

    def _loaded_partitions(self, ref: CollectionRef, partitions: list[str]) -> tuple[str, ...]:
        """A count of a collection that is loaded in part counts that part, and says nothing of the rest."""
        if len(partitions) == 1 or self.info.is_lite:  # which loads only whole collections
            return ()
        client, timeout = self._client(ref.database), self.endpoint.timeout_seconds
        with self._translated(f"tell what of {ref} is loaded", ref):
            loaded = [
                name
                for name in sorted(partitions)
                if client.get_load_state(ref.name, name, timeout=timeout)["state"].name == "Loaded"
            ]
        return () if len(loaded) == len(partitions) else tuple(loaded)

    # Reading

    def flush(self, *refs: CollectionRef) -> None:
        """Several at once, for a server takes seconds for each and spends them waiting."""
        clients = {ref.database: self._client(ref.database) for ref in refs}

        def flush_one(ref: CollectionRef) -> None:
            with self._translated(f"flush {ref}", ref):
                flush(clients[ref.database], ref.name, timeout=DATA_TIMEOUT_SECONDS)

        with ThreadPoolExecutor(FLUSHES_AT_ONCE) as pool:
            list(pool.map(flush_one, refs))

    def is_loaded(self, ref: CollectionRef) -> bool:
        with self._translated(f"tell whether {ref} is loaded", ref):
            answer = self._client(ref.database).get_load_state(ref.name, timeout=self.endpoint.timeout_seconds)
        return bool(answer["state"].name == "Loaded")

    def load(self, ref: CollectionRef) -> None:
        with self._translated(f"load {ref}", ref):
            self._client(ref.database).load_collection(ref.name, timeout=DATA_TIMEOUT_SECONDS)

    def release(self, ref: CollectionRef) -> None:
        with self._translated(f"release {ref}", ref):
            self._client(ref.database).release_collection(ref.name, timeout=DATA_TIMEOUT_SECONDS)

    def release_partitions(self, ref: CollectionRef, partitions: Sequence[str]) -> None:
        with self._translated(f"release partitions of {ref}", ref):
            self._client(ref.database).release_partitions(ref.name, list(partitions), timeout=DATA_TIMEOUT_SECONDS)

    def count(self, ref: CollectionRef) -> int:
        """Rows right now, seen with strong consistency. The collection must be loaded."""
        with self._translated(f"count the rows of {ref}", ref):
            answer = self._client(ref.database).query(
                ref.name, output_fields=["count(*)"], consistency_level="Strong", timeout=DATA_TIMEOUT_SECONDS
            )
        return int(answer[0]["count(*)"])

    def flushed_count(self, ref: CollectionRef) -> int:
        """Rows in the server's files, deleted ones included; after a flush, and no write since, all rows."""
        with self._translated(f"count the rows of {ref}", ref):
            told = self._client(ref.database).get_collection_stats(ref.name, timeout=self.endpoint.timeout_seconds)
        return int(told["row_count"])

    def page(
        self, ref: CollectionRef, *, key_field: str, after: Key | None, partition: str, limit: int
    ) -> list[dict[str, Any]]:
        """Up to `limit` rows whose key is greater than `after`, in key order, with every field."""
        with self._translated(f"read {ref}", ref):
            answer = self._client(ref.database).query(
                ref.name,
                filter=_greater(key_field, after),
                partition_names=[partition] if partition else None,
                timeout=DATA_TIMEOUT_SECONDS,
                **_ALL_FIELDS,
                **_STRONG,
                limit=limit,
                # Without the mark Milvus Lite returns rows as they were inserted, and pages skip some. With it a server
                # would read with less than strong consistency; the server of the old version keeps order without.
                **({"iterator": "True"} if self.info.is_lite else {}),
            )
            return [{name: plain_value(value) for name, value in row.items()} for row in answer]

    def rows_with(
        self, ref: CollectionRef, *, key_field: str, keys: Sequence[Key], partition: str
    ) -> list[dict[str, Any]]:
        """The rows with these keys, in any order, with every field."""
        with self._translated(f"read {ref}", ref):
            answer = self._client(ref.database).query(
                ref.name,
                filter=f"{key_field} in [{', '.join(literal(key) for key in keys)}]",
                partition_names=[partition] if partition else None,
                timeout=DATA_TIMEOUT_SECONDS,
                **_ALL_FIELDS,
                **_STRONG,
            )
            return [{name: plain_value(value) for name, value in row.items()} for row in answer]

    def moment(self) -> int | None:
        """The server's own time now, for `columns`; None when this server, or this pymilvus, does not tell it."""
        try:
            return self.optional("tell the time", server_time) or None
        except (AttributeError, TypeError, ClusterDenied):
            return None

    def columns(
        self,
        ref: CollectionRef,
        *,
        key_field: str,
        after: Key | None,
        partition: str,
        limit: int,
        moment: int | None = None,
    ) -> Sequence[Any]:
        """As `page`, as the columns (`FieldData`) of the wire format; empty when there are no rows.

        With a `moment` the answer shows everything written before it, and perhaps some of what came later. Without, it
        shows everything written before the call, for which a server waits about a tenth of a second every time.
        """
        since = _STRONG if moment is None else {"consistency_level": "Customized", "guarantee_timestamp": moment}
        with self._translated(f"read {ref}", ref):
            return wire_columns(
                self._client(ref.database),
                ref.name,
                _greater(key_field, after),
                [partition] if partition else None,
                timeout=DATA_TIMEOUT_SECONDS,
                options={**_ALL_FIELDS, **since, "limit": limit},
            )

    def search(self, ref: CollectionRef, *, vector_field: str, vector: list[float], limit: int) -> list[SearchHit]:
        schema = self.describe(ref).schema
        shown = [entry.name for entry in schema.fields if not is_vector(entry.type)]
        if not self.is_loaded(ref):
            self.load(ref)
        with self._translated(f"search {ref}", ref):
            answer = self._client(ref.database).search(
                ref.name,
                data=[vector],
                anns_field=vector_field,
                limit=limit,
                output_fields=["*"] if schema.has_dynamic_field else shown,
                consistency_level="Strong",
                timeout=DATA_TIMEOUT_SECONDS,
            )
            vectors = {entry.name for entry in schema.fields if is_vector(entry.type)}
            return [
                SearchHit(
                    key=hit[schema.primary.name] if schema.primary.name in hit else hit["id"],
                    score=float(hit["distance"]),
                    fields={name: value for name, value in dict(hit["entity"]).items() if name not in vectors},
                )
                for hit in answer[0]
            ]

    # Writing

    def create_database(self, database: str, properties: Mapping[str, str]) -> None:
        self.call(
            f"create the database {database}",
            lambda client, timeout: client.create_database(database, properties=dict(properties), timeout=timeout),
        )

    def create(
        self,
        ref: CollectionRef,
        schema: Schema,
        *,
        shards: int,
        consistency_level: str,
        properties: Mapping[str, str],
        partition_count: int | None = None,
    ) -> None:
        """An empty collection without indexes. `partition_count` is for one with a partition key."""
        with self._translated(f"create {ref}", ref):
            made = pymilvus_schema(schema)
            forget_schemas()
            self._client(ref.database).create_collection(
                ref.name,
                schema=made,
                num_shards=shards,
                properties=dict(properties),
                timeout=DATA_TIMEOUT_SECONDS,
                **({"consistency_level": consistency_level} if consistency_level else {}),
                **({"num_partitions": partition_count} if partition_count else {}),
            )

    def create_partition(self, ref: CollectionRef, partition: str) -> None:
        with self._translated(f"create the partition {partition} of {ref}", ref):
            self._client(ref.database).create_partition(ref.name, partition, timeout=DATA_TIMEOUT_SECONDS)

    def create_index(self, ref: CollectionRef, index: IndexEntry) -> None:
        """Built on return, for all rows that are flushed."""
        with self._translated(f"build the index {index.name} of {ref}", ref):
            build_index(self._client(ref.database), ref.name, index, timeout=DATA_TIMEOUT_SECONDS)

    def drop_index(self, ref: CollectionRef, name: str) -> None:
        with self._translated(f"drop the index {name} of {ref}", ref):
            self._client(ref.database).drop_index(ref.name, name, timeout=self.endpoint.timeout_seconds)

    def insert(self, ref: CollectionRef, rows: Sequence[dict[str, Any]], *, partition: str) -> int:
        """How many rows the server says it took."""
        with self._translated(f"write to {ref}", ref):
            answer = self._client(ref.database).insert(
                ref.name, list(rows), partition_name=partition, timeout=DATA_TIMEOUT_SECONDS
            )
        return int(answer["insert_count"])

    def packed(self, ref: CollectionRef, rows: list[dict[str, Any]], vectors: PackedVectors, *, partition: str) -> Any:
        """The message that inserts `rows`, whose float vectors are in `vectors`; for `send` of the same collection."""
        with self._translated(f"write to {ref}", ref):
            return insert_request(
                self._client(ref.database), ref.name, rows, vectors, partition, timeout=DATA_TIMEOUT_SECONDS
            )

    def send(self, ref: CollectionRef, packed: Any) -> int:
        """As `insert`, of what `packed` has made."""
        with self._translated(f"write to {ref}", ref):
            return send_insert(self._client(ref.database), packed, timeout=DATA_TIMEOUT_SECONDS)

    def rename(self, ref: CollectionRef, name: str) -> None:
        with self._translated(f"rename {ref} to {name}", ref):
            self._client(ref.database).rename_collection(ref.name, name, timeout=DATA_TIMEOUT_SECONDS)

    def drop(self, ref: CollectionRef) -> None:
        """Drop it with its aliases; fine when it is not there."""
        client = self._client(ref.database)
        with self._translated(f"drop {ref}", ref):
            if ref.name not in client.list_collections(timeout=self.endpoint.timeout_seconds):
                return
            for alias in client.list_aliases(ref.name, timeout=self.endpoint.timeout_seconds)["aliases"]:
                client.drop_alias(alias, timeout=self.endpoint.timeout_seconds)
            client.drop_collection(ref.name, timeout=DATA_TIMEOUT_SECONDS)

    def aliases(self, database: str) -> dict[str, str]:
        """Every alias of `database` and the collection it stands for."""
        client, timeout = self._client(database), self.endpoint.timeout_seconds
        with self._translated(f"list the aliases of database {database}"):
            return {
                alias: name
                for name in client.list_collections(timeout=timeout)
                for alias in client.list_aliases(name, timeout=timeout)["aliases"]
            }

    def create_alias(self, ref: CollectionRef, alias: str) -> None:
        with self._translated(f"give {ref} the alias {alias}", ref):
            self._client(ref.database).create_alias(ref.name, alias, timeout=self.endpoint.timeout_seconds)

    def drop_alias(self, database: str, alias: str) -> None:
        with self._translated(f"drop the alias {alias}"):
            self._client(database).drop_alias(alias, timeout=self.endpoint.timeout_seconds)


def _greater(key_field: str, after: Key | None) -> str:
    return "" if after is None else f"{key_field} > {literal(after)}"
