"""Which field types the format holds, and what a server's description of them means. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dataplane.errors import UnsupportedField
from dataplane.manifest import FieldEntry, FunctionEntry

INTEGERS = frozenset({"INT8", "INT16", "INT32", "INT64"})
SCALARS = INTEGERS | {"BOOL", "FLOAT", "DOUBLE", "VARCHAR"}
TEXTS = frozenset({"VARCHAR", "TEXT", "TIMESTAMPTZ", "GEOMETRY"})
"""Whose values a server gives and takes as text: times in ISO 8601, shapes as well-known text."""
BYTE_VECTORS = frozenset({"FLOAT16_VECTOR", "BFLOAT16_VECTOR", "BINARY_VECTOR", "INT8_VECTOR"})
"""Vectors that the server gives and takes as bytes, all of one field equally long."""
SUPPORTED = SCALARS | TEXTS | BYTE_VECTORS | {"JSON", "ARRAY", "FLOAT_VECTOR", "SPARSE_FLOAT_VECTOR"}
KEYS = frozenset({"INT64", "VARCHAR"})

WIDTHS = {"BOOL": 1, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}
"""Bytes of the types whose values are all equally long."""
_VECTOR_BITS = {"FLOAT_VECTOR": 32, "FLOAT16_VECTOR": 16, "BFLOAT16_VECTOR": 16, "INT8_VECTOR": 8, "BINARY_VECTOR": 1}
_GUESSED_BYTES = 128
_GUESSED_TEXT_BYTES = 4096
"""Of TEXT, which is there for texts that are too long for a VARCHAR."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DYNAMIC = "$meta"
"""Name of the column for values that no declared field holds; Milvus reserves it."""


def is_vector(type_name: str) -> bool:
    return type_name.endswith("VECTOR")


def vector_bytes(field: FieldEntry) -> int:
    """Bytes of one vector of a dense type."""
    return int(field.params["dim"]) * _VECTOR_BITS[field.type] // 8


def guessed_width(type_name: str, params: Mapping[str, Any]) -> int:
    """Bytes one value of such a field takes; of any type a server may have, also those a backup refuses."""
    if type_name in _VECTOR_BITS:
        return int(params["dim"]) * _VECTOR_BITS[type_name] // 8
    return WIDTHS.get(type_name, _GUESSED_TEXT_BYTES if type_name == "TEXT" else _GUESSED_BYTES)


def checked_fields(collection: object, described: Mapping[str, Any]) -> tuple[FieldEntry, ...]:
    """The fields in `described` (as pymilvus gives it); UnsupportedField names one that would lose something."""
    if described.get("struct_fields") or described.get("struct_array_fields"):
        raise _unsupported(collection, "has struct fields", "struct fields")
    return tuple(_checked_field(collection, entry) for entry in described["fields"] if entry["name"] != DYNAMIC)


def checked_functions(collection: object, described: Mapping[str, Any]) -> tuple[FunctionEntry, ...]:
    """As `checked_fields`. Only BM25 always makes the same values again from the same text."""
    functions = described.get("functions") or ()
    for function in functions:
        if function["type"].name != "BM25":
            found = f"has the function {function['name']} of type {function['type'].name}"
            raise _unsupported(collection, found, "this type of function")
    return tuple(
        FunctionEntry(
            name=str(function["name"]),
            type=str(function["type"].name),
            description=str(function.get("description", "")),
            inputs=tuple(function["input_field_names"]),
            outputs=tuple(function["output_field_names"]),
            params={str(key): str(value) for key, value in sorted(function.get("params", {}).items())},
        )
        for function in functions
    )


def _checked_field(collection: object, described: Mapping[str, Any]) -> FieldEntry:
    name, type_name = str(described["name"]), str(described["type"].name)
    element = described.get("element_type")
    element_type = str(element.name) if type_name == "ARRAY" and element is not None else ""
    is_primary = bool(described.get("is_primary", False))
    if type_name not in SUPPORTED or (element_type and element_type not in SCALARS):
        shown = f"{type_name} of {element_type}" if element_type else type_name
        raise _unsupported(collection, f"has the field {name} of type {shown}", "this type")
    if is_primary and type_name not in KEYS:
        raise _unsupported(collection, f"has the primary key {name} of type {type_name}", "this type of key")
    return FieldEntry(
        name=name,
        type=type_name,
        element_type=element_type,
        description=str(described.get("description", "")),
        is_primary=is_primary,
        auto_id=bool(described.get("auto_id", False)),
        is_nullable=bool(described.get("nullable", False)),
        is_partition_key=bool(described.get("is_partition_key", False)),
        params={str(key): _parameter(value) for key, value in sorted(described.get("params", {}).items())},
        default=_default(described.get("default_value"), type_name),
        is_clustering_key=bool(described.get("is_clustering_key", False)),
        is_function_output=bool(described.get("is_function_output", False)),
    )


def _parameter(value: object) -> str | int | bool:
    return value if isinstance(value, (str, int)) else str(value)


def _default(value: Any, type_name: str) -> str | int | float | bool | None:
    """A default arrives as a protobuf message with one of several members set."""
    found: str | int | float | bool | None
    if value is None or isinstance(value, (str, int, float, bool)):
        found = value
    else:
        kind = value.WhichOneof("data")
        found = getattr(value, kind) if kind else None
    return _time_text(found) if type_name == "TIMESTAMPTZ" and isinstance(found, int) else found


def _time_text(microseconds: int) -> str | int:
    """A server takes the default of a time only as text, but may tell it as a number."""
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
    except OverflowError:  # no calendar has it, and only a server that told it as a number takes it back
        return microseconds


def _unsupported(collection: object, found: str, what: str) -> UnsupportedField:
    return UnsupportedField(
        f"The collection {collection} {found}, and this version cannot back up {what} without loss. "
        "Choose the other collections."
    )
