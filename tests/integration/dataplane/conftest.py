"""Real parts: a Milvus Lite server per module, and what is written to it."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest

from dataplane.backup import BackupPlan, BackupReport, take_backup
from dataplane.milvus import Cluster, ClusterEndpoint, CollectionRef, check_connection
from dataplane.milvus_lite import MilvusLiteServer
from dataplane.progress import Progress
from dataplane.restore import CollectionMapping, RestorePlan, RestoreReport, restore_backup
from dataplane.stores.base import ObjectStore
from tests.integration.milvus_server import MilvusServer, why_missing
from tests.site import free_port
from tests.unit.dataplane.builders import CLUSTER, always_allowed, ignore, never

RARE_KEYS = ["", "Z", "a", 'say "hi"', "back\\slash", "tab\tline\n", "日本", "\uffee", "\U0001f600"]


def missing_part(sentence: str) -> NoReturn:
    """A skip that says how to get the part; in CI every part must be there."""
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="module")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusLiteServer]:
    with MilvusLiteServer(tmp_path_factory.mktemp("milvus")) as server:
        yield server


@pytest.fixture(scope="module")
def endpoint(milvus: MilvusLiteServer) -> ClusterEndpoint:
    found = ClusterEndpoint(milvus.uri, timeout_seconds=60)
    assert check_connection(found).is_lite
    return found


@pytest.fixture(scope="package")
def server() -> Iterator[ClusterEndpoint]:
    """A real Milvus server. It shares nothing with Milvus Lite but the protocol."""
    if sentence := why_missing():
        missing_part(sentence)
    with MilvusServer() as started:
        found = ClusterEndpoint(started.uri, timeout_seconds=60)
        assert not check_connection(found).is_lite
        yield found


@pytest.fixture
def server_client(server: ClusterEndpoint) -> Iterator[Any]:
    """pymilvus itself, on the server, emptied."""
    yield from emptied(server)


@pytest.fixture
def client(endpoint: ClusterEndpoint) -> Iterator[Any]:
    """pymilvus itself, on an empty Milvus Lite."""
    yield from emptied(endpoint)


def emptied(endpoint: ClusterEndpoint) -> Iterator[Any]:
    from pymilvus import MilvusClient

    with Cluster(endpoint) as cluster:
        for ref in cluster.collections():
            cluster.drop(ref)
    opened = MilvusClient(endpoint.uri, token=endpoint.token, dedicated=True)
    yield opened
    opened.close()


def make_texts(client: Any, name: str = "texts", *, rows: int = 300, properties: dict[str, str] | None = None) -> None:
    """VARCHAR keys written in random order, two partitions, an alias, an index, a dynamic field."""
    from pymilvus import DataType

    schema = client.create_schema(enable_dynamic_field=True)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=100)
    schema.add_field("text", DataType.VARCHAR, max_length=200, nullable=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="AUTOINDEX", metric_type="COSINE")
    client.create_collection(name, schema=schema, index_params=index, properties=properties or {})
    client.create_partition(name, "archive")
    client.create_alias(name, f"{name}_alias")
    draw = random.Random(7)
    keys = [f"key {number}" for number in range(rows - len(RARE_KEYS))] + RARE_KEYS
    draw.shuffle(keys)
    data = [
        {
            "key": key,
            "text": f"text of {key}" if number % 3 else None,
            "vector": [draw.gauss(0, 1) for _ in range(8)],
            "n": number,
        }
        for number, key in enumerate(keys)
    ]
    client.insert(name, data[: rows // 2])
    client.insert(name, data[rows // 2 :], partition_name="archive")
    client.flush(name)


def make_numbers(client: Any, name: str = "numbers", *, rows: int = 9000, is_shuffled: bool = True) -> None:
    """INT64 keys, more rows than one page holds."""
    from pymilvus import DataType

    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection(name, schema=schema)
    keys = list(range(-rows // 2, rows - rows // 2))
    if is_shuffled:
        random.Random(7).shuffle(keys)
    client.insert(name, [{"id": key, "vector": [key, 1.0]} for key in keys])


def ref(name: str) -> CollectionRef:
    return CollectionRef("default", name)


def back_up(
    endpoint: ClusterEndpoint,
    store: ObjectStore,
    *names: str,
    backup_id: str = "backup-1",
    fence: int = 1,
    should_stop: Callable[[], bool] = never,
    on_progress: Callable[[Progress], None] = ignore,
) -> BackupReport:
    plan = BackupPlan(
        backup_id=backup_id,
        cluster_id=CLUSTER,
        cluster_name="Search",
        region="gcp-us-west1",
        collections=tuple(ref(name) for name in names) or None,
        fence=fence,
        created_at=datetime.now(UTC),
    )
    return take_backup(
        plan,
        endpoint=endpoint,
        store=store,
        on_progress=on_progress,
        should_stop=should_stop,
        may_commit=always_allowed,
    )


def restore(
    endpoint: ClusterEndpoint, store: ObjectStore, *pairs: tuple[str, str], load: bool = True, cu_size: int = 1
) -> RestoreReport:
    mappings = tuple(CollectionMapping(ref(source), ref(target)) for source, target in pairs)
    plan = RestorePlan(CLUSTER, "backup-1", mappings or None, cu_size=cu_size, load=load, attempt_id="job-1")
    return restore_backup(plan, store=store, endpoint=endpoint, on_progress=ignore, should_stop=never)


def restore_all(
    endpoint: ClusterEndpoint, store: ObjectStore, *, cu_size: int = 1, with_access: bool = False
) -> RestoreReport:
    """Into the emptied cluster, under the same names."""
    with Cluster(endpoint) as cluster:
        for found in cluster.collections():
            cluster.drop(found)
    plan = RestorePlan(
        CLUSTER, "backup-1", None, cu_size=cu_size, load=True, attempt_id="job-1", with_access=with_access
    )
    return restore_backup(plan, store=store, endpoint=endpoint, on_progress=ignore, should_stop=never)


def rows_of(client: Any, name: str, partition: str = "") -> list[dict[str, Any]]:
    key = "id" if name.startswith("numbers") else "key"
    answer = client.query(
        name, filter="", limit=16_000, output_fields=["*"], partition_names=[partition] if partition else None
    )
    return sorted((dict(row) for row in answer), key=lambda row: row[key])


@pytest.fixture(scope="module")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server with the empty buckets `backups` and `others`."""
    rclone = Path(sys.executable).parent / "rclone"
    if not rclone.exists():
        missing_part("The S3 server for tests is not installed: run make test, which installs requirements-dev.txt.")
    root = tmp_path_factory.mktemp("s3")
    for bucket in ("backups", "others"):
        (root / bucket).mkdir()
    address = f"127.0.0.1:{free_port()}"
    command = [str(rclone), "serve", "s3", "--addr", address, "--auth-key", "someone,something", str(root)]
    with (root.parent / "rclone.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(root.parent)})
    try:
        wait_for_port(int(address.rpartition(":")[2]))
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(60)


def wait_for_port(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"Nothing listens on port {port}.")
