"""Everything about a collection that is not a row, through a backup and back, on a real server."""

from collections.abc import Iterator
from typing import Any

import pytest

from dataplane.access import read_access, restore_access
from dataplane.errors import UnsupportedField
from dataplane.milvus import Cluster, ClusterEndpoint, CollectionRef
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up, missing_part, ref, restore, restore_all
from tests.integration.milvus_server import MilvusServer, why_missing


def make(client: Any, name: str, *, index: bool = True, **options: Any) -> None:
    from pymilvus import DataType

    schema = client.create_schema(description=f"about {name}", auto_id=options.pop("auto_id", False))
    schema.add_field("id", DataType.INT64, is_primary=True, description="the key")
    if options.pop("with_key", False):
        schema.add_field("tenant", DataType.VARCHAR, max_length=20, is_partition_key=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection(name, schema=schema, **options)
    if index:
        params = client.prepare_index_params()
        params.add_index(
            "vector", "HNSW", index_name="nearest", metric_type="IP", params={"M": 12, "efConstruction": 40}
        )
        client.create_index(name, params)


def vectors(*keys: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": key, "vector": [float(key), 1.0], **more} for key in keys]


def told(endpoint: ClusterEndpoint, found: CollectionRef) -> tuple[object, ...]:
    with Cluster(endpoint) as cluster:
        tells = cluster.describe(found)
    return (
        tells.schema, tells.shards, tells.consistency_level, tells.properties, tells.partitions, tells.indexes,
        tells.is_loaded, tells.loaded_partitions,
    )  # fmt: skip


def test_settings_come_back_and_what_the_server_lacks_is_said(server_client: Any, server: ClusterEndpoint) -> None:
    client = server_client
    properties = {"collection.ttl.seconds": "90000", "mmap.enabled": "true"}
    make(client, "parts", num_shards=2, consistency_level="Eventually", properties=properties)
    client.create_partition("parts", "old")
    client.insert("parts", vectors(1, 2, 3))
    client.insert("parts", vectors(4, 5), partition_name="old")
    client.create_alias("parts", "current")
    client.load_partitions("parts", ["old"])
    make(client, "tenants", index=False, auto_id=True, with_key=True, num_partitions=5, consistency_level="Session")
    client.insert("tenants", [{"tenant": f"t{number}", "vector": [1.0, 2.0]} for number in range(20)])
    before = {name: told(server, ref(name)) for name in ("parts", "tenants")}
    assert before["parts"][-1] == ("old",)

    store = MemoryStore()
    manifest = back_up(server, store).manifest
    for entry in manifest.collections:  # nobody else flushed, and these statistics know only what was
        told_rows = client.get_collection_stats(entry.name)["row_count"]
        assert told_rows == entry.row_count, "the backup flushes before it reads"
    counts = {entry.name: entry.row_count for entry in manifest.collections}
    assert counts == {"parts": 5, "tenants": 20}, "a collection loaded in part is read in full"
    assert {name: told(server, ref(name)) for name in before} == before, "a backup leaves everything as it was"
    assert client.list_indexes("tenants") == []
    assert "no two collections are of the same moment" in manifest.point_in_time
    for name in before:
        client.drop_alias("current") if name == "parts" else None
        client.drop_collection(name)

    notes = {one.ref.name: one.notes for one in restore_all(server, store, cu_size=1).collections}
    after = {name: told(server, ref(name)) for name in before}
    schema, shards, consistency, _, *rest = before["parts"]
    assert after["parts"] == (schema, shards, consistency, {"mmap.enabled": "true"}, *rest)
    assert after["tenants"][1:] == before["tenants"][1:]
    assert client.list_aliases("parts")["aliases"] == ["current"]
    assert notes["parts"] == ()
    (note,) = notes["tenants"]
    assert note.startswith("tenants: auto id is off, because with it this server would have given all rows new keys")
    assert client.list_indexes("tenants") == [], "the index that the restore counted by is gone"


def test_a_field_the_server_would_make_something_else_of_is_refused_before_anything_is_made(
    client: Any, endpoint: ClusterEndpoint, server_client: Any, server: ClusterEndpoint
) -> None:
    from pymilvus import DataType

    for name, kind, is_nullable, value in (
        ("loose", DataType.INT32, True, None),
        ("times", DataType.TIMESTAMPTZ, False, "2025-01-01T00:00:00Z"),  # the first such row would end this server
        ("shapes", DataType.GEOMETRY, False, "POINT (1 2)"),
    ):
        schema = client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("it", kind, nullable=is_nullable)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        client.create_collection(name, schema=schema)
        client.insert(name, [{"id": 1, "it": value, "vector": [1, 2]}])
    store = MemoryStore()
    back_up(endpoint, store)
    for name, told in (
        ("loose", "the nullable field it"),
        ("times", "the field it of type TIMESTAMPTZ"),
        ("shapes", "the field it of type GEOMETRY"),
    ):
        with pytest.raises(UnsupportedField, match=rf"{name} has {told}, .* runs Milvus v2\.3\.5"):
            restore(server, store, (name, name))
    assert server_client.list_collections() == []


@pytest.fixture(scope="module")
def guarded() -> Iterator[ClusterEndpoint]:
    """A server that asks who you are."""
    if sentence := why_missing():
        missing_part(sentence)
    with MilvusServer(with_users=True) as started:
        yield ClusterEndpoint(started.uri, started.token)


def test_users_roles_and_grants_come_back_with_new_passwords_told_once(guarded: ClusterEndpoint) -> None:
    import grpc
    from pymilvus import MilvusClient

    client = MilvusClient(guarded.uri, token=guarded.token, dedicated=True)
    make(client, "docs")
    client.insert("docs", vectors(1))
    client.create_database("shop")
    client.create_role("reader")
    client.grant_privilege("reader", "Collection", "Query", "docs")
    client.grant_privilege("reader", "Global", "DescribeCollection", "*")
    for name in ("ann", "ben"):
        client.create_user(name, "Old-passw0rd")
        client.grant_role(name, "reader")
    grants = client.describe_role("reader")
    store = MemoryStore()
    manifest = back_up(guarded, store).manifest
    assert [(user.name, user.roles) for user in manifest.users] == [
        ("ann", ("reader",)), ("ben", ("reader",)), ("root", ()),
    ]  # fmt: skip
    assert "Old-passw0rd" not in str(manifest)

    client.drop_collection("docs")
    client.drop_database("shop")
    client.drop_user("ann")
    client.drop_user("ben")
    for grant in grants["privileges"]:
        client.revoke_privilege(
            "reader", grant["object_type"], grant["privilege"], grant["object_name"], db_name=grant["db_name"]
        )
    client.drop_role("reader")
    client.create_user("ben", "Bens-own-passw0rd")

    report = restore_all(guarded, store, with_access=True)
    # Milvus lists databases and grants in an order of its own, another each time.
    assert sorted(client.list_databases()) == ["default", "shop"]
    given = client.describe_role("reader")["privileges"]
    assert len(given) == len(grants["privileges"])
    assert all(grant in given for grant in grants["privileges"])
    assert report.new_passwords.keys() == {"ann"}, "who is there keeps rights and password"
    assert client.describe_user("ben")["roles"] == ()
    assert report.new_passwords["ann"] not in repr(report)
    ann = MilvusClient(guarded.uri, token=f"ann:{report.new_passwords['ann']}", dedicated=True)
    assert ann.describe_collection("docs")["collection_name"] == "docs"
    with pytest.raises(grpc.RpcError, match="permission deny"):
        ann.drop_collection("docs")
    with Cluster(guarded) as cluster:
        assert restore_access(cluster, manifest) == ({}, []), "a second time, nobody is new"
    as_ann = ClusterEndpoint(guarded.uri, f"ann:{report.new_passwords['ann']}")
    with Cluster(as_ann) as cluster:
        assert "the token may not see them" in " ".join(read_access(cluster).notes)
    ann.close()
    client.close()


def test_a_backup_of_milvus_lite_says_that_there_are_no_users_to_keep(client: Any, endpoint: ClusterEndpoint) -> None:
    make(client, "docs")
    client.insert("docs", vectors(1))
    manifest = back_up(endpoint, MemoryStore()).manifest
    assert manifest.users == ()
    assert manifest.notes == ("users and roles: this server keeps none",)


def test_properties_of_databases_come_back_but_those_that_expire_rows(client: Any, endpoint: ClusterEndpoint) -> None:
    client.create_database("shop", properties={"database.max.collections": "9", "database.ttl.seconds": "60"})
    make(client, "docs")
    store = MemoryStore()
    back_up(endpoint, store)
    client.drop_collection("docs")
    client.drop_database("shop")
    restore_all(endpoint, store)
    assert client.describe_database("shop") == {"name": "shop", "database.max.collections": "9"}
    client.drop_database("shop")
