"""What a server cannot hold of a backed-up collection: refused if data or answers would change, else said. Pure.

Servers drop in silence what they do not know, so what they made is compared with what was asked.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dataplane.errors import UnsupportedField
from dataplane.fields import is_vector
from dataplane.manifest import FieldEntry, IndexEntry, Schema

LONGEST_TEXT = 65_535
"""Bytes; the most any server allows."""
_TYPES_SINCE: dict[str, tuple[int, ...]] = {
    "SPARSE_FLOAT_VECTOR": (2, 4), "BFLOAT16_VECTOR": (2, 4), "INT8_VECTOR": (2, 5),
    "GEOMETRY": (2, 6, 4), "TIMESTAMPTZ": (2, 6, 6), "TEXT": (3, 0),
}  # fmt: skip
"""A server that is older may take the schema and end for good at the first row: so 2.3.5 does of a TIMESTAMPTZ."""
_NEWEST = 999
_SEVERAL_VECTORS_SINCE = (2, 4)
_NULL_SINCE = (2, 5)
_FUNCTIONS_SINCE = (2, 5)


def fitted(collection: object, schema: Schema, *, version: str, is_lite: bool) -> tuple[Schema, list[str]]:
    """`schema` as this server can take it without changing a row, and what was changed.

    UnsupportedField names what its version is known to lack; what Milvus Lite lacks, it says itself.
    """
    if is_lite:
        return schema, []
    number = _number(version)
    for what, since in _needs(schema):
        if number < since:
            raise UnsupportedField(
                f"{collection} has {what}, and the cluster runs Milvus {version}. "
                f"Restore into Milvus {'.'.join(map(str, since))} or newer, or leave this collection out."
            )
    notes = []
    fields: list[FieldEntry] = []
    for field in schema.fields:
        if field.default is not None and number < _NULL_SINCE:
            notes.append(
                f"{collection}: Milvus {version} knows no defaults, so {field.name} lost {field.default!r}; "
                "the restored rows have their values"
            )
            field = replace(field, default=None)
        if "VARCHAR" in (field.type, field.element_type) and "max_length" not in field.params:
            field = replace(field, params={**field.params, "max_length": LONGEST_TEXT})
            notes.append(f"{collection}: how long texts in {field.name} may be was not told; it is {LONGEST_TEXT} now")
        if field.is_primary and field.auto_id:
            field = replace(field, auto_id=False)
            notes.append(
                f"{collection}: auto id is off, because with it this server would have given all rows new keys; "
                "new rows must bring theirs"
            )
        fields.append(field)
    return replace(schema, fields=tuple(fields)), notes


def _needs(schema: Schema) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What of `schema` not every server has, and the version that brought it."""
    for field in schema.fields:
        if field.type in _TYPES_SINCE:
            yield f"the field {field.name} of type {field.type}", _TYPES_SINCE[field.type]
        if field.is_nullable:
            yield f"the nullable field {field.name}", _NULL_SINCE
    vectors = [field.name for field in schema.fields if is_vector(field.type)]
    if len(vectors) > 1:
        yield f"several vector fields ({', '.join(vectors)})", _SEVERAL_VECTORS_SINCE
    for function in schema.functions:
        yield f"the function {function.name}", _FUNCTIONS_SINCE


def schema_differences(collection: object, asked: Schema, made: Schema) -> list[str]:
    """What the server did not keep though no row depends on it; UnsupportedField when one does."""
    notes = _worded(collection, [("description", asked.description, made.description)])
    there = {field.name: field for field in made.fields}
    for field in asked.fields:
        got = there.get(field.name)
        if got is None or _essence(got) != _essence(field):
            found = "nothing" if got is None else _spoken(got)
            raise UnsupportedField(
                f"The cluster made {found} of the field {field.name} of {collection}, which is {_spoken(field)}. "
                "Restore into a newer server, or leave this collection out."
            )
        pairs: list[tuple[str, object, object]] = [
            (f"description of {field.name}", field.description, got.description),
            (f"default of {field.name}", field.default, got.default),
            (f"auto id of {field.name}", field.auto_id, got.auto_id),
            (f"clustering key {field.name}", field.is_clustering_key, got.is_clustering_key),
        ]
        pairs += [(f"{name} of {field.name}", value, got.params.get(name)) for name, value in field.params.items()]
        notes += _worded(collection, pairs)
    if {function.name for function in asked.functions} != {function.name for function in made.functions}:
        raise UnsupportedField(f"The cluster dropped the functions of {collection}. Restore into a newer server.")
    return notes


def setting_differences(collection: object, asked: Mapping[str, object], made: Mapping[str, object]) -> list[str]:
    """One sentence for each setting of `asked` that the server holds otherwise."""
    return _worded(collection, [(name, value, made.get(name)) for name, value in asked.items()])


def index_differences(collection: object, asked: tuple[IndexEntry, ...], made: tuple[IndexEntry, ...]) -> list[str]:
    """Compared by field; names, types, metrics and parameters that the server holds otherwise."""
    there = {index.field: index for index in made}
    notes: list[str] = []
    for index in asked:
        got = there.get(index.field, IndexEntry(index.field, "", "", "", {}))
        what = f"index on {index.field}"
        pairs: list[tuple[str, object, object]] = [
            (f"name of the {what}", index.name, got.name),
            (f"type of the {what}", index.type, got.type),
            (f"metric of the {what}", index.metric, got.metric),
        ]
        pairs += [(f"{name} of the {what}", value, got.params.get(name)) for name, value in index.params.items()]
        notes += _worded(collection, pairs)
    return notes


def _worded(collection: object, pairs: Iterable[tuple[str, object, object]]) -> list[str]:
    return [
        f"{collection}: the cluster did not keep the {what}: {_shown(asked)} became {_shown(made)}"
        for what, asked, made in pairs
        if str(asked) != str(made)
    ]


def _shown(value: object) -> str:
    return "nothing" if value in (None, "") else repr(value)


def _essence(field: FieldEntry) -> tuple[object, ...]:
    """What decides which values the field can hold."""
    sizes = tuple(str(field.params.get(name)) for name in ("dim", "max_length", "max_capacity"))
    return field.type, field.element_type, field.is_primary, field.is_nullable, field.is_partition_key, sizes


def _spoken(field: FieldEntry) -> str:
    kind = f"{field.type} of {field.element_type}" if field.element_type else field.type
    return f"nullable {kind}" if field.is_nullable else kind


def _number(version: str) -> tuple[int, int, int]:
    """Of what a version does not say, or not in a way we can read, we assume that it is new."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2]), int(found[3] or _NEWEST)) if found else (_NEWEST, 0, 0)
