"""The main job with real parts: back up, copy, verify, lose the collections, restore from the copy, search."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dataplane.copy import CopyPlan, copy_backup
from dataplane.errors import CollectionMissing, NothingToBackUp, Stopped, UnsupportedField
from dataplane.milvus import ClusterEndpoint, CollectionRef, drop_collection, list_collections, search
from dataplane.milvus_lite import MilvusLiteServer
from dataplane.progress import Progress
from dataplane.readme import SCRIPT_BEGINS, SCRIPT_ENDS
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from dataplane.verify import verify_backup
from tests.integration.dataplane.conftest import back_up, make_numbers, make_texts, ref, restore, rows_of
from tests.unit.dataplane.builders import CLUSTER, all_keys, always_allowed, ignore, never

QUESTION = [1.0, -0.5, 0.25, 0.0, 2.0, 0.1, -1.0, 0.3]


def test_a_lost_cluster_comes_back_from_its_copy_and_answers_as_before(
    client: Any, endpoint: ClusterEndpoint, tmp_path: Path
) -> None:
    make_texts(client)
    make_numbers(client)
    before = [rows_of(client, "texts", "archive"), rows_of(client, "texts"), rows_of(client, "numbers")]
    answered = search(endpoint, ref("texts"), vector_field="vector", vector=QUESTION, limit=10)
    assert len(answered) == 10

    regions = [tmp_path / "west", tmp_path / "frankfurt"]
    for folder in regions:
        folder.mkdir()
    west, frankfurt = (LocalStore(folder) for folder in regions)
    report = back_up(endpoint, west)
    assert report.row_count == 9300
    assert report.sent_bytes == report.size_bytes > 0
    copy_backup(
        CopyPlan(CLUSTER, "backup-1", "gcp-us-west1", "gcp-europe-west3", fence=1),
        source=west, target=frankfurt, on_progress=ignore, should_stop=never, may_commit=always_allowed,
    )  # fmt: skip
    for key in all_keys(west):
        west.delete(key)
    for name in ("texts", "numbers"):
        drop_collection(endpoint, ref(name))
    assert list_collections(endpoint) == []

    assert verify_backup(
        cluster_id=CLUSTER, backup_id="backup-1", store=frankfurt, on_progress=ignore, should_stop=never
    ).is_sound
    restored = restore(endpoint, frankfurt)
    assert [(str(one.ref), one.row_count) for one in restored.collections] == [("numbers", 9000), ("texts", 300)]
    again = search(endpoint, ref("texts"), vector_field="vector", vector=QUESTION, limit=10)
    assert [(hit.key, hit.fields) for hit in again] == [(hit.key, hit.fields) for hit in answered]
    # The last digit of a score depends on whether the row is in an index yet.
    assert [hit.score for hit in again] == pytest.approx([hit.score for hit in answered], abs=1e-5)
    assert [rows_of(client, "texts", "archive"), rows_of(client, "texts"), rows_of(client, "numbers")] == before
    assert client.list_aliases("texts")["aliases"] == ["texts_alias"]
    assert client.list_partitions("texts") == ["_default", "archive"]
    assert {info.ref.name for info in list_collections(endpoint)} == {"texts", "numbers"}


def test_an_unchanged_cluster_sends_no_chunk_again_and_one_new_row_only_its_chunk(
    client: Any, endpoint: ClusterEndpoint
) -> None:
    make_texts(client)
    make_numbers(client, rows=500)
    store = MemoryStore()
    first = back_up(endpoint, store)
    second = back_up(endpoint, store, backup_id="backup-2")
    assert (second.sent_bytes, second.skipped_bytes) == (0, first.size_bytes)
    client.insert("numbers", [{"id": 99_999, "vector": [0.0, 1.0]}])
    third = back_up(endpoint, store, backup_id="backup-3")
    assert 0 < third.sent_bytes < first.size_bytes
    assert third.row_count == first.row_count + 1


def test_ttl_settings_are_left_out_and_said_so(client: Any, endpoint: ClusterEndpoint) -> None:
    make_texts(client, properties={"collection.ttl.seconds": "3600"})
    store = MemoryStore()
    manifest = back_up(endpoint, store).manifest
    assert manifest.collections[0].properties == {}
    assert "texts: collection.ttl.seconds = 3600" in [exclusion.what for exclusion in manifest.exclusions]
    drop_collection(endpoint, ref("texts"))
    restore(endpoint, store)
    assert "collection.ttl.seconds" not in client.describe_collection("texts")["properties"]


def test_released_collections_are_read_and_left_released(endpoint: ClusterEndpoint, client: Any) -> None:
    make_texts(client)
    client.release_collection("texts")
    report = back_up(endpoint, MemoryStore())
    assert report.row_count == 300
    assert not report.manifest.collections[0].is_loaded
    assert not list_collections(endpoint)[0].is_loaded


def test_only_the_chosen_collections_are_backed_up(client: Any, endpoint: ClusterEndpoint) -> None:
    make_texts(client)
    make_numbers(client, rows=10)
    assert [entry.name for entry in back_up(endpoint, MemoryStore(), "numbers").manifest.collections] == ["numbers"]
    with pytest.raises(CollectionMissing, match="nothing_here"):
        back_up(endpoint, MemoryStore(), "numbers", "nothing_here")


def test_an_empty_cluster_has_nothing_to_back_up_but_an_empty_collection_is_kept(
    client: Any, endpoint: ClusterEndpoint
) -> None:
    store = MemoryStore()
    with pytest.raises(NothingToBackUp):
        back_up(endpoint, store)
    make_numbers(client, rows=2)
    client.delete("numbers", filter="id > -100")
    assert back_up(endpoint, store).row_count == 0
    drop_collection(endpoint, ref("numbers"))
    assert restore(endpoint, store).collections[0].row_count == 0
    assert client.has_collection("numbers")


def test_a_field_the_format_cannot_hold_is_named(client: Any, endpoint: ClusterEndpoint) -> None:
    from pymilvus import DataType

    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("places", DataType.ARRAY, element_type=DataType.GEOMETRY, max_capacity=2)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection("places", schema=schema)
    store = MemoryStore()
    with pytest.raises(UnsupportedField, match="places has the field places of type ARRAY of GEOMETRY"):
        back_up(endpoint, store)
    assert all_keys(store) == []


def test_every_type_this_server_has_comes_back(client: Any, endpoint: ClusterEndpoint) -> None:
    from pymilvus import DataType

    schema = client.create_schema(enable_dynamic_field=True)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=10)
    for name in ("BOOL", "INT8", "INT16", "INT32", "INT64", "FLOAT", "DOUBLE", "JSON"):
        schema.add_field(name.lower(), DataType[name], nullable=True)
    schema.add_field("count", DataType.INT32, default_value=7)
    schema.add_field("numbers", DataType.ARRAY, element_type=DataType.INT64, max_capacity=4, nullable=True)
    schema.add_field("words", DataType.ARRAY, element_type=DataType.VARCHAR, max_length=20, max_capacity=4)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    client.create_collection("everything", schema=schema)
    full = {
        "key": "full", "bool": True, "int8": -128, "int16": 5, "int32": -5, "int64": 2**62, "float": 0.1, "double": 0.1,
        "json": {"a": [1, None, 2**60]}, "numbers": [1, -1], "words": ["", "x"], "vector": [1, 2], "sparse": {1: 0.5},
        "extra": {"deep": True},
    }  # fmt: skip
    client.insert("everything", [full, {"key": "empty", "words": [], "vector": [0, 0], "sparse": {3: 1.0}}])
    index = client.prepare_index_params()
    index.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    client.create_index("everything", index)
    client.load_collection("everything")
    before = rows_of(client, "everything")
    assert before[0]["count"] == 7

    store = MemoryStore()
    back_up(endpoint, store)
    restore(endpoint, store, ("everything", "again"))
    assert rows_of(client, "again") == before
    old, new = (client.describe_collection(name) for name in ("everything", "again"))
    assert [{**field, "default_value": str(field.get("default_value"))} for field in new["fields"]] == [
        {**field, "default_value": str(field.get("default_value"))} for field in old["fields"]
    ]
    assert client.list_indexes("again") == ["sparse"]


def test_rows_written_during_the_backup_are_noted(client: Any, endpoint: ClusterEndpoint) -> None:
    make_numbers(client, rows=20)
    asked = 0

    def write_one() -> bool:
        """Once all rows were read, before those that were read already."""
        nonlocal asked
        asked += 1
        if asked == 2:
            client.insert("numbers", [{"id": -99, "vector": [0.0, 1.0]}])
        return False

    entry = back_up(endpoint, MemoryStore(), should_stop=write_one).manifest.collections[0]
    assert entry.row_count == 20
    assert entry.notes == ("numbers: rows changed during the backup (20 before, 21 after, 20 stored)",)


def test_progress_ends_at_its_total(client: Any, endpoint: ClusterEndpoint) -> None:
    make_texts(client)
    seen: list[Progress] = []
    back_up(endpoint, MemoryStore(), on_progress=seen.append)
    assert all(progress.bytes_done <= progress.bytes_total for progress in seen)
    assert 0 < seen[-1].bytes_done == seen[-1].bytes_total


def test_collections_of_another_database_come_back_to_it(client: Any, endpoint: ClusterEndpoint) -> None:
    from pymilvus import MilvusClient

    client.create_database("shop")
    shop = MilvusClient(endpoint.uri, db_name="shop", dedicated=True)
    make_numbers(shop, rows=10)
    store = MemoryStore()
    back_up(endpoint, store)
    drop_collection(endpoint, CollectionRef("shop", "numbers"))
    shop.close()
    client.drop_database("shop")
    restore(endpoint, store)
    assert [str(info.ref) for info in list_collections(endpoint)] == ["shop.numbers"]


def test_a_stopped_backup_leaves_no_manifest_and_can_be_run_again(client: Any, endpoint: ClusterEndpoint) -> None:
    make_texts(client)
    store = MemoryStore()
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        back_up(endpoint, store, should_stop=lambda: next(asked))
    assert not [key for key in all_keys(store) if key.endswith("manifest.json")]
    assert back_up(endpoint, store).row_count == 300


def test_the_readme_beside_the_manifest_restores_without_this_software(
    client: Any, endpoint: ClusterEndpoint, milvus: MilvusLiteServer, tmp_path: Path
) -> None:
    make_texts(client)
    make_numbers(client, rows=20)
    before = rows_of(client, "texts"), rows_of(client, "texts", "archive"), rows_of(client, "numbers")
    (tmp_path / "store").mkdir()
    store = LocalStore(tmp_path / "store")
    back_up(endpoint, store)
    for name in ("texts", "numbers"):
        drop_collection(endpoint, ref(name))
    folder = tmp_path / "store" / "clusters" / CLUSTER / "backups" / "backup-1"
    text = (folder / "README.txt").read_text()
    script = tmp_path / "restore.py"
    script.write_text(re.search(f"{SCRIPT_BEGINS}(.*){SCRIPT_ENDS}", text, re.DOTALL)[1])  # type: ignore[index]
    run = subprocess.run(
        [sys.executable, str(script), str(folder), milvus.uri],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["numbers", "20", "rows", "texts", "300", "rows"]
    assert (rows_of(client, "texts"), rows_of(client, "texts", "archive"), rows_of(client, "numbers")) == before
    again = subprocess.run(
        [sys.executable, str(script), str(folder), milvus.uri],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert "exists already" in again.stderr
