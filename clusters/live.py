"""Looking at real clusters over the network. Every call may raise dataplane.errors.ClusterError and take seconds;
none of them belongs inside a transaction. The Milvus client is imported at the first call, for it takes a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from dataplane.errors import ClusterUnreachable

from .embedding import WORD_FIELD_PREFIX, embed_words
from .models import Cluster

if TYPE_CHECKING:
    from dataplane.milvus import ClusterEndpoint, CollectionInfo, CollectionRef, SearchHit, ServerInfo


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
    )


def check_connection(cluster: Cluster) -> ServerInfo:
    from dataplane import milvus

    return milvus.check_connection(endpoint_of(cluster))


def collections_of(cluster: Cluster) -> list[CollectionInfo]:
    """The collections of all databases, as the cluster tells them now."""
    from dataplane import milvus

    return milvus.list_collections(endpoint_of(cluster))


def drop_collection(cluster: Cluster, collection: CollectionRef) -> None:
    from dataplane import milvus

    milvus.drop_collection(endpoint_of(cluster), collection)


def word_field(collection: CollectionInfo) -> str | None:
    """The vector field that can be searched by words, if the collection has one (see clusters.embedding)."""
    return next((name for name in collection.vector_fields if name.startswith(WORD_FIELD_PREFIX)), None)


def search_words(cluster: Cluster, collection: CollectionInfo, words: str, *, limit: int = 10) -> list[SearchHit]:
    """The rows nearest to `words`; ValueError if the collection cannot be searched by words."""
    from dataplane import milvus

    field = word_field(collection)
    if field is None:
        raise ValueError(f"{collection.ref.name} has no field that can be searched by words")
    return milvus.search(
        endpoint_of(cluster), collection.ref, vector_field=field, vector=embed_words(words), limit=limit
    )
