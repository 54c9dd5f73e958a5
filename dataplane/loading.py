"""Making a collection readable for a while, and leaving it as it was."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dataplane.errors import ClusterError
from dataplane.fields import is_vector
from dataplane.manifest import IndexEntry, Schema
from dataplane.milvus import Cluster, CollectionRef, Description

READING_INDEX = "backupsite_reading"
"""Begins the name of an index made only to read by; one left behind by a crash is nobody's."""

_FLAT = {
    "BINARY_VECTOR": ("BIN_FLAT", "HAMMING"),
    "SPARSE_FLOAT_VECTOR": ("SPARSE_INVERTED_INDEX", "IP"),
    "INT8_VECTOR": ("HNSW", "L2"),
}
"""The index that costs least to build, and a metric it has; FLAT and L2 for all other types."""


def is_for_reading(index: IndexEntry) -> bool:
    return index.name.startswith(READING_INDEX)


@contextmanager
def readable(
    cluster: Cluster, ref: CollectionRef, described: Description, *, stays_loaded: bool = False
) -> Iterator[None]:
    """Only a collection that is loaded, in all its partitions, can be counted and read; afterwards it is as it was.

    A server loads nothing that lacks an index on a vector, so one that scans is made for as long as it takes.
    With `stays_loaded`, what could be loaded without such help is left loaded.
    """
    if described.is_loaded and not described.loaded_partitions:
        yield
        return
    lacking = [] if cluster.info.is_lite else _reading_indexes(described.schema, described.indexes)
    unloaded = sorted(set(described.partitions) - set(described.loaded_partitions))
    try:
        for index in lacking:
            cluster.create_index(ref, index)
        cluster.load(ref)
        yield
    except BaseException:
        with suppress(ClusterError):  # a cluster that just failed may fail here too, and the first error says more
            _put_back(cluster, ref, described, unloaded, lacking)
        raise
    if lacking or not stays_loaded:
        _put_back(cluster, ref, described, unloaded, lacking)


def _put_back(
    cluster: Cluster, ref: CollectionRef, described: Description, unloaded: list[str], lacking: list[IndexEntry]
) -> None:
    if described.loaded_partitions:
        cluster.release_partitions(ref, unloaded)
        return
    cluster.release(ref)
    for index in lacking:
        cluster.drop_index(ref, index.name)


def _reading_indexes(schema: Schema, indexes: tuple[IndexEntry, ...]) -> list[IndexEntry]:
    has_index = {index.field for index in indexes}
    made = []
    for number, field in enumerate(schema.fields):
        if is_vector(field.type) and field.name not in has_index:
            kind, metric = _FLAT.get(field.type, ("FLAT", "L2"))
            made.append(
                IndexEntry(
                    field=field.name,
                    name=f"{READING_INDEX}_{number}",
                    type=kind,
                    metric="BM25" if field.is_function_output else metric,
                    params={"M": "4", "efConstruction": "8"} if kind == "HNSW" else {},
                )
            )
    return made
