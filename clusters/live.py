"""Looking at real clusters over the network.

Every call may raise dataplane.errors.ClusterError and take seconds, as many as it says; none of them belongs inside a
transaction. The Milvus client is imported at the first call, for it takes a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings

from dataplane.errors import ClusterUnreachable

from .embedding import DIMENSION, WORD_FIELD_PREFIX, embed_words
from .models import Cluster
from .reach import reach

if TYPE_CHECKING:
    from dataplane.milvus import ClusterEndpoint, CollectionInfo, CollectionRef, SearchHit, ServerInfo

LOAD_SECONDS = 20.0
"""How long a page waits for a collection to be loaded; the cluster goes on after that."""

_Answer = TypeVar("_Answer")


def endpoint_of(cluster: Cluster, *, timeout_seconds: float | None = None) -> ClusterEndpoint:
    """How the data plane reaches `cluster`. ClusterUnreachable if it has no address yet, ClusterDenied if its
    token cannot be decrypted any more."""
    from dataplane.milvus import ClusterEndpoint

    if not cluster.endpoint:
        raise ClusterUnreachable(f"{cluster.name} has not started yet. Try again in a few seconds.")
    return ClusterEndpoint(
        uri=cluster.endpoint,
        token=cluster.read_token(),
        timeout_seconds=timeout_seconds or settings.CLUSTER_TIMEOUT_SECONDS,
        # Nobody typed where an embedded cluster answers: its keeper did.
        reach=None if cluster.is_embedded else reach(),
    )


def check_connection(cluster: Cluster) -> ServerInfo:
    """Who answers; at most CLUSTER_TIMEOUT_SECONDS."""
    from dataplane import milvus

    endpoint = endpoint_of(cluster)
    return _within(settings.CLUSTER_TIMEOUT_SECONDS, lambda: milvus.check_connection(endpoint), _too_slow(cluster))


def collections_of(cluster: Cluster) -> list[CollectionInfo]:
    """The collections of all databases, as the cluster tells them now; at most CLUSTER_TIMEOUT_SECONDS for all."""
    from dataplane import milvus

    endpoint, deadline = endpoint_of(cluster), time.monotonic() + settings.CLUSTER_TIMEOUT_SECONDS

    def describe_all() -> list[CollectionInfo]:
        with milvus.Cluster(endpoint) as server:
            found = []
            for ref in server.collections():
                if time.monotonic() > deadline:  # nobody waits for the others any more
                    raise ClusterUnreachable(_too_slow(cluster))
                found.append(server.collection_info(ref))
            return found

    return _within(settings.CLUSTER_TIMEOUT_SECONDS, describe_all, _too_slow(cluster))


def load_collection(cluster: Cluster, collection: CollectionRef) -> None:
    """Make the cluster ready to search `collection`; at most LOAD_SECONDS."""
    from dataplane import milvus

    endpoint = endpoint_of(cluster)

    def load() -> None:
        with milvus.Cluster(endpoint) as server:
            server.load(collection)

    _within(LOAD_SECONDS, load, f"{cluster.name} is still loading {collection.name}. Search again in a moment.")


def drop_collection(cluster: Cluster, collection: CollectionRef) -> None:
    from dataplane import milvus

    milvus.drop_collection(endpoint_of(cluster), collection)


def word_field(collection: CollectionInfo) -> str | None:
    """The vector field that can be searched by words, if the collection has one (see clusters.embedding)."""
    for name in collection.vector_fields:
        if name.startswith(WORD_FIELD_PREFIX) and collection.dimensions.get(name) == DIMENSION:
            return name
    return None


def search_words(cluster: Cluster, collection: CollectionInfo, words: str, *, limit: int = 10) -> list[SearchHit]:
    """The rows nearest to `words`; at most CLUSTER_TIMEOUT_SECONDS.

    ValueError if the collection cannot be searched by words or is not loaded: loading takes memory of the cluster for
    good, which looking must not do.
    """
    from dataplane import milvus

    field = word_field(collection)
    if field is None or not collection.is_loaded:
        raise ValueError(f"{collection.ref.name} cannot be searched by words now")
    endpoint, vector = endpoint_of(cluster), embed_words(words)
    return _within(
        settings.CLUSTER_TIMEOUT_SECONDS,
        lambda: milvus.search(endpoint, collection.ref, vector_field=field, vector=vector, limit=limit),
        _too_slow(cluster),
    )


def _too_slow(cluster: Cluster) -> str:
    return (
        f"{cluster.name} did not answer everything within {settings.CLUSTER_TIMEOUT_SECONDS:g} s. Try again; if that "
        "does not help, check the cluster, or raise CLUSTER_TIMEOUT_SECONDS."
    )


def _within(seconds: float, work: Callable[[], _Answer], otherwise: str) -> _Answer:
    """What `work` returns, or ClusterUnreachable with `otherwise` after `seconds`.

    The client's own timeouts hold for one call each, and a page makes several. So `work` has a thread of its own, which
    goes on until those timeouts end it: it must not touch the database.
    """
    import pymilvus  # noqa: F401 - the second that it takes is not the cluster's

    answer: Future[_Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            answer.set_exception(error)

    threading.Thread(target=run, name="cluster-call", daemon=True).start()
    if not wait([answer], timeout=seconds).done:
        raise ClusterUnreachable(otherwise)
    return answer.result()
