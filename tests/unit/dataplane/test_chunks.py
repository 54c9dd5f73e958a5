import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataplane import chunks
from dataplane.errors import ClusterError
from dataplane.manifest import Key, Schema
from tests.unit.dataplane.builders import make_field, make_schema

EVERY_TYPE = make_schema(
    make_field("bool", "BOOL", is_nullable=True),
    make_field("int8", "INT8"),
    make_field("int16", "INT16", is_nullable=True),
    make_field("int32", "INT32"),
    make_field("float", "FLOAT"),
    make_field("double", "DOUBLE", is_nullable=True),
    make_field("text", "VARCHAR", is_nullable=True, params={"max_length": 100}),
    make_field("long", "TEXT", is_nullable=True),
    make_field("when", "TIMESTAMPTZ", is_nullable=True),
    make_field("place", "GEOMETRY", is_nullable=True),
    make_field("json", "JSON", is_nullable=True),
    make_field("numbers", "ARRAY", element_type="INT64", is_nullable=True, params={"max_capacity": 4}),
    make_field("words", "ARRAY", element_type="VARCHAR", params={"max_capacity": 4}),
    make_field("vector", "FLOAT_VECTOR", params={"dim": 2}, is_nullable=True),
    make_field("sparse", "SPARSE_FLOAT_VECTOR"),
    make_field("half", "FLOAT16_VECTOR", params={"dim": 3}, is_nullable=True),
    make_field("brain", "BFLOAT16_VECTOR", params={"dim": 3}, is_nullable=True),
    make_field("bits", "BINARY_VECTOR", params={"dim": 16}, is_nullable=True),
    make_field("small", "INT8_VECTOR", params={"dim": 3}, is_nullable=True),
    has_dynamic_field=True,
)
FULL: dict[str, Any] = {
    "id": -(2**63), "bool": True, "int8": -128, "int16": 5, "int32": 2**31 - 1, "float": 0.5, "double": 0.1,
    "text": "naïve 日本", "long": "日" * 70_000, "when": "1900-01-01T08:05:43.000001+08:05",
    "place": "POINT (-0 1.7976931348623157e308)", "json": {"b": [1, None, 2**60], "a": {}},
    "numbers": [1, -1], "words": ["", "x"], "vector": [0.25, -1.0], "sparse": {7: 0.5, 1: 0.25},
    # A signalling NaN in both: bits that arithmetic would change.
    "half": b"\x01\x7d\x00\x3c\xff\xff", "brain": b"\x81\x7f\x80\x3f\xff\xff", "bits": b"\x00\xff",
    "small": b"\x80\x00\x7f", "extra": {"deep": [1]}, "more": None,
}  # fmt: skip
EMPTY: dict[str, Any] = {
    "id": 2**63 - 1, "bool": None, "int8": 0, "int16": None, "int32": 0, "float": 0.0, "double": None,
    "text": None, "long": None, "when": None, "place": None, "json": None,
    "numbers": None, "words": [], "vector": None, "sparse": {3: 1.0},
    "half": None, "brain": None, "bits": None, "small": None,
}  # fmt: skip


def stored(rows: list[dict[str, Any]], schema: Schema) -> bytes:
    return chunks.to_parquet(chunks.to_table(rows, schema), schema)


def read(data: bytes, schema: Schema) -> list[dict[str, Any]]:
    rows = chunks.to_rows(chunks.from_parquet(data, schema, source="chunk"), schema)
    return [
        {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in row.items()}
        for row in rows
    ]


def test_every_type_comes_back_as_it_was_null_included() -> None:
    rows = [EMPTY, FULL, FULL, EMPTY, FULL]
    assert read(stored(rows, EVERY_TYPE), EVERY_TYPE) == rows


def test_a_slice_of_a_chunk_has_its_own_rows() -> None:
    table = chunks.to_table([FULL, FULL | {"id": 5, "brain": b"abcdef"}, EMPTY], EVERY_TYPE)
    (row,) = chunks.to_rows(table.slice(1, 1), EVERY_TYPE)
    assert (row["id"], row["brain"], row["half"]) == (5, b"abcdef", FULL["half"])


def test_values_that_the_server_makes_itself_are_not_stored() -> None:
    schema = make_schema(make_field("made", "SPARSE_FLOAT_VECTOR", is_function_output=True), has_dynamic_field=True)
    assert read(stored([{"id": 1, "made": {1: 0.5}, "own": 2}], schema), schema) == [{"id": 1, "own": 2}]


def test_the_parts_of_a_half_vector_can_be_read_by_anybody() -> None:
    schema = make_schema(make_field("half", "FLOAT16_VECTOR", params={"dim": 2}))
    table = pq.read_table(pa.BufferReader(stored([{"id": 1, "half": np.array([0.5, -2], "<f2").tobytes()}], schema)))
    assert table.column("half").to_pylist() == [[0.5, -2.0]]


def test_the_same_rows_give_the_same_bytes_whatever_pages_they_came_in() -> None:
    schema = make_schema(make_field("vector", "FLOAT_VECTOR", params={"dim": 2}))
    rows = [{"id": number, "vector": [number, 0.5]} for number in range(100)]
    in_one = list(chunks.split(iter([chunks.to_table(rows, schema)]), schema, chunks.Cutter()))
    pages = iter([chunks.to_table(rows[:7], schema), chunks.to_table(rows[7:], schema)])
    in_two = list(chunks.split(pages, schema, chunks.Cutter()))
    assert [chunks.to_parquet(table, schema) for table, _ in in_one] == [
        chunks.to_parquet(table, schema) for table, _ in in_two
    ]


def test_the_order_of_json_keys_does_not_change_the_bytes() -> None:
    schema = make_schema(make_field("json", "JSON"), has_dynamic_field=True)
    one = {"id": 1, "json": {"a": 1, "b": 2}, "x": 1, "y": 2}
    other = {"y": 2, "x": 1, "json": {"b": 2, "a": 1}, "id": 1}
    assert stored([one], schema) == stored([other], schema)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("int8", 1000),
        ("text", 5),
        ("when", 1735660800000000),
        ("place", b"\xff"),
        ("vector", [1.0]),
        ("words", None),
        ("float", "much"),
        ("half", b"12345"),
        ("bits", b"1"),
        ("small", b""),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ClusterError, match=f"The field {field} "):
        stored([FULL | {field: value}], EVERY_TYPE)


@pytest.mark.parametrize("time", ["2025-01-01T00:00:00", "2025-01-01", ""])
def test_a_time_that_says_another_moment_in_another_time_zone_is_refused(time: str) -> None:
    with pytest.raises(ClusterError, match="The field when .* a time without its offset from UTC"):
        stored([FULL, FULL | {"when": time}], EVERY_TYPE)


def test_a_chunk_with_other_columns_than_its_manifest_says_is_refused() -> None:
    with pytest.raises(ClusterError, match="other columns"):
        chunks.from_parquet(stored([{"id": 1}], make_schema()), EVERY_TYPE, source="chunk")


def cut(keys: list[Key], cutter: chunks.Cutter, size_bytes: int = 100) -> list[tuple[Key, ...]]:
    """The keys of each chunk."""
    parts: list[tuple[Key, ...]] = []
    pending: list[Key] = []
    for key in keys:
        pending.append(key)
        if cutter.ends_after(key, size_bytes):
            parts.append(tuple(pending))
            pending = []
    return [*parts, tuple(pending)] if pending else parts


def small_cutter() -> chunks.Cutter:
    return chunks.Cutter(min_bytes=2_000, max_bytes=12_000, mean_bytes=4_000)


@pytest.mark.parametrize("place", [0, 2_000, 9_999])
def test_an_inserted_row_moves_only_the_cuts_near_it(place: int) -> None:
    keys: list[Key] = [number * 2 for number in range(10_000)]
    before = set(cut(keys, small_cutter()))
    after = set(cut([*keys[:place], place * 2 - 1, *keys[place:]], small_cutter()))
    assert len(before) > 100
    assert len(before - after) <= 6


def test_chunks_stay_between_their_smallest_and_largest_size() -> None:
    sizes = [len(part) * 100 for part in cut([f"key {number}" for number in range(20_000)], small_cutter())]
    assert all(2_000 <= size <= 12_000 for size in sizes[:-1])
    assert 4_500 < sum(sizes) / len(sizes) < 7_500


def test_cuts_do_not_depend_on_what_else_ran_in_this_process() -> None:
    keys: list[Key] = list(range(3_000))
    ends = [part[-1] for part in cut(keys, small_cutter())]
    assert hashlib.sha256(repr(ends).encode()).hexdigest() == PINNED_CUTS


PINNED_CUTS = "a25fb9e94fbe8f474444dac5a2c3bf8cc746b5c977348df64302eeb10e1e600b"
"""Cuts that move between versions make every unchanged cluster be sent again: change them only on purpose."""
