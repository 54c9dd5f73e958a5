"""Jobs carried out by worker processes: the whole path from a real database, and workers lost half-way."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db import connection

from accounts.privileges import ProjectRole
from backups.models import Backup, Copy
from backups.states import BackupState, CopyState
from clusters.models import Cluster
from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.manifest import IndexEntry
from dataplane.milvus import Cluster as MilvusCluster
from dataplane.milvus import ClusterEndpoint, CollectionRef
from dataplane.milvus_lite import MilvusLiteServer
from dataplane.progress import Progress
from dataplane.stores.local import LocalStore
from dataplane.verify import verify_backup
from jobs.models import Job, JobEvent
from jobs.services import request_backup
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_cluster, make_project, make_stores, make_user, region
from tests.integration.jobs.processes import Process, wait_until
from tests.unit.dataplane.builders import make_field, make_schema
from tests.unit.jobs.world import folder, make_stored_backup

pytestmark = [
    pytest.mark.skipif(connection.vendor != "sqlite", reason="starts workers over a SQLite file: unset DATABASE_URL"),
    pytest.mark.usefixtures("committed"),
]

DOCS = CollectionRef("default", "docs")
DIMENSION = 16
# Enough that nobody finishes before the test has looked: so many files, each flushed to disk, for each region.
CHUNK_COUNT, CHUNK_BYTES = 800, 16_384


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


@pytest.fixture
def worker_log(tmp_path: Path) -> Iterator[Path]:
    """Where the processes of a test write; shown when it fails."""
    logs = tmp_path / "log"
    logs.mkdir()
    yield logs
    for path in sorted(logs.iterdir()):
        print(f"--- {path.name}\n{path.read_text(errors='replace')}")  # noqa: T201 - pytest shows it on failure


@pytest.fixture
def scheduler(committed: None, worker_log: Path) -> Iterator[Process]:
    """Gives the jobs of silent workers to the others, as on the site."""
    with Process("run_scheduler", worker_log / "scheduler.log") as process:
        yield process


def copies_by_region(backup: Backup) -> dict[str, str]:
    return dict(backup.copies.values_list("region", "state"))


def is_sound(store: LocalStore, cluster: Cluster, backup: Backup) -> bool:
    def ignore(progress: Progress) -> None:
        """Nobody watches."""

    report = verify_backup(
        cluster_id=cluster.code,
        backup_id=backup.code,
        store=store,
        on_progress=ignore,
        should_stop=lambda: False,
    )
    return report.is_sound


def test_the_whole_path_from_a_real_database_to_three_available_copies(endpoint, stores_root, worker_log):
    project = make_project()
    make_stores(project.organization, OREGON, VIRGINIA, FRANKFURT, root=stores_root)
    cluster = make_cluster(project, endpoint=endpoint)
    admin = make_user(project=project, role=ProjectRole.ADMIN)
    original = request_backup(user=admin, cluster=cluster, regions=[region(VIRGINIA), region(FRANKFURT)])
    with Process("run_worker", worker_log / "worker.log") as worker:
        wait_until(lambda: Job.objects.exists() and not Job.objects.active().exists(), "every job has ended", worker)
        assert worker.stop() == 0
    assert list(Job.objects.order_by("pk").values_list("type", "state", "attempt")) == [
        (JobType.BACKUP, JobState.SUCCESSFUL, 1),
        (JobType.COPY, JobState.SUCCESSFUL, 1),
        (JobType.COPY, JobState.SUCCESSFUL, 1),
    ]
    backup = Backup.objects.get()
    assert (backup.state, backup.row_count) == (BackupState.AVAILABLE, 500)
    assert copies_by_region(backup) == dict.fromkeys([OREGON, VIRGINIA, FRANKFURT], CopyState.AVAILABLE)
    assert [(row.database, row.name, row.row_count) for row in backup.collections.all()] == [("default", "docs", 500)]
    # R6: no copy began before the original had ended.
    ended = Job.objects.get(pk=original.pk).finished_at
    assert Job.objects.filter(type=JobType.COPY, started_at__gt=ended).count() == 2
    assert all(is_sound(folder(stores_root, code), cluster, backup) for code in (OREGON, VIRGINIA, FRANKFURT))


def make_large_backup(stores_root: Path) -> Backup:
    """A backup that takes seconds to copy, with pending jobs for two regions."""
    random = Random(11)
    contents = [random.randbytes(CHUNK_BYTES) for _ in range(CHUNK_COUNT)]
    return make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT], contents=contents)


def arrived(stores_root: Path, code: str) -> int:
    """Chunks that lie in a region's folder, without asking the store, which would slow the copy down."""
    return sum(1 for _ in (stores_root / code).glob("clusters/*/chunks/*/*.parquet"))


def is_half_way(stores_root: Path) -> bool:
    return all(arrived(stores_root, code) > 20 for code in (VIRGINIA, FRANKFURT))


def has_manifest(stores_root: Path, backup: Backup, code: str) -> bool:
    return (stores_root / code / layout.manifest_key(backup.cluster.code, backup.code)).exists()


def assert_both_copies_are_there(stores_root: Path, backup: Backup) -> None:
    assert copies_by_region(backup) == dict.fromkeys([OREGON, VIRGINIA, FRANKFURT], CopyState.AVAILABLE)
    for code in (VIRGINIA, FRANKFURT):
        assert is_sound(folder(stores_root, code), backup.cluster, backup)
        assert arrived(stores_root, code) == CHUNK_COUNT


def copy_jobs() -> list[Job]:
    return list(Job.objects.filter(type=JobType.COPY).order_by("pk"))


def test_a_worker_killed_in_the_middle_of_a_copy_is_followed_by_another(stores_root, worker_log, scheduler):
    backup = make_large_backup(stores_root)
    with Process("run_worker", worker_log / "killed.log") as killed:
        wait_until(lambda: is_half_way(stores_root), "both copies are half-way", killed, scheduler)
        killed.kill()
    sent_before = {code: arrived(stores_root, code) for code in (VIRGINIA, FRANKFURT)}
    jobs_before = Job.objects.count()
    for code in (VIRGINIA, FRANKFURT):
        assert not has_manifest(stores_root, backup, code)
        assert sent_before[code] < CHUNK_COUNT

    with Process("run_worker", worker_log / "second.log") as second:
        wait_until(lambda: not Job.objects.active().exists(), "every job has ended", second, scheduler)
    assert_both_copies_are_there(stores_root, backup)
    assert Job.objects.count() == jobs_before
    for job in copy_jobs():
        assert (job.state, job.attempt, job.fence) == (JobState.SUCCESSFUL, 2, 2)
        assert list(job.events.values_list("to_state", flat=True)) == [
            JobState.IN_PROGRESS,
            JobState.PENDING,
            JobState.IN_PROGRESS,
            JobState.VERIFYING,
            JobState.SUCCESSFUL,
        ]
        # What had arrived was not sent twice.
        assert job.copy.skipped_bytes == sent_before[job.target_region_id] * CHUNK_BYTES
        assert job.copy.skipped_bytes + job.copy.sent_bytes == CHUNK_COUNT * CHUNK_BYTES


def is_locked() -> bool:
    """Whether somebody holds SQLite's write lock at this moment."""
    database = sqlite3.connect(connection.settings_dict["NAME"], timeout=0.2)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.rollback()
    except sqlite3.OperationalError:
        return True
    finally:
        database.close()
    return False


def freeze_outside_a_transaction(worker: Process) -> None:
    """A worker frozen while it holds SQLite's lock would freeze the whole site: SQLite's limit, not what we test."""
    worker.freeze()
    while is_locked():
        worker.thaw()
        worker.freeze()


def everything(stores_root: Path) -> dict[str, Any]:
    rows = {model.__name__: list(model.objects.order_by("pk").values()) for model in (Job, JobEvent, Copy, Backup)}
    files = {
        str(path.relative_to(stores_root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(stores_root.rglob("*"))
        if path.is_file() and ".unfinished" not in path.parts
    }
    return rows | {"files": files}


def test_a_frozen_worker_that_wakes_after_another_has_finished_changes_nothing(stores_root, worker_log, scheduler):
    backup = make_large_backup(stores_root)
    with Process("run_worker", worker_log / "frozen.log") as frozen:
        wait_until(lambda: is_half_way(stores_root), "both copies are half-way", frozen, scheduler)
        freeze_outside_a_transaction(frozen)
        for code in (VIRGINIA, FRANKFURT):
            assert not has_manifest(stores_root, backup, code)
        with Process("run_worker", worker_log / "second.log") as second:
            wait_until(lambda: not Job.objects.active().exists(), "every job has ended", second, scheduler)
            assert second.stop() == 0
        assert_both_copies_are_there(stores_root, backup)
        assert {job.fence for job in copy_jobs()} == {2}
        before = everything(stores_root)

        frozen.thaw()
        wait_until(lambda: frozen.log.count("taken over by somebody else") == 2, "it noticed", frozen, scheduler)
        assert everything(stores_root) == before
        for code in (VIRGINIA, FRANKFURT):
            assert read_manifest(folder(stores_root, code), backup.cluster.code, backup.code).fence == 2
        assert frozen.stop() == 0
    assert everything(stores_root) == before


def test_a_worker_that_is_told_to_stop_hands_its_jobs_back_and_loses_no_attempt(stores_root, worker_log):
    backup = make_large_backup(stores_root)
    with Process("run_worker", worker_log / "first.log") as first:
        wait_until(lambda: is_half_way(stores_root), "both copies are half-way", first)
        assert first.stop() == 0
    assert [(job.state, job.attempt) for job in copy_jobs()] == [(JobState.PENDING, 0)] * 2
    with Process("run_worker", worker_log / "second.log") as second:
        wait_until(lambda: not Job.objects.active().exists(), "every job has ended", second)
    assert_both_copies_are_there(stores_root, backup)
    assert {job.attempt for job in copy_jobs()} == {1}
