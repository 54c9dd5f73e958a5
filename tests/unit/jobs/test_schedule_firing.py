"""Due times turned into backups: each once, in time or written down as missed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backups.states import Origin
from clusters.models import Cluster
from jobs import firing
from jobs.endings import settle
from jobs.firing import KEEP_RUNS, MOST_LISTED, correct_due_times, fire_due, forget_old_runs
from jobs.models import Job, Schedule, ScheduledRun
from jobs.moves import move_job
from jobs.schedule_states import RunState
from jobs.schedules import due_times
from jobs.states import JobState, JobType
from tests.builders import OREGON, VIRGINIA, make_cluster, make_job, make_project, make_schedule, make_stores

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_world(**changes: Any) -> Schedule:
    """A schedule that is due every hour, last at noon, for a cluster with stores in Oregon and Virginia."""
    project = make_project()
    make_stores(project.organization, OREGON, VIRGINIA)
    values: dict[str, Any] = {"cron": "0 * * * *", "next_due_at": NOON, "targets": {VIRGINIA: 3}} | changes
    return make_schedule(make_cluster(project), **values)


def runs_of(schedule: Schedule) -> list[tuple[datetime, str]]:
    return list(schedule.runs.order_by("due_at").values_list("due_at", "state"))


@pytest.mark.django_db
def test_nothing_is_due_before_its_time():
    make_world()
    assert fire_due(NOON - timedelta(seconds=1)) == 0
    assert Job.objects.count() == 0


@pytest.mark.django_db
def test_a_due_schedule_makes_the_backup_it_describes_and_is_due_again_later():
    schedule = make_world(scope="collection", collections=[["default", "docs"]], kept_days=5)
    assert fire_due(NOON) == 1
    job = Job.objects.get(run__schedule=schedule)
    assert (job.type, job.state, job.origin, job.created_by) == (JobType.BACKUP, JobState.PENDING, Origin.AUTO, None)
    assert job.schedule == schedule
    assert dict(job.backup.copies.values_list("region", "kept_days")) == {OREGON: 5, VIRGINIA: 3}
    assert list(job.backup.collections.values_list("database", "name")) == [("default", "docs")]
    schedule.refresh_from_db()
    assert schedule.next_due_at == NOON + HOUR
    assert fire_due(NOON) == 0
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_a_basic_schedule_starts_inside_its_window_and_not_after_its_end():
    schedule = make_world()
    Schedule.objects.update(kind="basic", cron="", days="1234567", window_start="01:00")
    schedule.refresh_from_db()
    first, second = due_times(schedule.rule, NOON, 2)
    for due_at, late, state in (
        (first, timedelta(minutes=29), RunState.STARTED),
        (second, timedelta(hours=2), RunState.MISSED),
    ):
        assert due_at.hour in {1, 2}
        Schedule.objects.update(next_due_at=due_at)
        fire_due(due_at + late)
        assert schedule.runs.get(due_at=due_at).state == state
        Job.objects.update(state=JobState.SUCCESSFUL, finished_at=due_at)


@pytest.mark.django_db
def test_after_a_downtime_the_newest_time_runs_and_the_older_ones_are_missed():
    schedule = make_world()
    fire_due(NOON + 3 * HOUR + timedelta(minutes=30))
    assert runs_of(schedule) == [(NOON + number * HOUR, RunState.MISSED) for number in range(3)] + [
        (NOON + 3 * HOUR, RunState.STARTED)
    ]
    assert "The scheduler was not running until 2026-11-23 14:00 UTC" in schedule.runs.get(due_at=NOON).reason
    schedule.refresh_from_db()
    assert schedule.next_due_at == NOON + 4 * HOUR


@pytest.mark.django_db
def test_after_a_downtime_that_was_too_long_nothing_runs():
    schedule = make_world(cron="0 12 * * *")
    fire_due(NOON + timedelta(hours=2, seconds=1))
    assert runs_of(schedule) == [(NOON, RunState.MISSED)]
    assert Job.objects.count() == 0


@pytest.mark.django_db
def test_a_downtime_of_months_is_told_in_so_many_rows():
    schedule = make_world(cron="* * * * *")
    fire_due(NOON + timedelta(days=100))
    states = [state for _, state in runs_of(schedule)]
    assert states == [RunState.MISSED] * (MOST_LISTED - 1) + [RunState.STARTED]


@pytest.mark.django_db
def test_a_time_that_meets_the_backup_before_it_is_missed():
    schedule = make_world()
    fire_due(NOON)
    running = Job.objects.get()
    fire_due(NOON + HOUR)
    missed = schedule.runs.get(due_at=NOON + HOUR)
    assert missed.state == RunState.MISSED
    assert f"The backup before it ({running.code}) had not finished" in missed.reason
    Job.objects.update(state=JobState.SUCCESSFUL, finished_at=NOON)
    fire_due(NOON + 2 * HOUR)
    assert schedule.runs.get(due_at=NOON + 2 * HOUR).state == RunState.STARTED


@pytest.mark.django_db
@pytest.mark.parametrize("origin", [Origin.MANUAL, Origin.AUTO])
def test_r10_it_runs_although_somebody_elses_backup_runs(origin):
    schedule = make_world()
    make_job(type=JobType.BACKUP, cluster=schedule.cluster, origin=origin, state=JobState.IN_PROGRESS)
    fire_due(NOON)
    assert runs_of(schedule) == [(NOON, RunState.STARTED)]


@pytest.mark.django_db
def test_what_a_rule_refuses_is_missed_with_its_sentence_and_holds_up_nobody():
    refused, abolished, fine = make_world(), make_world(), make_world()
    Cluster.objects.filter(pk=refused.cluster_id).update(plan="serverless")
    Schedule.objects.filter(pk=abolished.pk).update(time_zone="Mars/Olympus")
    assert fire_due(NOON) == 3
    assert "Serverless clusters cannot be backed up" in refused.runs.get().reason
    assert "There is no time zone called Mars/Olympus" in abolished.runs.get().reason
    assert runs_of(fine) == [(NOON, RunState.STARTED)]


@pytest.mark.django_db
def test_our_mistake_with_one_schedule_holds_up_no_other_and_is_logged(caplog, monkeypatch):
    broken, fine = make_world(), make_world()
    start_run = firing.start_run

    def start_or_break(schedule: Schedule, **arguments: Any) -> ScheduledRun:
        if schedule == broken:
            raise ZeroDivisionError
        return start_run(schedule, **arguments)

    monkeypatch.setattr("jobs.firing.start_run", start_or_break)
    assert fire_due(NOON) == 1
    assert (runs_of(broken), runs_of(fine)) == ([], [(NOON, RunState.STARTED)])
    assert f"Schedule {broken.pk} could not be fired" in caplog.text


@pytest.mark.django_db
def test_the_jobs_of_the_copies_belong_to_the_schedule_too():
    schedule = make_world()
    fire_due(NOON)
    original = Job.objects.get()
    move_job(original, JobState.CANCELED, reason="Canceled by hand.")
    settle(original)
    copy = original.children.get()
    assert (copy.type, copy.schedule) == (JobType.COPY, schedule)


@pytest.mark.django_db
def test_a_schedule_that_is_off_is_never_due():
    make_world(is_enabled=False, next_due_at=None)
    assert fire_due(NOON + 1_000 * HOUR) == 0


@pytest.mark.django_db
def test_the_database_refuses_a_second_run_of_one_due_time():
    schedule = make_world()
    fire_due(NOON)
    with pytest.raises(IntegrityError), transaction.atomic():
        ScheduledRun.objects.create(schedule=schedule, due_at=NOON, state=RunState.MISSED, reason="Late.")


@pytest.mark.django_db
def test_a_due_time_that_was_run_already_is_not_run_again_whatever_the_schedule_says():
    schedule = make_world()
    fire_due(NOON)
    Job.objects.update(state=JobState.SUCCESSFUL, finished_at=NOON)
    Schedule.objects.update(next_due_at=NOON)  # as after restoring an older database
    assert fire_due(NOON) == 1
    assert runs_of(schedule) == [(NOON, RunState.STARTED)]
    schedule.refresh_from_db()
    assert schedule.next_due_at == NOON + HOUR


def test_of_many_schedulers_at_once_one_fires(committed):
    schedules = [make_world() for _ in range(3)]
    ready = threading.Barrier(4)

    def look() -> None:
        ready.wait()
        try:
            fire_due(NOON)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        for looked in [pool.submit(look) for _ in range(4)]:
            looked.result()
    for schedule in schedules:
        assert runs_of(schedule) == [(NOON, RunState.STARTED)]
    assert Job.objects.count() == 3


@pytest.mark.django_db
def test_due_schedules_are_found_by_the_index_of_the_enabled_ones():
    plan = Schedule.objects.due(NOON).values_list("pk", flat=True)[: firing._AT_ONCE].explain()
    if connection.vendor == "sqlite":
        assert "SEARCH jobs_schedule USING INDEX schedule_due" in plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.django_db
def test_a_time_passed_over_because_a_later_one_was_due_too_is_told_as_it_was():
    schedule = make_world(cron="*/30 * * * *")
    fire_due(NOON + HOUR)
    reasons = list(schedule.runs.filter(state=RunState.MISSED).order_by("due_at").values_list("reason", flat=True))
    assert len(reasons) == 2
    assert reasons[0] == (
        "The scheduler was not running at this time. When it ran again, 2026-11-23 13:00 UTC was due as well, and one "
        "backup stands for both."
    )


@pytest.mark.django_db
def test_a_schedule_whose_time_zone_is_gone_is_missed_once_a_day_and_not_every_few_seconds():
    schedule = make_world(time_zone="Europe/Atlantis")
    assert fire_due(NOON) == 1
    assert fire_due(NOON + HOUR) == 0
    run = schedule.runs.get()
    assert (run.due_at, run.state) == (NOON, RunState.MISSED)
    assert "There is no time zone called Europe/Atlantis" in run.reason
    assert fire_due(NOON + timedelta(days=1)) == 1
    assert schedule.runs.count() == 2


@pytest.mark.django_db
def test_a_schedule_that_a_wrong_clock_sent_into_the_future_comes_back():
    schedule = make_world()
    fire_due(NOON + timedelta(days=365))
    Job.objects.update(state=JobState.SUCCESSFUL, finished_at=NOON)
    assert fire_due(NOON + HOUR) == 0
    assert correct_due_times(NOON) == 1
    assert correct_due_times(NOON) == 0
    fire_due(NOON + HOUR)
    assert (NOON + HOUR, RunState.STARTED) in runs_of(schedule)


@pytest.mark.django_db
def test_runs_are_forgotten_after_their_time_and_their_backups_are_not():
    schedule = make_world()
    fire_due(NOON)
    assert forget_old_runs(NOON + KEEP_RUNS) == 0
    assert forget_old_runs(NOON + KEEP_RUNS + timedelta(seconds=1)) == 1
    assert (schedule.runs.count(), Job.objects.count()) == (0, 1)
