"""A worker that slept past its lease wakes up: nothing it then writes may reach a row or a store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import InternalError, OperationalError
from django.utils import timezone

from backups.models import Copy
from backups.states import BackupState, CopyState
from dataplane import layout
from dataplane.copy import CopyReport, copy_backup
from dataplane.errors import DataPlaneError
from dataplane.verify import VerifyReport, verify_backup
from jobs.models import Job
from jobs.moves import claim_job
from jobs.services import request_deletion
from jobs.states import JobState
from jobs.worker import _work_on_jobs, run_job, run_worker, sweep
from tests.builders import OREGON, VIRGINIA, all_rows
from tests.unit.dataplane.builders import all_keys
from tests.unit.jobs.test_work import admin_of
from tests.unit.jobs.world import folder, make_due, make_stored_backup, make_stored_backup_beside, run_next

pytestmark = pytest.mark.django_db


def test_a_worker_that_wakes_after_a_takeover_changes_no_row_of_the_one_that_took_over(stores_root, monkeypatch):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    first = claim_job("worker-1")
    assert first is not None
    rows_of_the_second: dict[str, object] = {}

    def copy_and_fall_asleep(plan: object, **arguments: object) -> CopyReport:
        report = copy_backup(plan, **arguments)  # type: ignore[arg-type]
        Job.objects.filter(pk=first.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert sweep() == 1
        make_due()
        assert claim_job("worker-2") is not None
        Copy.objects.filter(pk=first.copy_id).update(state=CopyState.TRANSFERRING)
        rows_of_the_second.update(all_rows())
        return report

    monkeypatch.setattr("jobs.work.copy_backup", copy_and_fall_asleep)
    run_job(first, threading.Event())
    assert all_rows() == rows_of_the_second


# The second is what PostgreSQL says to a worker that was frozen in a transaction for longer than a lease.
DATABASE_IS_AWAY = pytest.mark.parametrize(
    "trouble",
    [
        OperationalError("server closed the connection"),
        InternalError("terminating connection due to idle-in-transaction timeout"),
    ],
    ids=["closed", "ended"],
)


@DATABASE_IS_AWAY
def test_a_database_that_goes_away_in_the_middle_costs_no_attempt_more_than_the_sweep_counts(
    stores_root, monkeypatch, trouble
):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    job = claim_job("worker-1")
    assert job is not None

    def lose_the_database(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr("jobs.work.copy_backup", lose_the_database)
    with pytest.raises(type(trouble)):
        run_job(job, threading.Event())
    job.refresh_from_db()
    assert (job.state, job.copy.state) == (JobState.IN_PROGRESS, CopyState.TRANSFERRING)
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep()
    monkeypatch.undo()
    make_due()
    assert run_next().state == JobState.SUCCESSFUL


@pytest.mark.parametrize("failure", [DataPlaneError("Virginia does not answer."), RuntimeError("a mistake of ours")])
def test_a_worker_that_fails_after_a_takeover_does_not_tell_the_others_success_as_its_own(
    stores_root, monkeypatch, caplog, failure
):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    first = claim_job("worker-1")
    assert first is not None

    def fall_asleep_and_fail(*_: object, **__: object) -> None:
        monkeypatch.undo()
        Job.objects.filter(pk=first.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert sweep() == 1
        make_due()
        assert run_next().state == JobState.SUCCESSFUL
        caplog.clear()
        raise failure

    monkeypatch.setattr("jobs.work.copy_backup", fall_asleep_and_fail)
    with caplog.at_level("INFO", logger="jobs.worker"):
        run_job(first, threading.Event())
    assert "was taken over by somebody else" in caplog.text


@DATABASE_IS_AWAY
def test_a_working_thread_survives_a_database_that_does_not_answer(monkeypatch, trouble):
    stopping, calls = threading.Event(), []

    def next_job(name: str, regions: Sequence[str], *, takes_checks: bool) -> None:
        calls.append(name)
        if len(calls) == 2:
            stopping.set()
        raise trouble

    monkeypatch.setattr("jobs.worker.next_job", next_job)
    monkeypatch.setattr(stopping, "wait", lambda seconds: False)
    _work_on_jobs("worker-1", stopping)
    assert len(calls) == 2


def test_a_worker_that_loses_a_thread_stops_as_a_whole_and_says_so(monkeypatch):
    class Panic(BaseException):
        """What a panic in a Rust library looks like."""

    def next_job(name: str, regions: Sequence[str], *, takes_checks: bool) -> None:
        raise Panic

    monkeypatch.setattr("jobs.worker.next_job", next_job)
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    stopping = threading.Event()
    assert not run_worker(stopping)
    assert stopping.is_set()


# Deletions


def test_a_deletion_spares_the_chunks_of_a_backup_that_lost_its_manifest(stores_root):
    kept = make_stored_backup(stores_root)
    store = folder(stores_root, OREGON)
    doomed = make_stored_backup_beside(kept, stores_root)
    store.delete(layout.manifest_key(kept.cluster.code, kept.code))
    before = all_keys(store)
    request_deletion(user=admin_of(doomed), backup=doomed)
    job = run_next()
    assert job.state == JobState.FAILED
    assert "nobody knows which chunks" in job.reason
    assert all_keys(store) == before
    copy = doomed.copies.get()
    assert (copy.state, copy.reason, copy.is_on_its_way) == (CopyState.DELETING, job.reason, False)


def test_a_deletion_that_failed_can_be_asked_for_again(stores_root, monkeypatch):
    backup = make_stored_backup(stores_root)
    request_deletion(user=admin_of(backup), backup=backup)
    (stores_root / OREGON).rename(stores_root / "unmounted")
    Job.objects.update(max_attempts=1)
    assert run_next().state == JobState.FAILED
    (stores_root / "unmounted").rename(stores_root / OREGON)
    [again] = request_deletion(user=admin_of(backup), backup=backup)
    assert again.copy.is_on_its_way
    assert run_next().state == JobState.SUCCESSFUL
    backup.refresh_from_db()
    assert backup.state == BackupState.DELETED


@pytest.mark.parametrize("grace_seconds", [0, 3600])
def test_deleting_a_canceled_backup_takes_away_the_old_chunks_that_no_manifest_ever_named(
    stores_root, settings, grace_seconds
):
    settings.COLLECT_GRACE_SECONDS = grace_seconds
    backup = make_stored_backup(stores_root)
    store = folder(stores_root, OREGON)
    store.delete(layout.manifest_key(backup.cluster.code, backup.code))
    Copy.objects.filter(backup=backup).update(state=CopyState.CANCELED)
    request_deletion(user=admin_of(backup), backup=backup)
    job = run_next()
    assert job.state == JobState.SUCCESSFUL
    assert bool([key for key in all_keys(store) if "/chunks/" in key]) == bool(grace_seconds)


def test_a_worker_that_wakes_after_a_takeover_removes_nothing_that_looked_damaged_to_it(stores_root, monkeypatch):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    target = folder(stores_root, VIRGINIA)
    first = claim_job("worker-1")
    assert first is not None

    def damage_and_verify(**arguments: Any) -> VerifyReport:
        key = next(key for key in all_keys(target) if key.endswith(".parquet"))
        target.write(key, b"damaged")
        report = verify_backup(**arguments)
        assert report.damaged == (key,)
        Job.objects.filter(pk=first.pk).update(lease="taken over by another")
        return report

    monkeypatch.setattr("jobs.work.verify_backup", damage_and_verify)
    run_job(first, threading.Event())
    assert b"damaged" in [target.read_bytes(key) for key in all_keys(target)]
