"""Rows to Parquet bytes and back, and where one chunk ends and the next begins.

Pure: bytes and rows in, bytes and rows out. The same rows always give the same bytes for one version of pyarrow.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataplane.errors import ClusterError
from dataplane.fields import BYTE_VECTORS, DYNAMIC, TEXTS, WIDTHS, guessed_width, vector_bytes
from dataplane.manifest import FieldEntry, Key, Schema

MIB = 1024 * 1024
MIN_CHUNK_BYTES = 4 * MIB
MAX_CHUNK_BYTES = 24 * MIB
MEAN_BYTES_TO_CUT = 8 * MIB

_ARROW = {
    "BOOL": pa.bool_(), "INT8": pa.int8(), "INT16": pa.int16(), "INT32": pa.int32(), "INT64": pa.int64(),
    "FLOAT": pa.float32(), "DOUBLE": pa.float64(), "JSON": pa.string(), **dict.fromkeys(TEXTS, pa.string()),
}  # fmt: skip
_HAS_OFFSET = r"(Z|[+-]\d\d:\d\d)$"

_ELEMENT = {
    "FLOAT_VECTOR": pa.float32(), "FLOAT16_VECTOR": pa.float16(), "BFLOAT16_VECTOR": pa.binary(2),
    "INT8_VECTOR": pa.int8(),
}  # fmt: skip
"""Of the dense vectors that are lists; a binary vector has no element of whole bytes."""
_NUMPY = {"FLOAT_VECTOR": "<f4", "FLOAT16_VECTOR": "<f2", "INT8_VECTOR": "i1"}
_SPLIT = _ELEMENT.keys() - {"INT8_VECTOR"}
"""Whose elements have several bytes: the exponents of all of them, put together, shrink."""


@dataclass(slots=True)
class Cutter:
    """Decides after which rows a chunk ends, from the key and the raw size of each row alone.

    Once a chunk has its smallest size, each row ends it with a chance in proportion to the row's size, drawn from a
    hash of its key. So a row inserted or deleted moves the cuts near it, and the ones after that fall where they fell.
    """

    min_bytes: int = MIN_CHUNK_BYTES
    max_bytes: int = MAX_CHUNK_BYTES
    mean_bytes: int = MEAN_BYTES_TO_CUT
    _pending_bytes: int = 0

    def ends_after(self, key: Key, size_bytes: int) -> bool:
        self._pending_bytes += size_bytes
        if self._pending_bytes < self.min_bytes:
            return False
        drawn = int.from_bytes(hashlib.blake2b(str(key).encode(), digest_size=8).digest(), "big")
        if self._pending_bytes < self.max_bytes and drawn * self.mean_bytes >= size_bytes << 64:
            return False
        self._pending_bytes = 0
        return True


def arrow_schema(schema: Schema) -> pa.Schema:
    """One column per field, and one of JSON text for the dynamic field when there is one."""
    columns = [pa.field(field.name, _arrow_type(field), nullable=field.is_nullable) for field in schema.stored_fields]
    if schema.has_dynamic_field:
        columns.append(pa.field(DYNAMIC, pa.string(), nullable=False))
    return pa.schema(columns)


def to_table(rows: Sequence[dict[str, Any]], schema: Schema) -> pa.Table:
    """`rows` as Arrow columns; ClusterError when a row does not fit its own collection's schema."""
    target = arrow_schema(schema)
    names = {field.name for field in schema.fields}
    columns: list[Any] = []
    field_name = ""
    try:
        for field in schema.stored_fields:
            field_name = field.name
            values = [row[field.name] for row in rows]
            if not field.is_nullable and None in values:
                raise ValueError("NULL in a field that is not nullable")
            columns.append(to_column(values, field, target.field(field.name).type))
        if schema.has_dynamic_field:
            field_name = DYNAMIC
            extra = [{name: value for name, value in row.items() if name not in names} for row in rows]
            columns.append(pa.array([json_text(value) for value in extra], pa.string()))
        return pa.Table.from_arrays(columns, schema=target)
    except (pa.ArrowException, KeyError, ValueError, TypeError, OverflowError) as error:
        raise ClusterError(
            f"The field {field_name} returned values that do not fit its type: {error}. Nothing was stored of them."
        ) from error


def to_rows(table: pa.Table, schema: Schema) -> list[dict[str, Any]]:
    """The rows as pymilvus inserts them; an absent value is None."""
    columns: dict[str, list[Any]] = {}
    for field in schema.stored_fields:
        columns[field.name] = _from_column(table.column(field.name), field)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if schema.has_dynamic_field:
        for row, extra in zip(rows, table.column(DYNAMIC).to_pylist(), strict=True):
            row.update(json.loads(extra))
    return rows


def row_sizes(table: pa.Table, schema: Schema) -> list[int]:
    """Raw bytes of each row: what the cuts and the progress count."""
    sizes = np.zeros(table.num_rows, dtype=np.int64)
    for field in schema.stored_fields:
        if field.type in WIDTHS:
            sizes += WIDTHS[field.type]
        elif field.type == "FLOAT_VECTOR" or field.type in BYTE_VECTORS:
            sizes += vector_bytes(field)
        elif field.type in TEXTS or field.type == "JSON":
            sizes += _lengths(pc.binary_length(table.column(field.name)))
        elif field.type == "ARRAY" and field.element_type != "VARCHAR":
            sizes += WIDTHS[field.element_type] * _lengths(pc.list_value_length(table.column(field.name)))
        else:
            sizes += [len(str(value)) for value in table.column(field.name).to_pylist()]
    if schema.has_dynamic_field:
        sizes += _lengths(pc.binary_length(table.column(DYNAMIC)))
    return [int(size) for size in np.maximum(sizes, 1)]


def estimated_row_bytes(schema: Schema) -> int:
    """A guess before any row was read; good enough to choose a page size and to begin a progress bar."""
    dynamic_bytes = 64 if schema.has_dynamic_field else 0
    return dynamic_bytes + sum(guessed_width(field.type, field.params) for field in schema.stored_fields)


def to_parquet(table: pa.Table, schema: Schema) -> bytes:
    """The stored form of one chunk: one row group, no dictionaries, zstd; vectors split by byte, which zstd likes."""
    one_piece = table.combine_chunks()  # pages depend on how the columns lie in memory
    split = [f"{field.name}.list.element" for field in schema.stored_fields if field.type in _SPLIT]
    sink = pa.BufferOutputStream()
    pq.write_table(
        one_piece,
        sink,
        row_group_size=max(1, one_piece.num_rows),
        use_dictionary=False,
        write_statistics=False,
        compression="zstd",
        compression_level=1,
        use_byte_stream_split=split or False,
        data_page_version="1.0",
    )
    return bytes(sink.getvalue())


def from_parquet(data: bytes, schema: Schema, *, source: str) -> pa.Table:
    """The rows of a chunk whose digest was checked; ClusterError when they do not fit the manifest's schema."""
    table = pq.read_table(pa.BufferReader(data))
    if not table.schema.equals(arrow_schema(schema)):
        raise ClusterError(f"{source} holds other columns than its manifest says. Restore another backup.")
    return table


def split(tables: Iterator[pa.Table], schema: Schema, cutter: Cutter) -> Iterator[tuple[pa.Table, int]]:
    """The rows of `tables` cut into chunks: each chunk with its raw size in bytes."""
    pending: list[pa.Table] = []
    pending_bytes = 0
    for table in tables:
        keys = table.column(schema.primary.name).to_pylist()
        start = 0
        for position, (key, size_bytes) in enumerate(zip(keys, row_sizes(table, schema), strict=True)):
            pending_bytes += size_bytes
            if cutter.ends_after(key, size_bytes):
                pending.append(table.slice(start, position + 1 - start))
                yield pa.concat_tables(pending), pending_bytes
                pending, pending_bytes, start = [], 0, position + 1
        if start < table.num_rows:
            pending.append(table.slice(start))
    if pending:
        yield pa.concat_tables(pending), pending_bytes


def _arrow_type(field: FieldEntry) -> pa.DataType:
    if field.type in _ELEMENT:
        return pa.list_(pa.field("element", _ELEMENT[field.type]), int(field.params["dim"]))
    if field.type == "BINARY_VECTOR":
        return pa.binary(vector_bytes(field))
    if field.type == "SPARSE_FLOAT_VECTOR":
        return pa.map_(pa.uint32(), pa.float32())
    if field.type == "ARRAY":
        return pa.list_(pa.field("element", _ARROW[field.element_type]))
    return _ARROW[field.type]


def to_column(values: list[Any], field: FieldEntry, target: pa.DataType) -> pa.Array:
    if field.type == "JSON":
        return pa.array([None if value is None else json_text(value) for value in values], target)
    if field.type == "SPARSE_FLOAT_VECTOR":
        return pa.array([None if value is None else sorted(value.items()) for value in values], target)
    if field.type == "FLOAT_VECTOR":
        width = int(field.params["dim"])
        given = [value for value in values if value is not None]
        flat = np.asarray(given, dtype=np.float32).reshape(len(given), width).ravel()
        return vectors_column(flat, [value is None for value in values], target)
    if field.type in BYTE_VECTORS:
        return _byte_vectors(values, field, target)
    if field.type == "TIMESTAMPTZ":
        return _times(pa.array(values, target))
    return pa.array(values, target)


def _times(texts: pa.Array) -> pa.Array:
    """`texts`, each a moment by itself: one without its offset is another moment in a cluster of another time zone."""
    if pc.all(pc.match_substring_regex(texts, _HAS_OFFSET), min_count=0).as_py():
        return texts
    raise ValueError("a time without its offset from UTC")


def _byte_vectors(values: list[bytes | None], field: FieldEntry, target: pa.DataType) -> pa.Array:
    width = vector_bytes(field)
    for value in values:
        if value is not None and len(value) != width:
            raise ValueError(f"a vector of {len(value)} bytes instead of {width}")
    if field.type == "BINARY_VECTOR":
        return pa.array(values, target)
    flat = b"".join(value for value in values if value is not None)
    return vectors_column(
        np.frombuffer(flat, _NUMPY.get(field.type, "V2")), [value is None for value in values], target
    )


def vectors_column(flat: Any, is_null: list[bool], target: pa.DataType) -> pa.Array:
    """Fixed-size lists over the elements of all vectors that are there."""
    if pa.types.is_fixed_size_binary(target.value_type):
        elements = pa.FixedSizeBinaryArray.from_buffers(target.value_type, len(flat), [None, pa.py_buffer(flat)])
    else:
        elements = pa.array(flat, target.value_type)
    if not any(is_null):
        return pa.FixedSizeListArray.from_arrays(elements, type=target)
    there = pa.FixedSizeListArray.from_arrays(elements, type=target)
    positions = np.cumsum(~np.asarray(is_null)) - 1
    return there.take(pa.array(positions, pa.int64(), mask=np.asarray(is_null)))


def _from_column(column: pa.ChunkedArray, field: FieldEntry) -> list[Any]:
    if field.type == "JSON":
        return [None if value is None else json.loads(value) for value in column.to_pylist()]
    if field.type == "SPARSE_FLOAT_VECTOR":
        return [None if value is None else dict(value) for value in column.to_pylist()]
    if field.type in _ELEMENT:
        return _from_vectors(column.combine_chunks(), field)
    return list(column.to_pylist())


def _from_vectors(column: pa.Array, field: FieldEntry) -> list[Any]:
    """One float array per row, or its bytes for the types a server takes as bytes."""
    elements = column.flatten()  # of those that are there
    if field.type == "BFLOAT16_VECTOR":
        flat: Any = np.frombuffer(elements.buffers()[1], "V2")[elements.offset : elements.offset + len(elements)]
    else:
        flat = elements.to_numpy(zero_copy_only=False)
    vectors = iter(flat.reshape(-1, int(field.params["dim"])))
    is_float = field.type == "FLOAT_VECTOR"
    return [
        None if is_null else next(vectors) if is_float else next(vectors).tobytes()
        for is_null in column.is_null().to_pylist()
    ]


def json_text(value: object) -> str:
    """JSON text with sorted keys: servers do not promise an order, and equal rows must give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _lengths(lengths: pa.ChunkedArray) -> Any:
    return lengths.fill_null(0).to_numpy()
