"""How many jobs run at once in one cluster and in one region, and what a job that waits says on its page."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from queue import Queue
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from backups.models import Copy
from backups.states import CopyState
from clusters.models import Cluster
from jobs.collecting import request_collection
from jobs.models import Job
from jobs.moves import claim_job, move_job
from jobs.states import JobState, JobType
from jobs.waiting import why_waiting
from jobs.worker import next_job, run_worker
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_backup, make_cluster, make_copy, make_job, text_of
from tests.site import PATIENCE_SECONDS


def make_check(copy: Copy | None = None, **changes: Any) -> Job:
    copy = copy or make_copy(region=FRANKFURT)
    return make_job(copy, type=JobType.VERIFY, parameters={"depth": "full"}, **changes)


def make_restore(cluster: Cluster, copy: Copy | None = None, **changes: Any) -> Job:
    return make_job(copy or make_backup(cluster).copies.get(), type=JobType.RESTORE, cluster=cluster, **changes)


@pytest.mark.django_db
def test_checks_go_last_and_repairs_with_the_copies():
    check = make_check()
    deletion = make_job(make_copy(state=CopyState.DELETING), type=JobType.DELETE)
    repair = make_job(make_copy(state=CopyState.DAMAGED), type=JobType.REPAIR)
    copy = make_job()
    assert [claim_job("worker-1") for _ in range(4)] == [repair, copy, deletion, check]


@pytest.mark.django_db
def test_a_region_takes_as_many_jobs_as_its_limit_and_the_next_when_one_has_ended(settings):
    settings.JOBS_PER_REGION = 2
    jobs = [make_check() for _ in range(3)]
    elsewhere = make_check(make_copy(region=VIRGINIA))
    assert [claim_job("worker-1") for _ in range(4)] == [*jobs[:2], elsewhere, None]
    first = Job.objects.get(pk=jobs[0].pk)
    move_job(first, JobState.SUCCESSFUL)
    assert claim_job("worker-1") == jobs[2]


@pytest.mark.django_db
@pytest.mark.parametrize("state", [JobState.IN_PROGRESS, JobState.VERIFYING, JobState.CANCELING])
def test_a_job_counts_until_its_worker_has_let_go_of_it(settings, state):
    settings.JOBS_PER_REGION = 1
    make_check(state=state)
    make_check()
    assert claim_job("worker-1") is None


@pytest.mark.django_db
def test_a_restore_neither_waits_for_the_checks_of_its_region_nor_takes_their_place(settings):
    settings.JOBS_PER_REGION = 1
    cluster = make_cluster()
    make_check(make_backup(cluster).copies.get(), state=JobState.IN_PROGRESS)
    waiting = make_check(make_backup(cluster).copies.get())
    restore = make_restore(cluster)
    assert claim_job("worker-1") == restore
    assert claim_job("worker-1") is None
    move_job(Job.objects.get(state=JobState.IN_PROGRESS, type=JobType.VERIFY), JobState.SUCCESSFUL)
    assert claim_job("worker-1") == waiting


@pytest.mark.django_db
def test_backups_and_restores_of_one_cluster_share_its_limit_and_copies_do_not_count(settings):
    settings.JOBS_PER_CLUSTER = 2
    cluster = make_cluster()
    make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    make_job(make_copy(make_backup(cluster), FRANKFURT, state=CopyState.TRANSFERRING), state=JobState.IN_PROGRESS)
    first, second = make_restore(cluster), make_restore(cluster)
    other = make_restore(make_cluster())
    assert [claim_job("worker-1") for _ in range(3)] == [first, other, None]
    move_job(Job.objects.get(type=JobType.BACKUP), JobState.FAILED)
    assert claim_job("worker-1") == second


@pytest.mark.django_db
def test_zero_is_no_limit(settings):
    settings.JOBS_PER_CLUSTER = settings.JOBS_PER_REGION = 0
    cluster = make_cluster()
    jobs = {make_restore(cluster) for _ in range(6)} | {make_check(make_backup(cluster).copies.get()) for _ in range(6)}
    assert {claim_job("worker-1") for _ in range(12)} == jobs


def test_workers_that_claim_at_the_same_time_never_exceed_a_limit(committed, settings):
    settings.JOBS_PER_REGION = 3
    for _ in range(8):
        make_check()
    together = threading.Barrier(4)
    taken: list[Job] = []

    def work(name: str) -> None:
        together.wait()
        while job := claim_job(name):
            taken.append(job)
        connection.close()

    threads = [threading.Thread(target=work, args=(f"worker-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == Job.objects.held().count() == 3


def test_checks_never_take_the_last_hand_of_a_worker(committed, settings, monkeypatch):
    settings.WORKER_CONCURRENCY, settings.JOB_POLL_SECONDS, settings.JOBS_PER_REGION = 2, 0.01, 0
    stopping, taken = threading.Event(), Queue[str]()

    def work_until_told(job: Job, stopping: threading.Event) -> None:
        taken.put(job.type)
        stopping.wait()

    monkeypatch.setattr("jobs.worker.run_job", work_until_told)
    for _ in range(3):
        make_check()
    worker = threading.Thread(target=run_worker, args=(stopping,))
    worker.start()
    try:
        assert taken.get(timeout=PATIENCE_SECONDS) == JobType.VERIFY
        make_restore(make_cluster())
        assert taken.get(timeout=PATIENCE_SECONDS) == JobType.RESTORE
    finally:
        stopping.set()
        worker.join()


@pytest.mark.django_db
def test_a_worker_with_one_hand_takes_checks_too():
    check = make_check()
    assert next_job("worker-1", takes_checks=False) is None
    assert next_job("worker-1") == check


# What may not run side by side


@pytest.mark.django_db
def test_a_repair_and_a_removal_in_the_same_place_wait_for_each_other():
    cluster = make_cluster()
    for first_type, second_type in ((JobType.REPAIR, JobType.DELETE), (JobType.DELETE, JobType.REPAIR)):
        states = {JobType.REPAIR: CopyState.DAMAGED, JobType.DELETE: CopyState.DELETING}
        running = make_job(
            make_copy(make_backup(cluster), FRANKFURT, state=states[first_type]),
            type=first_type,
            state=JobState.IN_PROGRESS,
        )
        waiting = make_job(make_copy(make_backup(cluster), FRANKFURT, state=states[second_type]), type=second_type)
        assert claim_job("worker-1") is None
        move_job(running, JobState.SUCCESSFUL)
        assert claim_job("worker-1") == waiting
        waiting.refresh_from_db()
        move_job(waiting, JobState.SUCCESSFUL)


@pytest.mark.django_db
def test_a_check_waits_for_a_repair_beside_it_but_not_for_writers_and_removals():
    cluster = make_cluster()
    repair = make_job(
        make_copy(make_backup(cluster), FRANKFURT, state=CopyState.DAMAGED),
        type=JobType.REPAIR,
        state=JobState.IN_PROGRESS,
    )
    check = make_check(make_copy(make_backup(cluster), FRANKFURT))
    assert claim_job("worker-1") is None
    Job.objects.filter(pk=repair.pk).update(type=JobType.DELETE)
    assert claim_job("worker-1") == check


# Its cost


@pytest.mark.django_db
def test_a_claim_looks_at_pending_and_held_jobs_alone_however_many_have_ended():
    ended = make_check(state=JobState.SUCCESSFUL)
    columns = {field.attname: getattr(ended, field.attname) for field in Job._meta.concrete_fields}
    Job.objects.bulk_create(Job(**columns | {"id": None, "code": f"ended-{number}"}) for number in range(3_000))
    with connection.cursor() as cursor:
        # A planner that knows of no rows takes any index for as good as another.
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Job.objects.claimable(timezone.now())[:1].explain()
    used = set(re.findall(r"(?:USING (?:COVERING )?INDEX|Scan using|Index Scan on) (\w+)", plan))
    assert used >= {"job_pending_by_priority", "job_held_by_region"}
    # Each of them leaves out what has ended, or leads to the pending ones; a database may take any for a question.
    allowed = {index.name for index in Job._meta.indexes if "held" in index.name or "pending" in index.name}
    of_active_ones = {rule.name for rule in Job._meta.constraints if "one_" in rule.name}
    assert used <= allowed | of_active_ones | {"job_family_cluster_state"}
    assert not re.search(r"SCAN (jobs_job|U0)$|Seq Scan", plan, re.MULTILINE)
    assert "job_held_" in Job.objects.with_expired_lease(timezone.now()).explain()


@pytest.mark.django_db
def test_a_look_for_work_that_finds_nothing_pending_asks_one_short_question(django_assert_num_queries):
    make_check(state=JobState.IN_PROGRESS)
    make_check(not_before=timezone.now() + timedelta(hours=1))
    with django_assert_num_queries(1) as captured:
        assert next_job("worker-1") is None
    assert "EXISTS" not in captured.captured_queries[0]["sql"]


# What a job waits for


@pytest.mark.django_db
def test_a_job_that_waits_says_for_what(settings):
    settings.JOBS_PER_REGION, settings.JOBS_PER_CLUSTER = 2, 1
    cluster = make_cluster(name="docs")
    for _ in range(2):
        make_check(make_copy(make_backup(cluster), FRANKFURT), state=JobState.IN_PROGRESS)
    make_job(type=JobType.BACKUP, cluster=cluster, state=JobState.IN_PROGRESS)
    assert why_waiting(make_check()) == ["Waits: 2 jobs are already running in Frankfurt."]
    assert why_waiting(make_restore(cluster)) == ["Waits: 1 job is already talking to docs."]
    deletion = make_job(make_backup(cluster, original_state=CopyState.DELETING).copies.get(), type=JobType.DELETE)
    assert why_waiting(deletion) == ["Waits until what is being written for docs in Oregon is complete."]
    assert why_waiting(make_check(make_copy(region=VIRGINIA))) == ["Waits for a worker to be free."]


@pytest.mark.django_db
def test_every_barrier_has_a_sentence_for_its_page(settings):
    settings.JOBS_PER_REGION = 0
    cluster = make_cluster(name="docs")
    backup = make_backup(cluster, copies={FRANKFURT: CopyState.DELETING, VIRGINIA: CopyState.DAMAGED})
    removal = make_job(backup.copies.get(region=FRANKFURT), type=JobType.DELETE)
    mending = make_job(backup.copies.get(region=VIRGINIA), type=JobType.REPAIR)
    restore = make_restore(make_cluster(), backup.copies.get(is_original=True))
    beside = make_job(make_copy(make_backup(cluster), FRANKFURT, state=CopyState.PLANNED))
    check = make_check(make_copy(make_backup(cluster), VIRGINIA))
    collection = request_collection(make_copy(make_backup(cluster), FRANKFURT), created_by=None)
    assert collection is not None
    assert why_waiting(collection) == ["Waits until nothing more is to be written for docs in Frankfurt."]
    begin(removal)
    assert why_waiting(beside) == [
        "Waits until what is being removed for docs in Frankfurt is gone; this job might rely on it."
    ]
    assert why_waiting(restore) == ["Waits until the removal of a copy of this backup has ended."]
    assert why_waiting(mending) == ["Waits until the removal of a copy of docs, which this job might use, has ended."]
    let_go(removal)
    begin(mending)
    assert why_waiting(removal) == ["Waits until a repair for docs, which may need this copy, has ended."]
    assert why_waiting(check) == ["Waits until a repair in Virginia has ended."]
    let_go(mending)
    begin(restore)
    assert why_waiting(removal) == ["Waits until the jobs that read this backup have ended."]


def begin(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state=JobState.IN_PROGRESS, lease="a", lease_until=timezone.now())


def let_go(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state=JobState.PENDING, lease="", lease_until=None)


@pytest.mark.django_db
def test_nothing_of_a_cluster_is_removed_while_anything_of_it_is_repaired_nor_the_other_way_round():
    cluster = make_cluster()
    repair = make_job(make_copy(make_backup(cluster), state=CopyState.DAMAGED), type=JobType.REPAIR)
    removal = make_job(make_copy(make_backup(cluster), FRANKFURT, state=CopyState.DELETING), type=JobType.DELETE)
    begin(repair)
    assert claim_job("worker-1") is None
    let_go(repair)
    begin(removal)
    assert claim_job("worker-1") is None
    elsewhere = make_job(make_copy(state=CopyState.DAMAGED), type=JobType.REPAIR)
    assert claim_job("worker-1") == elsewhere


@pytest.mark.django_db
@pytest.mark.parametrize("state", sorted(set(JobState) - {JobState.PENDING}))
def test_a_job_that_runs_or_has_ended_waits_for_nothing(state):
    assert why_waiting(make_check(state=state)) == []


@pytest.mark.django_db
def test_the_page_of_a_job_says_what_it_waits_for(people, client, settings):
    settings.JOBS_PER_REGION = 1
    cluster = make_cluster(people.project)
    make_check(make_backup(cluster).copies.get(), state=JobState.IN_PROGRESS)
    waiting = make_check(make_backup(cluster).copies.get())
    client.force_login(people.viewer)
    assert "Waits: 1 job is already running in Oregon." in text_of(client.get(waiting.get_absolute_url()))
    assert waiting.target_region_id == OREGON
