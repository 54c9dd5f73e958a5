import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import ManifestInvalid
from dataplane.manifest import (
    FORMAT,
    ChunkRef,
    CollectionEntry,
    Exclusion,
    IndexEntry,
    LineageStep,
    Manifest,
    PrivilegeGroupEntry,
    UserEntry,
    _digest,
    from_json,
    to_json,
)
from tests.unit.dataplane.builders import make_chunk, make_entry, make_field, make_manifest, make_schema

words = st.text(max_size=12)
keys = st.integers(-(2**63), 2**63 - 1) | words
chunk_refs = st.builds(
    ChunkRef,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    size_bytes=st.integers(1, 2**40),
    row_count=st.integers(1, 2**40),
    partition=words,
    first_key=keys,
    last_key=keys,
)
fields = st.builds(
    make_field,
    name=words.map("f_".__add__),
    type_name=st.sampled_from(["INT64", "VARCHAR", "JSON", "FLOAT_VECTOR"]),
    params=st.dictionaries(words, st.integers() | words | st.booleans(), max_size=2),
    default=st.none() | st.integers() | words | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
)


@st.composite
def entries(draw: st.DrawFn) -> CollectionEntry:
    chunks = tuple(draw(st.lists(chunk_refs, max_size=3)))
    return CollectionEntry(
        database=draw(words),
        name=draw(words),
        schema=make_schema(*draw(st.lists(fields, max_size=2))),
        indexes=tuple(
            draw(st.lists(st.builds(IndexEntry, words, words, words, words, st.just({"M": "8"})), max_size=2))
        ),
        partitions=tuple(draw(st.lists(words, max_size=2))),
        aliases=tuple(draw(st.lists(words, max_size=2))),
        shards=draw(st.integers(1, 16)),
        consistency_level=draw(words),
        properties=draw(st.dictionaries(words, words, max_size=2)),
        is_loaded=draw(st.booleans()),
        row_count=sum(chunk.row_count for chunk in chunks),
        chunks=chunks,
        notes=tuple(draw(st.lists(words, max_size=2))),
    )


manifests = st.builds(
    Manifest,
    backup_id=words,
    cluster_id=words,
    cluster_name=words,
    region=words,
    created_at=st.datetimes(timezones=st.just(UTC)),
    fence=st.integers(0, 2**40),
    collections=st.lists(entries(), max_size=2, unique_by=lambda entry: (entry.database, entry.name)).map(tuple),
    exclusions=st.lists(st.builds(Exclusion, words, words), max_size=2).map(tuple),
    notes=st.lists(words, max_size=2).map(tuple),
    software=st.dictionaries(words, words, max_size=2),
    lineage=st.lists(st.builds(LineageStep, words, words), max_size=2).map(tuple),
    privilege_groups=st.lists(st.builds(PrivilegeGroupEntry, words, st.just(("Query",))), max_size=2).map(tuple),
)


@settings(max_examples=25, deadline=None)
@given(manifests)
def test_a_manifest_survives_the_way_through_json_and_gives_the_same_bytes_again(manifest: Manifest) -> None:
    data = to_json(manifest)
    assert from_json(data) == manifest
    assert to_json(from_json(data)) == data


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_single_flipped_bit_is_never_read_as_another_manifest(data: st.DataObject) -> None:
    manifest = make_manifest(make_entry([make_chunk(b"one"), make_chunk(b"two")]))
    stored = bytearray(to_json(manifest))
    position = data.draw(st.integers(0, len(stored) - 1))
    stored[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = from_json(bytes(stored))
    except ManifestInvalid:
        return
    assert read == manifest  # white space between values may change without changing what is said


def document() -> Any:
    return json.loads(to_json(make_manifest(make_entry([make_chunk(b"one")]))))


def read_changed(document: Any) -> Manifest:
    """With a digest that fits, so that only the structure can be what is refused."""
    document["sha256"] = _digest(document["manifest"])
    return from_json(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("fence"), r"manifest\.fence is missing"),
        (lambda m: m.update(extra=1), r"manifest\.extra is not part of this format"),
        (lambda m: m.update(fence="1"), r"manifest\.fence must be a whole number"),
        (lambda m: m.update(fence=True), r"manifest\.fence must be a whole number"),
        (lambda m: m.update(collections={}), r"manifest\.collections must be a list"),
        (lambda m: m.update(created_at="yesterday"), r"manifest\.created_at must be a time"),
        (lambda m: m.update(created_at="2026-01-31T12:00:00"), r"manifest\.created_at must carry a time zone"),
        (lambda m: m["collections"][0].update(row_count=2), r"collections\[0\]\.row_count is not the sum"),
        (lambda m: m["collections"][0].update(shards=0), r"collections\[0\]\.shards must be at least 1"),
        (lambda m: m["collections"].append(m["collections"][0]), "default.docs is listed twice"),
        (lambda m: m["collections"][0]["chunks"][0].update(sha256="../../etc"), r"sha256 must be 64 hexadecimal"),
        (lambda m: m["collections"][0]["chunks"][0].update(size_bytes=0), "at least one row and one byte"),
        (lambda m: m["collections"][0]["chunks"][0].update(first_key=1.5), "first_key must be a whole number or text"),
        (lambda m: m["collections"][0]["schema"].update(fields=[]), "exactly one primary field"),
        (lambda m: m["collections"][0].update(chunks=["x"]), r"chunks\[0\] must be an object"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_named(change: Any, message: str) -> None:
    changed = document()
    change(changed["manifest"])
    with pytest.raises(ManifestInvalid, match=message):
        read_changed(changed)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": "backupsite/2"}']
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        from_json(data)


def test_a_manifest_that_does_not_match_its_own_digest_is_refused() -> None:
    changed = document()
    changed["manifest"]["cluster_name"] = "Another"
    with pytest.raises(ManifestInvalid, match="does not match its own SHA-256"):
        from_json(json.dumps(changed).encode())


def test_times_are_stored_in_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    manifest = make_manifest()
    moved = Manifest(
        **{
            **{name: getattr(manifest, name) for name in Manifest.__slots__},
            "created_at": datetime(2026, 6, 1, 14, tzinfo=berlin),
        }
    )
    assert json.loads(to_json(moved))["manifest"]["created_at"] == "2026-06-01T12:00:00+00:00"


def test_a_chunk_shared_by_two_collections_counts_once_in_bytes_and_twice_in_rows() -> None:
    shared = make_chunk(b"shared", row_count=3)
    manifest = make_manifest(make_entry([shared], name="one"), make_entry([shared], name="two"))
    assert (manifest.size_bytes, manifest.row_count, len(manifest.chunks)) == (6, 6, 1)


def before_groups(manifest: Manifest) -> dict[str, Any]:
    """The body of `manifest` as `backupsite/1.1` had it."""
    body: dict[str, Any] = json.loads(to_json(manifest))["manifest"]
    del body["privilege_groups"]
    return body


def former(manifest: Manifest) -> dict[str, Any]:
    """The body of `manifest` as `backupsite/1` had it."""
    body = before_groups(manifest)
    for key in ("point_in_time", "databases", "users", "roles"):
        del body[key]
    for entry in body["collections"]:
        del entry["loaded_partitions"], entry["schema"]["functions"]
        for field in entry["schema"]["fields"]:
            del field["is_clustering_key"], field["is_function_output"]
    return body


def sealed_as(format_name: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"format": format_name, "sha256": _digest(body), "manifest": body}).encode()


def test_manifests_of_former_formats_can_still_be_read() -> None:
    manifest = make_manifest(make_entry([make_chunk(b"one")]))
    assert from_json(sealed_as("backupsite/1", former(manifest))) == manifest

    key = make_field("key", is_clustering_key=True, is_function_output=True)
    entry = replace(make_entry(), schema=make_schema(key), loaded_partitions=("_default",))
    manifest = replace(make_manifest(entry), users=(UserEntry("ann", "", ("reader",)),), point_in_time="at noon")
    assert from_json(sealed_as("backupsite/1.1", before_groups(manifest))) == manifest


def test_a_former_format_is_no_excuse_for_a_key_that_is_missing_today() -> None:
    manifest = make_manifest(make_entry([make_chunk(b"one")]))
    with pytest.raises(ManifestInvalid, match="users is missing"):
        from_json(sealed_as("backupsite/1.1", former(manifest) | {"point_in_time": "", "databases": [], "roles": []}))
    with pytest.raises(ManifestInvalid, match="privilege_groups is missing"):
        from_json(sealed_as(FORMAT, before_groups(manifest)))


@pytest.mark.parametrize("body", [[], None, {"collections": [{}]}, {"collections": 1}])
def test_what_a_former_format_never_was_is_refused(body: Any) -> None:
    with pytest.raises(ManifestInvalid):
        from_json(sealed_as("backupsite/1", body))


@pytest.mark.parametrize("format_name", ["backupsite/1", "backupsite/1.1"])
def test_a_key_that_came_later_is_refused_in_a_former_format(format_name: str) -> None:
    body = json.loads(to_json(make_manifest()))["manifest"]
    with pytest.raises(ManifestInvalid, match=rf"manifest\..* is not part of the format {format_name}"):
        from_json(sealed_as(format_name, body))
