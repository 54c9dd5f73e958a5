"""What is said of clusters that do not answer."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataplane.errors import ClusterError, ClusterUnreachable, CollectionMissing
from dataplane.milvus import ClusterEndpoint, CollectionRef, check_connection, drop_collection, list_collections
from dataplane.milvus_lite import MilvusLiteServer
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up, wait_for_port
from tests.site import free_port

PARENT = """
import sys, time
from pathlib import Path
from dataplane.milvus_lite import MilvusLiteServer
MilvusLiteServer(Path(sys.argv[1]), int(sys.argv[2])).start()
print("started", flush=True)
time.sleep(600)
"""


def test_a_running_server_tells_its_version(endpoint: ClusterEndpoint) -> None:
    info = check_connection(endpoint)
    assert info.is_lite
    assert info.version.split(".")[0] == "3"


@pytest.mark.parametrize("is_listening", [False, True])
def test_a_cluster_that_does_not_answer_is_unreachable_in_time_and_quietly(
    is_listening: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if is_listening:
            silent.listen()
        nobody = ClusterEndpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", token="root:secret", timeout_seconds=1)
        started = time.monotonic()
        with caplog.at_level(logging.DEBUG), pytest.raises(ClusterUnreachable) as unreachable:
            check_connection(nobody)
        # The client's own patience, which is not asked for, is ten seconds and more.
        assert time.monotonic() - started < 9
    assert unreachable.value.retryable
    assert "Check that the cluster is running" in str(unreachable.value)
    assert "secret" not in str(unreachable.value)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert capfd.readouterr() == ("", "")


def test_a_backup_of_an_unreachable_cluster_stores_nothing() -> None:
    store = MemoryStore()
    with pytest.raises(ClusterUnreachable):
        back_up(ClusterEndpoint(f"http://127.0.0.1:{free_port()}", timeout_seconds=1), store)
    assert list(store.list("")) == []


def test_dropping_what_is_not_there_is_refused(endpoint: ClusterEndpoint) -> None:
    with pytest.raises(CollectionMissing, match="no collection nothing_here"):
        drop_collection(endpoint, CollectionRef("default", "nothing_here"))


def test_a_stopped_server_is_unreachable_and_comes_back_with_its_data(tmp_path: Path) -> None:
    from pymilvus import MilvusClient

    with MilvusLiteServer(tmp_path / "data") as server:
        endpoint = ClusterEndpoint(server.uri, timeout_seconds=2)
        MilvusClient(server.uri, dedicated=True).create_collection("docs", dimension=4)
        server.stop()
        assert not server.is_running
        with pytest.raises(ClusterUnreachable):
            list_collections(endpoint)
        server.start()
        assert [info.ref.name for info in list_collections(endpoint)] == ["docs"]


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=f"port {port} is taken"):
            MilvusLiteServer(tmp_path, port).start()


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux ends a child with its parent.")
def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    port = free_port()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), str(port)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    wait_for_port(port)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.05)
    pytest.fail("The server still listens.")
