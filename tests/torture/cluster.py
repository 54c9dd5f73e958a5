"""A small real cluster, so that some of what fails is an original backup."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from dataplane.manifest import IndexEntry
from dataplane.milvus import Cluster, ClusterEndpoint, CollectionRef
from dataplane.milvus_lite import MilvusLiteServer
from tests.site import ROOT
from tests.unit.dataplane.builders import make_field, make_schema

_ROW_COUNT, _DIMENSION = 300, 8


@contextmanager
def live_cluster(folder: Path) -> Iterator[str]:
    """The address of a Milvus Lite server with two collections."""
    folder.mkdir()
    with MilvusLiteServer(folder) as server:
        # By a process of its own: one that has talked to a cluster must not fork any more.
        subprocess.run([sys.executable, "-m", "tests.torture.cluster", server.uri], cwd=ROOT, check=True)
        yield server.uri


def main() -> None:
    with Cluster(ClusterEndpoint(uri=sys.argv[1])) as cluster:
        for name in ("docs", "images"):
            _fill(cluster, CollectionRef("default", name))


def _fill(cluster: Cluster, collection: CollectionRef) -> None:
    random = Random(collection.name)
    schema = make_schema(make_field("vector", "FLOAT_VECTOR", params={"dim": _DIMENSION}))
    cluster.create(collection, schema, shards=1, consistency_level="", properties={})
    rows = [{"id": number, "vector": [random.random() for _ in range(_DIMENSION)]} for number in range(_ROW_COUNT)]
    cluster.insert(collection, rows, partition="_default")
    cluster.flush(collection)
    cluster.create_index(collection, IndexEntry("vector", "vector", "AUTOINDEX", "COSINE", {}))


if __name__ == "__main__":
    main()
