"""How long a page waits for a cluster: as long as the setting says for everything together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from clusters import live
from clusters.models import Cluster
from dataplane.errors import ClusterUnreachable, CollectionMissing
from dataplane.milvus import CollectionInfo, CollectionRef, ServerInfo
from tests.site import wait_until

CLUSTER = Cluster(name="docs", endpoint="http://127.0.0.1:1")
CALL_SECONDS, LONGEST_SECONDS = 0.1, 0.35


class SlowServer:
    """Answers each call, but only after a while; `described` counts what it told."""

    described = 0
    released = threading.Event()

    def __init__(self, endpoint: object) -> None:
        pass

    def __enter__(self) -> SlowServer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def collections(self) -> list[CollectionRef]:
        return [CollectionRef("default", f"c{number}") for number in range(50)]

    def collection_info(self, ref: CollectionRef) -> CollectionInfo:
        time.sleep(CALL_SECONDS)
        type(self).described += 1
        return CollectionInfo(ref, 1, True, (), "id", 1)

    def load(self, ref: CollectionRef) -> None:
        if ref.name == "gone":
            raise CollectionMissing("There is no gone.")
        self.released.wait(60)


@pytest.fixture(autouse=True)
def slow(monkeypatch, settings) -> Iterator[type[SlowServer]]:
    def answer_late(endpoint: object) -> ServerInfo:
        SlowServer.released.wait(60)
        return ServerInfo("2.6", is_lite=False)

    settings.CLUSTER_TIMEOUT_SECONDS = LONGEST_SECONDS
    SlowServer.described = 0
    SlowServer.released.clear()
    monkeypatch.setattr("dataplane.milvus.Cluster", SlowServer)
    monkeypatch.setattr("dataplane.milvus.check_connection", answer_late)
    monkeypatch.setattr("dataplane.milvus.search", lambda *_, **__: SlowServer.released.wait(60))
    monkeypatch.setattr("clusters.live.LOAD_SECONDS", 0.05)
    yield SlowServer
    SlowServer.released.set()
    wait_until(lambda: not any(thread.name == "cluster-call" for thread in threading.enumerate()), "all calls end")


def search() -> object:
    ref = CollectionRef("default", "c")
    return live.search_words(CLUSTER, CollectionInfo(ref, 1, True, ("words_x",), "id", 1, {"words_x": 256}), "card")


@pytest.mark.parametrize("call", [live.collections_of, live.check_connection, lambda cluster: search()])
def test_a_page_waits_no_longer_than_the_setting_for_all_calls_together(call: Callable[[Cluster], object]):
    """It would wait for ever: most calls are answered when the test is over."""
    with pytest.raises(ClusterUnreachable, match=r"docs did not answer everything within 0\.35 s"):
        call(CLUSTER)


def test_what_nobody_waits_for_any_more_is_not_asked(slow):
    with pytest.raises(ClusterUnreachable):
        live.collections_of(CLUSTER)
    wait_until(lambda: not any(thread.name == "cluster-call" for thread in threading.enumerate()), "the call ends")
    assert slow.described <= LONGEST_SECONDS / CALL_SECONDS + 1


def test_a_list_that_is_told_in_time_is_complete(settings, monkeypatch):
    monkeypatch.setattr("tests.unit.clusters.test_deadlines.CALL_SECONDS", 0.001)
    settings.CLUSTER_TIMEOUT_SECONDS = 60
    assert len(live.collections_of(CLUSTER)) == 50


def test_a_load_that_takes_long_is_left_to_the_cluster(monkeypatch, slow):
    with pytest.raises(ClusterUnreachable, match="docs is still loading c1. Search again in a moment"):
        live.load_collection(CLUSTER, CollectionRef("default", "c1"))
    monkeypatch.setattr("clusters.live.LOAD_SECONDS", 60)
    slow.released.set()
    live.load_collection(CLUSTER, CollectionRef("default", "c1"))


def test_the_clusters_own_words_come_through(monkeypatch):
    monkeypatch.setattr("clusters.live.LOAD_SECONDS", 60)
    with pytest.raises(CollectionMissing, match="There is no gone"):
        live.load_collection(CLUSTER, CollectionRef("default", "gone"))
