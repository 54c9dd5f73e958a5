"""What a server's description of its fields becomes in the manifest."""

from typing import Any

import pytest
from pymilvus import DataType
from pymilvus.grpc_gen import schema_pb2 as wire

from dataplane.errors import UnsupportedField
from dataplane.fields import SUPPORTED, checked_fields, guessed_width
from dataplane.milvus_schema import pymilvus_schema
from tests.unit.dataplane.builders import make_field, make_schema


def described(type_name: str, **more: Any) -> dict[str, Any]:
    return {"fields": [{"name": "field", "type": DataType[type_name], "params": {}, **more}]}


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (wire.ValueField(timestamptz_data=1735660800000000), "2024-12-31T16:00:00Z"),
        (wire.ValueField(timestamptz_data=0), "1970-01-01T00:00:00Z"),
        (wire.ValueField(timestamptz_data=-1), "1969-12-31T23:59:59.999999Z"),
        (wire.ValueField(string_data="2025-01-01T00:00:00+08:00"), "2025-01-01T00:00:00+08:00"),
        (wire.ValueField(timestamptz_data=2**62), 2**62),
    ],
)
def test_the_default_of_a_time_is_kept_as_the_text_that_servers_take(told: Any, kept: object) -> None:
    (field,) = checked_fields("docs", described("TIMESTAMPTZ", default_value=told))
    assert field.default == kept


@pytest.mark.parametrize("element", ["TIMESTAMPTZ", "GEOMETRY", "TEXT", "STRUCT"])
def test_an_array_of_anything_but_plain_values_is_refused(element: str) -> None:
    with pytest.raises(UnsupportedField, match=f"docs has the field field of type ARRAY of {element}"):
        checked_fields("docs", described("ARRAY", element_type=DataType[element]))


@pytest.mark.parametrize("unknown", sorted({found.name for found in DataType} - SUPPORTED))
def test_a_type_that_the_format_does_not_name_is_refused(unknown: str) -> None:
    with pytest.raises(UnsupportedField, match=f"docs has the field field of type {unknown},"):
        checked_fields("docs", described(unknown))


def test_structures_are_refused_rather_than_left_out() -> None:
    with pytest.raises(UnsupportedField, match="docs has struct fields"):
        checked_fields("docs", {**described("INT64"), "struct_array_fields": [{"name": "parts"}]})


def test_pymilvus_is_asked_for_the_types_that_no_server_here_has() -> None:
    made = pymilvus_schema(
        make_schema(make_field("long", "TEXT", is_nullable=True), make_field("v", "FLOAT_VECTOR", params={"dim": 2}))
    ).to_dict()
    assert [(field["name"], field["type"].name, field.get("nullable", False)) for field in made["fields"]] == [
        ("id", "INT64", False), ("long", "TEXT", True), ("v", "FLOAT_VECTOR", False),
    ]  # fmt: skip


def test_few_long_texts_are_read_at_once() -> None:
    assert guessed_width("TEXT", {}) > 10 * guessed_width("VARCHAR", {"max_length": 65_535})
