"""A restore that is given up leaves nothing half-written behind."""

from typing import Any

import pytest

from dataplane.errors import Stopped
from dataplane.milvus import Cluster, ClusterEndpoint
from dataplane.restore import CollectionMapping, RestorePlan, discard_unfinished, restore_backup
from dataplane.stores.memory import MemoryStore
from tests.integration.dataplane.conftest import back_up, make_numbers, ref
from tests.unit.dataplane.builders import CLUSTER, ignore


def test_what_a_given_up_restore_was_writing_is_dropped_and_nothing_else(
    client: Any, endpoint: ClusterEndpoint
) -> None:
    make_numbers(client, rows=50)
    store = MemoryStore()
    back_up(endpoint, store)
    again = (CollectionMapping(ref("numbers"), ref("again")),)
    plan = RestorePlan(CLUSTER, "backup-1", again, cu_size=1, load=True, attempt_id="abc")

    def stop_once_it_is_there() -> bool:
        with Cluster(endpoint) as cluster:
            return len(cluster.collections()) > 1

    with pytest.raises(Stopped):
        restore_backup(plan, store=store, endpoint=endpoint, on_progress=ignore, should_stop=stop_once_it_is_there)
    assert discard_unfinished(plan, endpoint=endpoint) == (ref("again__restoring_abc"),)
    with Cluster(endpoint) as cluster:
        assert cluster.collections() == [ref("numbers")]
    assert discard_unfinished(plan, endpoint=endpoint) == ()
