"""Writing Arrow tables to a collection, the next batch packed while the last one is on its way."""

from dataclasses import replace
from typing import Any

import pyarrow as pa

from dataplane import chunks
from dataplane.errors import ClusterError
from dataplane.manifest import Schema
from dataplane.milvus import Cluster, CollectionRef
from dataplane.milvus_wire import PackedVectors

BATCH_BYTES = 8 * 1024 * 1024
MAX_BATCH_ROWS = 5000
PROBE_ROWS = 16


class BatchWriter:
    """Sends vectors as they lie in memory where pymilvus would send the same bytes, and rows, slower, where not.

    `pack` in one thread and `send` in another may run at the same time.
    """

    def __init__(self, cluster: Cluster, ref: CollectionRef, schema: Schema) -> None:
        self.cluster, self.ref, self.schema = cluster, ref, schema
        self.batch_rows = max(1, min(MAX_BATCH_ROWS, BATCH_BYTES // chunks.estimated_row_bytes(schema)))
        self._vectors = [field for field in schema.stored_fields if field.type == "FLOAT_VECTOR"]
        self._others = replace(schema, fields=tuple(field for field in schema.fields if field not in self._vectors))
        self._is_columnar: bool | None = None if self._vectors else False

    def pack(self, table: pa.Table, partition: str) -> Any:
        """What `send` takes for the rows of `table`, at most `batch_rows` of them."""
        if self._is_columnar is None:
            self._is_columnar = self._packs_the_same(table.slice(0, PROBE_ROWS), partition)
        if self._is_columnar:
            return self._packed(table, partition)
        return chunks.to_rows(table, self.schema), partition

    def send(self, packed: Any) -> int:
        """How many rows the server says it took."""
        if self._is_columnar:
            return self.cluster.send(self.ref, packed)
        rows, partition = packed
        return self.cluster.insert(self.ref, rows, partition=partition)

    def _packed(self, table: pa.Table, partition: str) -> Any:
        rows = chunks.to_rows(table, self._others)
        vectors: dict[str, tuple[int, bytes]] = {}
        for field in self._vectors:
            column = table.column(field.name).combine_chunks()
            vectors[field.name] = int(field.params["dim"]), column.flatten().to_numpy().tobytes()
            for row, is_null in zip(rows, column.is_null().to_pylist(), strict=True):
                row[field.name] = None if is_null else []
        return self.cluster.packed(self.ref, rows, vectors, partition=partition)

    def _packs_the_same(self, table: pa.Table, partition: str) -> bool:
        """Whether both ways make the same message of the first rows."""
        nothing: PackedVectors = {}
        try:
            fast = self._packed(table, partition)
            plain = self.cluster.packed(self.ref, chunks.to_rows(table, self.schema), nothing, partition=partition)
            return bool(fast.SerializeToString(deterministic=True) == plain.SerializeToString(deterministic=True))
        except (ClusterError, AttributeError, ImportError, TypeError):  # another pymilvus, another way to ask
            return False
