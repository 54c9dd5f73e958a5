"""What no server that runs here sends: NULLs left out, long texts, and vectors of 16 and 8 bits."""

from typing import Any

import numpy as np
import pytest
from pymilvus import DataType
from pymilvus.client import type_info
from pymilvus.grpc_gen import schema_pb2 as wire

from dataplane import chunks, columnar
from tests.unit.dataplane.builders import make_field, make_schema


def keys(*values: int) -> Any:
    message = wire.FieldData(field_name="id")
    message.scalars.long_data.data.extend(values)
    return message


def vector_field(name: str, values: bytes, valid: list[bool]) -> Any:
    message = wire.FieldData(field_name="v", valid_data=valid)
    setattr(message.vectors, name, values)
    return message


def read(*messages: Any, type_name: str, is_nullable: bool = True, **params: int) -> list[Any]:
    schema = make_schema(make_field("v", type_name, is_nullable=is_nullable, params=params))
    rows = chunks.to_rows(columnar.to_table(messages, schema), schema)
    return [row["v"].tolist() if isinstance(row["v"], np.ndarray) else row["v"] for row in rows]


@pytest.mark.parametrize(
    ("type_name", "name"),
    [("BFLOAT16_VECTOR", "bfloat16_vector"), ("FLOAT16_VECTOR", "float16_vector"), ("INT8_VECTOR", "int8_vector")],
)
def test_vectors_of_few_bits_keep_every_bit(type_name: str, name: str) -> None:
    width = 1 if type_name == "INT8_VECTOR" else 2
    one, other = b"\x01\x7d\x81\x7f"[: 2 * width], b"\xff\xff\x00\x80"[: 2 * width]
    assert read(keys(1, 2), vector_field(name, one + other, []), type_name=type_name, dim=2) == [one, other]


@pytest.mark.parametrize("sent", [b"\x01\x02\x05\x06", b"\x01\x02\x00\x00\x05\x06"])
def test_a_null_vector_may_be_left_out_or_sent_as_zeros(sent: bytes) -> None:
    found = read(keys(1, 2, 3), vector_field("int8_vector", sent, [True, False, True]), type_name="INT8_VECTOR", dim=2)
    assert found == [b"\x01\x02", None, b"\x05\x06"]


@pytest.mark.parametrize("sent", [[7, 9], [7, 0, 9]])
def test_a_null_number_may_be_left_out_or_sent_as_zero(sent: list[int]) -> None:
    message = wire.FieldData(field_name="v", valid_data=[True, False, True])
    message.scalars.int_data.data.extend(sent)
    assert read(keys(1, 2, 3), message, type_name="INT32") == [7, None, 9]


TIME, SHAPE = "2025-01-01T00:00:00.000001Z", "POINT (1 2)"


@pytest.mark.parametrize(
    ("type_name", "value"), [("TEXT", "日" * 70_000), ("VARCHAR", ""), ("TIMESTAMPTZ", TIME), ("GEOMETRY", SHAPE)]
)
@pytest.mark.parametrize("placeholder", [[], [""]])
def test_texts_are_read_from_where_pymilvus_reads_them_and_nulls_are_told_apart(
    type_name: str, value: str, placeholder: list[str]
) -> None:
    message = wire.FieldData(field_name="v", valid_data=[True, False, True])
    place = getattr(message.scalars, type_info.get_scalar_attr(DataType[type_name]))
    place.data.extend([value, *placeholder, value])
    assert read(keys(1, 2, 3), message, type_name=type_name) == [value, None, value]


def test_a_time_without_its_offset_is_refused_here_too() -> None:
    message = wire.FieldData(field_name="v")
    message.scalars.string_data.data.extend([TIME, TIME.rstrip("Z")])
    with pytest.raises(ValueError, match="offset from UTC"):
        read(keys(1, 2), message, type_name="TIMESTAMPTZ")


@pytest.mark.parametrize(
    ("message", "is_nullable"),
    [
        (vector_field("int8_vector", b"\x01\x02\x03", []), True),
        (vector_field("int8_vector", b"\x01\x02", [True]), True),
        (vector_field("int8_vector", b"\x01\x02", [True, False]), False),
        (vector_field("int8_vector", b"", []), True),
        (wire.FieldData(field_name="another"), True),
    ],
)
def test_columns_that_do_not_add_up_are_refused(message: Any, is_nullable: bool) -> None:
    with pytest.raises(ValueError, match=r"for|tells of|NULL in|another form"):
        read(keys(1, 2), message, type_name="INT8_VECTOR", is_nullable=is_nullable, dim=2)


def test_floats_are_taken_as_they_lie() -> None:
    message = wire.FieldData(field_name="v")
    message.vectors.float_vector.data.extend([0.1] * 300)  # long enough for a length of two bytes
    assert read(keys(1, 2), message, type_name="FLOAT_VECTOR", dim=150) == [[np.float32(0.1)] * 150] * 2
