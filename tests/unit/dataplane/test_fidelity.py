from dataclasses import replace

import pytest

from dataplane.errors import UnsupportedField
from dataplane.fidelity import fitted, index_differences, schema_differences, setting_differences
from dataplane.manifest import FunctionEntry, IndexEntry, Schema
from tests.unit.dataplane.builders import make_field, make_schema

VECTOR = make_field("vector", "FLOAT_VECTOR", params={"dim": 2})
BM25 = FunctionEntry("bm25", "BM25", "", ("text",), ("words",), {})


def fit(schema: Schema, version: str = "v2.3.5-lite", *, is_lite: bool = False) -> tuple[Schema, list[str]]:
    return fitted("docs", schema, version=version, is_lite=is_lite)


@pytest.mark.parametrize(
    ("schema", "named", "enough"),
    [
        (
            make_schema(make_field("v", "BFLOAT16_VECTOR", params={"dim": 2})),
            "field v of type BFLOAT16_VECTOR",
            "2.4.0",
        ),
        (make_schema(make_field("v", "SPARSE_FLOAT_VECTOR")), "field v of type SPARSE_FLOAT_VECTOR", "v2.4.1"),
        (make_schema(make_field("v", "INT8_VECTOR", params={"dim": 2})), "field v of type INT8_VECTOR", "2.6.0"),
        (make_schema(make_field("place", "GEOMETRY")), "field place of type GEOMETRY", "v2.6.4-rc1"),
        (make_schema(make_field("when", "TIMESTAMPTZ")), "field when of type TIMESTAMPTZ", "2.6.6"),
        (make_schema(make_field("long", "TEXT")), "field long of type TEXT", "3.0"),
        (make_schema(VECTOR, replace(VECTOR, name="other")), r"several vector fields \(vector, other\)", "2.4.0"),
        (make_schema(make_field("maybe", "INT32", is_nullable=True)), "the nullable field maybe", "2.5.0"),
        (replace(make_schema(VECTOR), functions=(BM25,)), "the function bm25", "2.5.0"),
    ],
)
def test_what_a_version_lacks_is_refused_by_name_and_newer_ones_take_it(
    schema: Schema, named: str, enough: str
) -> None:
    with pytest.raises(UnsupportedField, match=f"docs has (the )?{named}, and the cluster runs Milvus v2.3.5-lite"):
        fit(schema)
    assert fit(schema, enough) == (schema, [])
    assert fit(schema, "a version nobody can read") == (schema, [])
    assert fit(schema, "3.2.2", is_lite=True) == (schema, [])


def test_the_last_number_of_a_version_counts_where_it_is_told() -> None:
    asked = make_schema(make_field("when", "TIMESTAMPTZ"))
    with pytest.raises(UnsupportedField, match=r"runs Milvus 2\.6\.5\. Restore into Milvus 2\.6\.6 or newer"):
        fit(asked, "2.6.5")
    assert fit(asked, "Cloud (compatible with Milvus 2.6)") == (asked, [])


def test_defaults_and_auto_ids_are_dropped_with_a_sentence_each_where_rows_do_not_need_them() -> None:
    asked = make_schema(VECTOR, make_field("n", "INT64", default=7))
    asked = replace(asked, fields=(replace(asked.fields[0], auto_id=True), *asked.fields[1:]))
    got, notes = fit(asked)
    assert [field.default for field in got.fields] == [None, None, None]
    assert not got.primary.auto_id
    assert [note.partition(",")[0] for note in notes] == [
        "docs: auto id is off", "docs: Milvus v2.3.5-lite knows no defaults",
    ]  # fmt: skip
    assert fit(asked, is_lite=True) == (asked, [])


def test_a_field_that_changes_twice_keeps_both_changes() -> None:
    got, notes = fit(make_schema(make_field("text", "VARCHAR", default="none")))
    assert (got.fields[1].default, got.fields[1].params) == (None, {"max_length": 65_535})
    assert len(notes) == 2


def test_a_length_that_milvus_lite_does_not_tell_is_made_the_longest_for_a_server_that_needs_one() -> None:
    asked = make_schema(make_field("words", "ARRAY", element_type="VARCHAR", params={"max_capacity": 3}))
    got, notes = fit(asked)
    assert got.fields[1].params == {"max_capacity": 3, "max_length": 65_535}
    assert notes == ["docs: how long texts in words may be was not told; it is 65535 now"]
    assert fit(asked, is_lite=True) == (asked, [])


@pytest.mark.parametrize(
    "made",
    [
        replace(VECTOR, params={"dim": 4}),
        replace(VECTOR, type="FLOAT16_VECTOR"),
        replace(VECTOR, is_nullable=True),
        replace(VECTOR, name="elsewhere"),
    ],
)
def test_a_field_that_the_server_made_otherwise_is_refused(made: object) -> None:
    with pytest.raises(UnsupportedField, match="of the field vector of docs, which is FLOAT_VECTOR"):
        schema_differences("docs", make_schema(VECTOR), make_schema(made))  # type: ignore[arg-type]


def test_functions_that_the_server_dropped_are_refused() -> None:
    asked = replace(make_schema(VECTOR), functions=(BM25,))
    with pytest.raises(UnsupportedField, match="dropped the functions of docs"):
        schema_differences("docs", asked, make_schema(VECTOR))


def test_what_no_row_depends_on_is_said_once_each() -> None:
    field = replace(VECTOR, description="meaning", params={"dim": 2, "mmap_enabled": True})
    asked = replace(make_schema(field), description="about docs")
    assert schema_differences("docs", asked, asked) == []
    assert schema_differences("docs", asked, make_schema(VECTOR)) == [
        "docs: the cluster did not keep the description: 'about docs' became nothing",
        "docs: the cluster did not keep the description of vector: 'meaning' became nothing",
        "docs: the cluster did not keep the mmap_enabled of vector: True became nothing",
    ]


def test_indexes_and_settings_are_compared_one_by_one() -> None:
    asked = IndexEntry("vector", "nearest", "HNSW", "IP", {"M": "12"})
    assert index_differences("docs", (asked,), (asked,)) == []
    assert index_differences("docs", (asked,), (replace(asked, name="vector", params={}),)) == [
        "docs: the cluster did not keep the name of the index on vector: 'nearest' became 'vector'",
        "docs: the cluster did not keep the M of the index on vector: '12' became nothing",
    ]
    assert setting_differences("docs", {"shard count": 2, "x": "1"}, {"shard count": 1, "x": "1", "y": "2"}) == [
        "docs: the cluster did not keep the shard count: 2 became 1"
    ]
