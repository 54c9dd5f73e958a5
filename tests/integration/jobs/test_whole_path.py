"""The whole path with a real database and a real worker process: one backup, two copies, each read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from django.db.models import Sum

from accounts.models import User
from accounts.privileges import ProjectRole
from backups.models import Backup, Copy
from backups.states import BackupState, CopyState
from dataplane.manifest import IndexEntry
from dataplane.milvus import Cluster as MilvusCluster
from dataplane.milvus import ClusterEndpoint, CollectionRef
from dataplane.milvus_lite import MilvusLiteServer
from jobs.check_services import request_repair, request_verification
from jobs.models import Job
from jobs.services import request_backup
from jobs.states import JobState, JobType
from pricing.ledger_models import DailyUsage, UsagePlace
from pricing.usage import places_of_ledger, rebuild_place
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_cluster, make_project, make_stores, make_user, region
from tests.integration.jobs.evidence import copies_by_region, is_sound
from tests.integration.jobs.processes import Process, wait_until
from tests.unit.dataplane.builders import make_field, make_schema
from tests.unit.jobs.world import folder

pytestmark = [
    pytest.mark.usefixtures("committed"),
]

DOCS = CollectionRef("default", "docs")
DIMENSION = 16


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Milvus Lite server with 500 documents."""
    with MilvusLiteServer(tmp_path_factory.mktemp("milvus")) as server:
        with MilvusCluster(ClusterEndpoint(uri=server.uri)) as cluster:
            schema = make_schema(
                make_field("text", "VARCHAR", params={"max_length": 100}),
                make_field("vector", "FLOAT_VECTOR", params={"dim": DIMENSION}),
            )
            cluster.create(DOCS, schema, shards=1, consistency_level="", properties={})
            random = Random(7)
            rows = [
                {"id": number, "text": f"document {number}", "vector": [random.random() for _ in range(DIMENSION)]}
                for number in range(500)
            ]
            cluster.insert(DOCS, rows, partition="_default")
            cluster.flush(DOCS)
            cluster.create_index(DOCS, IndexEntry("vector", "vector", "AUTOINDEX", "COSINE", {}))
        yield server.uri


def test_the_whole_path_from_a_real_database_to_three_available_copies(endpoint, stores_root, worker_log):
    project = make_project()
    make_stores(project.organization, OREGON, VIRGINIA, FRANKFURT, root=stores_root)
    cluster = make_cluster(project, endpoint=endpoint)
    admin = make_user(project=project, role=ProjectRole.ADMIN)
    original = request_backup(user=admin, cluster=cluster, regions=[region(VIRGINIA), region(FRANKFURT)])
    with Process("run_worker", worker_log / "worker.log") as worker:
        wait_until(lambda: Job.objects.exists() and not Job.objects.active().exists(), "every job has ended", worker)
        assert_ledger_knows_what_lies_there(stores_root)
        lose_and_mend_a_chunk(stores_root, admin, worker)
        assert worker.stop() == 0
    assert list(Job.objects.order_by("pk").values_list("type", "state", "attempt")) == [
        (JobType.BACKUP, JobState.SUCCESSFUL, 1),
        (JobType.COPY, JobState.SUCCESSFUL, 1),
        (JobType.COPY, JobState.SUCCESSFUL, 1),
        (JobType.VERIFY, JobState.FAILED, 1),
        (JobType.REPAIR, JobState.SUCCESSFUL, 1),
    ]
    backup = Backup.objects.get()
    assert (backup.state, backup.row_count) == (BackupState.AVAILABLE, 500)
    assert copies_by_region(backup) == dict.fromkeys([OREGON, VIRGINIA, FRANKFURT], CopyState.AVAILABLE)
    assert [(row.database, row.name, row.row_count) for row in backup.collections.all()] == [("default", "docs", 500)]
    # R6: no copy began before the original had ended.
    ended = Job.objects.get(pk=original.pk).finished_at
    assert Job.objects.filter(type=JobType.COPY, started_at__gt=ended).count() == 2
    assert all(is_sound(folder(stores_root, code), cluster, backup) for code in (OREGON, VIRGINIA, FRANKFURT))


def assert_ledger_knows_what_lies_there(root: Path) -> None:
    """To the byte, and the roll-up with it."""
    levels = dict(UsagePlace.objects.values_list("region", "level_bytes"))
    assert levels == {
        code: sum(path.stat().st_size for path in (root / code).rglob("*.parquet"))
        for code in (OREGON, VIRGINIA, FRANKFURT)
    }
    sent = DailyUsage.objects.filter(kind="transfer").order_by().values_list("region").annotate(Sum("size_bytes"))
    assert sorted(sent) == [(FRANKFURT, levels[FRANKFURT]), (VIRGINIA, levels[VIRGINIA])]
    assert [rebuild_place(name, check_only=True) for name in places_of_ledger()] == [[], [], []]


def lose_and_mend_a_chunk(root: Path, admin: User, worker: Process) -> None:
    """Frankfurt loses a chunk of the original's bytes; a check finds it, and a repair brings it from elsewhere."""
    [chunk, *_] = (root / FRANKFURT).rglob("*.parquet")
    chunk.unlink()
    copy = Copy.objects.get(region=FRANKFURT)
    request_verification(user=admin, copy=copy)
    wait_until(lambda: not Job.objects.active().exists(), "the check has ended", worker)
    copy.refresh_from_db()
    assert copy.state == CopyState.DAMAGED
    assert chunk.name in copy.reason
    request_repair(user=admin, copy=copy)
    wait_until(lambda: not Job.objects.active().exists(), "the repair has ended", worker)
