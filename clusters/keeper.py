"""Keeps a Milvus Lite server running for every embedded cluster, and its address in the cluster's row."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import DatabaseError, close_old_connections

from dataplane.errors import ClusterError
from dataplane.milvus_lite import MilvusLiteServer

from .models import Cluster

if TYPE_CHECKING:
    from dataplane.milvus import Cluster as MilvusCluster
    from dataplane.milvus import CollectionRef

log = logging.getLogger(__name__)

PERIOD_SECONDS = 0.5
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0


class KeptServer:
    """One server that is started again, after growing pauses, until `stop` is called.

    It runs in a thread of its own, because on Linux a server dies with the thread that started it.
    """

    def __init__(self, name: str, data_dir: Path) -> None:
        self._name, self._data_dir = name, data_dir
        self._stopping = threading.Event()
        self._uri = ""
        self._thread = threading.Thread(target=self._run, name=f"keeper-{data_dir.name}", daemon=True)
        self._thread.start()

    @property
    def uri(self) -> str:
        """The address it answers at; empty while it does not run."""
        return self._uri

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def stop(self) -> None:
        """End the server and wait for it."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        wait_seconds = FIRST_WAIT_SECONDS
        while not self._stopping.is_set():
            # A new object each time takes a new port: the old one may have found another owner.
            server = MilvusLiteServer(self._data_dir)
            try:
                server.start()
            except (ClusterError, OSError) as trouble:
                log.warning("%s did not start, trying again in %.0f s: %s", self._name, wait_seconds, trouble)
                self._stopping.wait(wait_seconds)
                wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
                continue
            log.info("%s answers at %s", self._name, server.uri)
            self._uri, wait_seconds = server.uri, FIRST_WAIT_SECONDS
            self._load_collections(server.uri)
            while server.is_running and not self._stopping.wait(PERIOD_SECONDS):
                pass
            self._uri = ""
            if not self._stopping.is_set():
                log.warning("The server of %s ended by itself; starting it again", self._name)
            server.stop()

    def _load_collections(self, uri: str) -> None:
        """Make every collection searchable: unlike a Milvus server, Milvus Lite forgets at its end which ones were."""
        from dataplane.milvus import Cluster as MilvusCluster
        from dataplane.milvus import ClusterEndpoint

        try:
            with MilvusCluster(ClusterEndpoint(uri)) as cluster:
                for collection in cluster.collections():
                    if self._stopping.is_set():
                        return
                    self._load(cluster, collection)
            log.info("%s has loaded its collections", self._name)
        except ClusterError as trouble:
            log.warning("The collections of %s were not loaded: %s", self._name, trouble)

    def _load(self, cluster: MilvusCluster, collection: CollectionRef) -> None:
        try:
            cluster.load(collection)
        except ClusterError as trouble:  # one without an index cannot be loaded; that is no reason to leave out others
            log.warning("%s of %s was not loaded: %s", collection, self._name, trouble)


def keep_embedded_clusters(stopping: threading.Event) -> None:
    """Keep the servers until `stopping` is set; then end them and clear their addresses.

    Clusters that are added or dropped meanwhile are noticed within a second.
    """
    kept: dict[int, KeptServer] = {}
    while True:
        try:
            _adjust(kept)
        except DatabaseError as trouble:
            log.warning("The database does not answer, trying again: %s", trouble)
            close_old_connections()
        if stopping.wait(PERIOD_SECONDS):
            break
    for server in kept.values():
        server.ask_to_stop()
    for server in kept.values():
        server.stop()
    Cluster.objects.filter(is_embedded=True).exclude(endpoint="").update(endpoint="")


def _adjust(kept: dict[int, KeptServer]) -> None:
    """Start and stop servers so that they match the rows, then make the rows' addresses match the servers."""
    rows = list(Cluster.objects.filter(is_embedded=True).only("pk", "code", "name", "endpoint", "dropped_at"))
    wanted = {row.pk for row in rows if row.dropped_at is None}
    for pk in kept.keys() - wanted:
        kept.pop(pk).stop()
    for row in rows:
        if row.pk in wanted and row.pk not in kept:
            kept[row.pk] = KeptServer(row.name, row.data_dir)
        uri = kept[row.pk].uri if row.pk in kept else ""
        if row.endpoint != uri:
            # A plain update: the row may be edited on a page at this moment, and only this column is ours.
            Cluster.objects.filter(pk=row.pk).update(endpoint=uri)
