"""From the columns of Milvus' wire format straight to Arrow, without a Python object per number.

Every column is checked for its length; what does not add up is a ValueError, and the caller reads rows instead.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dataplane.chunks import arrow_schema, json_text, to_column, vectors_column
from dataplane.fields import BYTE_VECTORS, DYNAMIC, TEXTS
from dataplane.manifest import FieldEntry, Schema

_BYTES_OF = {
    "FLOAT16_VECTOR": ("float16_vector", "<f2", 1),
    "BFLOAT16_VECTOR": ("bfloat16_vector", "V2", 1),
    "INT8_VECTOR": ("int8_vector", "i1", 1),
    "BINARY_VECTOR": ("binary_vector", "u1", 8),
}
"""Where the wire keeps the bytes, of what elements they are, and how many dimensions one element holds."""


def to_table(fields_data: Sequence[Any], schema: Schema) -> pa.Table:
    """The rows of a query's answer, as `chunks.to_table` would make them. ValueError when columns do not add up."""
    found = {message.field_name: message for message in fields_data}
    target = arrow_schema(schema)
    try:
        row_count = _row_count(found[schema.primary.name], schema.primary)
        columns = [
            _column(found[field.name], field, target.field(field.name).type, row_count)
            for field in schema.stored_fields
        ]
        if schema.has_dynamic_field:
            names = {field.name for field in schema.fields}
            columns.append(pa.array(_extras(found[DYNAMIC], names, row_count), pa.string()))
        return pa.Table.from_arrays(columns, schema=target)
    except (KeyError, AttributeError, TypeError, pa.ArrowException) as error:
        raise ValueError(f"an answer in another form than expected: {error!r}") from error


def _row_count(message: Any, primary: FieldEntry) -> int:
    data = message.scalars.long_data.data if primary.type == "INT64" else message.scalars.string_data.data
    return len(data)


def _column(message: Any, field: FieldEntry, target: pa.DataType, row_count: int) -> pa.Array:
    is_null = [not is_valid for is_valid in message.valid_data] or [False] * row_count
    if len(is_null) != row_count:
        raise ValueError(f"{field.name} tells of {len(is_null)} rows, the key of {row_count}")
    if any(is_null) and not field.is_nullable:
        raise ValueError(f"NULL in {field.name}, which is not nullable")
    if field.type == "FLOAT_VECTOR":
        return _dense(_packed(message.vectors.float_vector, "<f4"), int(field.params["dim"]), is_null, target)
    if field.type in BYTE_VECTORS:
        return _bytes(message.vectors, field, is_null, target)
    if field.type in ("FLOAT", "DOUBLE") and not any(is_null):
        wire = (message.scalars.float_data, "<f4") if field.type == "FLOAT" else (message.scalars.double_data, "<f8")
        flat = _packed(*wire)
        if len(flat) != row_count:
            raise ValueError(f"{field.name} has {len(flat)} values for {row_count} rows")
        return pa.array(flat, target)
    values = _spread(_VALUES.get(field.type, _integers)(message), is_null)
    return to_column(values, field, target)


def _spread(values: Sequence[Any], is_null: list[bool]) -> list[Any]:
    """One value per row; some servers send nothing for a NULL, others something meaningless."""
    if len(values) == len(is_null):
        return [None if null else value for value, null in zip(values, is_null, strict=True)]
    if len(values) != is_null.count(False):
        raise ValueError(f"{len(values)} values for {len(is_null)} rows")
    remaining = iter(values)
    return [None if null else next(remaining) for null in is_null]


def _dense(flat: Any, per_row: int, is_null: list[bool], target: pa.DataType) -> pa.Array:
    there = is_null.count(False)
    if len(flat) == per_row * len(is_null) and there < len(is_null):
        flat = flat.reshape(-1, per_row)[~np.asarray(is_null)].ravel()
    if len(flat) != per_row * there:
        raise ValueError(f"{len(flat)} numbers for {there} vectors of {per_row}")
    return vectors_column(flat, is_null, target)


def _bytes(vectors: Any, field: FieldEntry, is_null: list[bool], target: pa.DataType) -> pa.Array:
    name, element, dimensions = _BYTES_OF[field.type]
    flat = np.frombuffer(getattr(vectors, name), element)
    per_row = int(field.params["dim"]) // dimensions
    if field.type != "BINARY_VECTOR":
        return _dense(flat, per_row, is_null, target)
    if len(flat) % per_row:
        raise ValueError(f"{len(flat)} bytes for vectors of {per_row}")
    return pa.array(_spread([row.tobytes() for row in flat.reshape(-1, per_row)], is_null), target)


def _packed(message: Any, element: str) -> Any:
    """The numbers of a message whose only field is packed: one tag, one length, then all of them as they lie."""
    data = message.SerializeToString()
    start = 1
    while start < len(data) and data[start] & 0x80:
        start += 1
    return np.frombuffer(data, element, offset=start + 1) if data else np.empty(0, element)


def _integers(message: Any) -> Sequence[Any]:
    return list(message.scalars.int_data.data)


def _arrays(message: Any) -> Sequence[Any]:
    cells = message.scalars.array_data.data
    return [list(getattr(cell, kind).data) if (kind := cell.WhichOneof("data")) else [] for cell in cells]


def _sparse(message: Any) -> Sequence[Any]:
    pair = np.dtype([("index", "<u4"), ("value", "<f4")])
    rows = (np.frombuffer(content, pair) for content in message.vectors.sparse_float_vector.contents)
    return [dict(zip(row["index"].tolist(), row["value"].tolist(), strict=True)) for row in rows]


_VALUES: Mapping[str, Callable[[Any], Sequence[Any]]] = {
    "BOOL": lambda message: list(message.scalars.bool_data.data),
    "INT64": lambda message: list(message.scalars.long_data.data),
    "FLOAT": lambda message: list(message.scalars.float_data.data),
    "DOUBLE": lambda message: list(message.scalars.double_data.data),
    "GEOMETRY": lambda message: list(message.scalars.geometry_wkt_data.data),
    **dict.fromkeys(TEXTS - {"GEOMETRY"}, lambda message: list(message.scalars.string_data.data)),
    "JSON": lambda message: [json.loads(text) if text else None for text in message.scalars.json_data.data],
    "ARRAY": _arrays,
    "SPARSE_FLOAT_VECTOR": _sparse,
}
"""Of the types whose values become Python objects; the shorter integers share one place."""


def _extras(message: Any, names: set[str], row_count: int) -> list[str]:
    texts = message.scalars.json_data.data
    if len(texts) != row_count:
        raise ValueError(f"{len(texts)} dynamic values for {row_count} rows")
    return [
        json_text({name: value for name, value in json.loads(text or b"{}").items() if name not in names})
        for text in texts
    ]
