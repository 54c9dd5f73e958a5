"""Reading a collection page by page, the next one while the last one is being stored."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataplane import chunks, columnar
from dataplane.errors import ClusterError
from dataplane.manifest import Key, Schema
from dataplane.milvus import Cluster, CollectionRef

PAGE_BYTES = 8 * 1024 * 1024
MIN_PAGE_ROWS, MAX_PAGE_ROWS = 200, 8000
PROBE_ROWS = 64


class PageReader:
    """Reads columns where the server sends them as we understand them, and rows, slower, where it does not.

    Every page shows at least what was there when the reader was made.
    """

    def __init__(self, cluster: Cluster, ref: CollectionRef, schema: Schema) -> None:
        self.cluster, self.ref, self.schema = cluster, ref, schema
        self.limit = min(MAX_PAGE_ROWS, max(MIN_PAGE_ROWS, PAGE_BYTES // chunks.estimated_row_bytes(schema)))
        self._is_columnar: bool | None = None
        self._moment = cluster.moment()

    def read(self, after: Key | None, partition: str) -> pa.Table:
        """Up to `limit` rows whose key is greater than `after`, proven to be in key order."""
        if self._is_columnar is None:
            self._is_columnar = self._answers_the_same(after, partition)
        table = (self.columns if self._is_columnar else self.rows)(after, partition, self.limit)
        self._prove_order(table.column(self.schema.primary.name), after)
        return table

    def rows(self, after: Key | None, partition: str, limit: int) -> pa.Table:
        key_field = self.schema.primary.name
        found = self.cluster.page(self.ref, key_field=key_field, after=after, partition=partition, limit=limit)
        return chunks.to_table(found, self.schema)

    def columns(self, after: Key | None, partition: str, limit: int) -> pa.Table:
        """As `rows`, faster; ClusterError when the answer is in another form than the one known here."""
        key_field = self.schema.primary.name
        found = self.cluster.columns(
            self.ref, key_field=key_field, after=after, partition=partition, limit=limit, moment=self._moment
        )
        if not found:
            return chunks.arrow_schema(self.schema).empty_table()
        try:
            return columnar.to_table(found, self.schema)
        except ValueError as error:
            raise ClusterError(
                f"{self.cluster.address} answered a query of {self.ref} in a form not known here ({error}). "
                "Run the backup again; if it repeats, report it with the server's version."
            ) from error

    def _answers_the_same(self, after: Key | None, partition: str) -> bool | None:
        """Whether both ways give the same first rows; None when there are none to compare."""
        key_field = self.schema.primary.name
        try:
            fast = self.columns(after, partition, PROBE_ROWS)
        except (ClusterError, AttributeError, ImportError, TypeError):  # another pymilvus, another way to ask
            return False
        if not fast.num_rows:
            return None
        keys = fast.column(key_field).to_pylist()
        place = {key: number for number, key in enumerate(keys)}
        plain = self.cluster.rows_with(self.ref, key_field=key_field, keys=keys, partition=partition)
        plain.sort(key=lambda row: place[row[key_field]])
        return bool(fast.equals(chunks.to_table(plain, self.schema)))

    def _prove_order(self, keys: pa.ChunkedArray, after: Key | None) -> None:
        """Keys by value, texts by their UTF-8 bytes, as Milvus sorts them."""
        if isinstance(after, str) or pa.types.is_string(keys.type):
            whole = pa.chunked_array([pa.array([] if after is None else [after], pa.string()), *keys.chunks])
            whole = whole.cast(pa.binary())
            is_sorted = pc.all(pc.less(whole[:-1], whole[1:]), min_count=0).as_py() if len(whole) > 1 else True
        else:
            values = keys.to_numpy()
            is_after = after is None or not len(values) or values[0] > after
            is_sorted = is_after and bool(np.all(values[:-1] < values[1:]))
        if not is_sorted:
            raise ClusterError(
                f"{self.cluster.address} returned the rows of {self.ref} out of key order, so some could be missed. "
                "Upgrade the server, then run the backup again."
            )


def tables(reader: PageReader, partition: str, *, before_each: Callable[[], None]) -> Iterator[pa.Table]:
    """The rows of one partition in key order. `before_each` runs in the caller's thread before a page is asked for."""
    with ThreadPoolExecutor(1) as ahead:
        before_each()
        pending = ahead.submit(reader.read, None, partition)
        while (table := pending.result()).num_rows:
            before_each()
            pending = ahead.submit(reader.read, table.column(reader.schema.primary.name)[-1].as_py(), partition)
            yield table
