"""What a copy really sent, and from where: it is paid for, also when the attempt came to nothing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from backups.models import Copy
from backups.states import CopyState
from dataplane.copy import copy_backup
from jobs.models import Job
from jobs.moves import claim_job
from jobs.worker import run_job, sweep
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_copy, make_job
from tests.site import wait_until
from tests.unit.jobs.world import CONTENTS, make_stored_backup, make_stored_backup_beside, run_next

SIZE = sum(map(len, CONTENTS))


def test_bytes_of_an_attempt_that_died_are_counted(committed, stores_root, monkeypatch):
    make_stored_backup(stores_root, copies=[VIRGINIA])
    monkeypatch.setattr("jobs.hold.BEAT_SECONDS", 0.01)
    job = claim_job("worker-1")
    assert job is not None

    def copy_and_die(plan: object, **arguments: object) -> None:
        copy_backup(plan, **arguments)  # type: ignore[arg-type]
        wait_until(lambda: Copy.objects.get(pk=job.copy_id).sent_bytes == SIZE, "the bytes are counted")
        raise OperationalError("the machine lost its power")

    monkeypatch.setattr("jobs.work.copy_backup", copy_and_die)
    with pytest.raises(OperationalError, match="lost its power"):
        run_job(job, threading.Event())
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    sweep()
    monkeypatch.undo()
    # All chunks are there, so the second attempt sends none; the first one's are paid for all the same.
    copy = run_next().copy
    assert (copy.state, copy.sent_bytes, copy.skipped_bytes) == (CopyState.AVAILABLE, SIZE, SIZE)


def test_what_the_target_held_already_makes_no_copy_look_fast(committed, stores_root, monkeypatch):
    first = make_stored_backup(stores_root, copies=[VIRGINIA])
    run_next()
    make_job(make_copy(make_stored_backup_beside(first, stores_root), VIRGINIA, state=CopyState.PLANNED))
    monkeypatch.setattr("jobs.hold.BEAT_SECONDS", 0.01)
    job = claim_job("worker-1")
    assert job is not None

    def copy_and_fail(plan: object, **arguments: object) -> None:
        copy_backup(plan, **arguments)  # type: ignore[arg-type]
        wait_until(lambda: Job.objects.get(pk=job.pk).bytes_done == SIZE, "the progress is written")
        raise OperationalError("the machine lost its power")

    monkeypatch.setattr("jobs.work.copy_backup", copy_and_fail)
    with pytest.raises(OperationalError, match="lost its power"):
        run_job(job, threading.Event())
    Job.objects.filter(pk=job.pk).update(phase_started_at=timezone.now() - timedelta(minutes=1))
    job.refresh_from_db()
    assert (job.bytes_before, job.rate) == (SIZE, None)


@pytest.mark.django_db
def test_a_copy_remembers_from_which_region_it_came(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA, FRANKFURT])
    first = run_next().copy
    Copy.objects.filter(backup=backup, is_original=True).update(state=CopyState.DAMAGED)
    second = run_next().copy
    assert (first.source_region_id, second.source_region_id) == (OREGON, first.region_id)
