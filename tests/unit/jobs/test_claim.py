"""Claiming: the most urgent job, by one worker, when its time has come and no neighbour stands against it."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from backups.states import CopyState
from jobs.models import Job, JobEvent
from jobs.moves import claim_job, move_job
from jobs.states import JobState, JobType
from jobs.worker import next_job
from tests.builders import FRANKFURT, VIRGINIA, make_backup, make_cluster, make_copy, make_job


@pytest.mark.django_db
def test_nothing_to_do_is_no_job():
    assert claim_job("worker-1") is None
    assert next_job("worker-1") is None


@pytest.mark.django_db
def test_restores_go_before_backups_before_copies_before_deletions_and_the_older_before_the_newer():
    available = make_copy(state=CopyState.AVAILABLE)
    deletion = make_job(make_copy(state=CopyState.DELETING), type=JobType.DELETE)
    first_copy, second_copy = make_job(), make_job()
    backup = make_job(type=JobType.BACKUP)
    restore = make_job(available, type=JobType.RESTORE)
    claimed = [claim_job("worker-1") for _ in range(5)]
    assert claimed == [restore, backup, first_copy, second_copy, deletion]
    assert claim_job("worker-1") is None


@pytest.mark.django_db
def test_a_claim_counts_the_attempt_raises_the_fence_and_takes_a_fresh_lease():
    pending = make_job(bytes_done=5, bytes_total=9, progress_at=timezone.now(), not_before=timezone.now())
    first = claim_job("worker-1")
    assert first is not None
    assert (first.pk, first.state, first.attempt, first.fence) == (pending.pk, JobState.IN_PROGRESS, 1, 1)
    assert (first.worker, first.bytes_done, first.bytes_total, first.progress_at) == ("worker-1", 0, 0, None)
    assert first.lease
    assert first.lease_until is not None
    assert first.lease_until > timezone.now()
    assert JobEvent.objects.get().note == "Taken by worker-1"
    started_at, lease = first.started_at, first.lease

    move_job(first, JobState.PENDING)
    second = claim_job("worker-2")
    assert second is not None
    assert (second.attempt, second.fence, second.worker) == (2, 2, "worker-2")
    assert second.lease != lease
    assert second.started_at == started_at


@pytest.mark.django_db
def test_of_two_claims_of_one_job_the_second_gets_nothing():
    make_job()
    assert claim_job("worker-1") is not None
    assert claim_job("worker-2") is None


def test_workers_that_claim_at_the_same_time_never_share_a_job(committed, settings):
    settings.JOBS_PER_REGION = 0
    jobs = {make_job().pk for _ in range(12)}
    together = threading.Barrier(4)
    taken: list[tuple[str, int]] = []

    def work(name: str) -> None:
        together.wait()
        while job := claim_job(name):
            taken.append((name, job.pk))
        connection.close()

    threads = [threading.Thread(target=work, args=(f"worker-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pk for _, pk in taken) == sorted(jobs)
    assert set(Job.objects.values_list("attempt", "fence")) == {(1, 1)}
    assert dict(Job.objects.values_list("pk", "worker")) == {pk: name for name, pk in taken}


@pytest.mark.django_db
def test_a_job_that_must_wait_is_not_claimed_before_its_time():
    job = make_job(not_before=timezone.now() + timedelta(seconds=30))
    assert claim_job("worker-1") is None
    Job.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    assert claim_job("worker-1") == job


@pytest.mark.django_db
@pytest.mark.parametrize("state", [JobState.IN_PROGRESS, JobState.VERIFYING, JobState.CANCELING])
def test_a_removal_waits_for_whoever_writes_for_the_cluster_in_the_region(state):
    cluster = make_cluster()
    writer = make_job(make_copy(make_backup(cluster), VIRGINIA, state=CopyState.TRANSFERRING), state=state)
    removal = make_job(make_copy(make_backup(cluster), VIRGINIA, state=CopyState.DELETING), type=JobType.DELETE)
    assert claim_job("worker-1") is None
    move_job(writer, JobState.CANCELED if state == JobState.CANCELING else JobState.CRASHED)
    assert claim_job("worker-1") == removal


@pytest.mark.django_db
def test_a_removal_waits_for_a_backup_that_writes_the_original():
    cluster = make_cluster()
    removal = make_job(make_backup(cluster, original_state=CopyState.DELETING).copies.get(), type=JobType.DELETE)
    writer = make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    assert claim_job("worker-1") is None
    move_job(writer, JobState.FAILED)
    assert claim_job("worker-1") == removal


@pytest.mark.django_db
def test_a_writer_waits_for_a_removal_in_the_same_place():
    cluster = make_cluster()
    removal = make_job(
        make_copy(make_backup(cluster), VIRGINIA, state=CopyState.DELETING),
        type=JobType.DELETE,
        state=JobState.IN_PROGRESS,
    )
    writer = make_job(make_copy(make_backup(cluster), VIRGINIA, state=CopyState.PLANNED))
    assert claim_job("worker-1") is None
    move_job(removal, JobState.SUCCESSFUL)
    assert claim_job("worker-1") == writer


@pytest.mark.django_db
def test_two_removals_in_the_same_place_go_one_after_the_other():
    cluster = make_cluster()
    first, second = (
        make_job(make_copy(make_backup(cluster), VIRGINIA, state=CopyState.DELETING), type=JobType.DELETE)
        for _ in range(2)
    )
    assert claim_job("worker-1") == first
    assert claim_job("worker-2") is None
    first.refresh_from_db()
    move_job(first, JobState.SUCCESSFUL)
    assert claim_job("worker-2") == second


@pytest.mark.django_db
def test_removals_and_writers_in_other_regions_or_of_other_clusters_do_not_wait():
    cluster = make_cluster()
    make_job(make_copy(make_backup(cluster), VIRGINIA, state=CopyState.TRANSFERRING), state=JobState.IN_PROGRESS)
    elsewhere = make_job(make_copy(make_backup(cluster), FRANKFURT, state=CopyState.DELETING), type=JobType.DELETE)
    another = make_job(make_copy(make_backup(), VIRGINIA, state=CopyState.DELETING), type=JobType.DELETE)
    assert [claim_job("worker-1"), claim_job("worker-1")] == [elsewhere, another]
