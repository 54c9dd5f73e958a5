"""Worker processes that are killed, frozen or stopped in the middle of copies."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db import connection

from backups.models import Backup, Copy
from backups.states import CopyState
from dataplane import layout
from dataplane.commit import read_manifest
from dataplane.stores.local import UNFINISHED
from jobs.models import Job, JobEvent
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, OREGON, VIRGINIA
from tests.integration.jobs.evidence import copies_by_region, is_sound
from tests.integration.jobs.processes import Process, wait_until
from tests.unit.jobs.world import folder, make_stored_backup

pytestmark = [
    pytest.mark.usefixtures("committed"),
]

# Enough that nobody finishes before the test has looked: so many files, each flushed to disk, for each region.
CHUNK_COUNT, CHUNK_BYTES = 800, 16_384


@pytest.fixture
def scheduler(committed: None, worker_log: Path) -> Iterator[Process]:
    """Gives the jobs of silent workers to the others, as on the site."""
    with Process("run_scheduler", worker_log / "scheduler.log") as process:
        yield process


def make_large_backup(stores_root: Path) -> Backup:
    """A backup that takes seconds to copy, with pending jobs for two regions."""
    random = Random(11)
    contents = [random.randbytes(CHUNK_BYTES) for _ in range(CHUNK_COUNT)]
    return make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT], contents=contents)


def arrived(stores_root: Path, code: str) -> int:
    """Chunks that lie in a region's folder, without asking the store, which would slow the copy down."""
    chunks = (stores_root / code).glob("clusters/*/chunks/*/*.parquet")
    return sum(not path.name.startswith(UNFINISHED) for path in chunks)


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
        if path.is_file() and not path.name.startswith(UNFINISHED)
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
