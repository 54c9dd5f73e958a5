"""Scheduler processes side by side: what is due is started once, what is over is ended once."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import Count
from django.utils import timezone

from jobs.models import Job, Schedule, ScheduledRun
from jobs.states import JobType
from tests.builders import OREGON, make_backup, make_cluster, make_project, make_schedule, make_stores
from tests.integration.jobs.processes import Process, wait_until

pytestmark = [
    pytest.mark.usefixtures("committed"),
]

SCHEDULE_COUNT = 10


def test_of_two_schedulers_one_starts_each_backup_and_ends_each_copy_and_one_alone_goes_on(
    worker_log: Path, tmp_path: Path
):
    now = timezone.now()
    far_month = (now.month + 5) % 12 + 1
    project = make_project()
    make_stores(project.organization, OREGON)
    cluster = make_cluster(project)
    make_backup(cluster)
    for _ in range(SCHEDULE_COUNT):
        make_schedule(cluster, cron=f"0 0 1 {far_month} *", next_due_at=now)
        make_backup(cluster, kept_days=1).copies.update(stored_at=now - timedelta(days=2))

    def begun(job_type: JobType) -> int:
        return Job.objects.filter(type=job_type).count()

    with ExitStack() as stack:
        first, second = (
            stack.enter_context(Process("run_scheduler", worker_log / f"{name}.log", VAR_DIR=str(tmp_path)))
            for name in ("first", "second")
        )
        wait_until(
            lambda: begun(JobType.BACKUP) >= SCHEDULE_COUNT and begun(JobType.EXPIRE) >= SCHEDULE_COUNT,
            "every backup was started and every copy ended",
            first,
            second,
        )
        first.kill()
        # In this order: the one that lives may look at any moment, and passes over what is due while a backup runs.
        Job.objects.filter(type=JobType.BACKUP).update(state="successful", finished_at=now)
        Schedule.objects.filter(pk=Schedule.objects.earliest("pk").pk).update(next_due_at=timezone.now())
        wait_until(lambda: begun(JobType.BACKUP) > SCHEDULE_COUNT, "the other one goes on", second)
        wait_until(lambda: bool(list(tmp_path.glob("scheduler-*.beat"))), "its round is completed", second)
        assert second.stop() == 0
        assert not list(tmp_path.glob("scheduler-*.beat"))
    assert begun(JobType.BACKUP) == SCHEDULE_COUNT + 1
    assert begun(JobType.EXPIRE) == SCHEDULE_COUNT
    assert ScheduledRun.objects.filter(state="started").count() == SCHEDULE_COUNT + 1
    assert not Job.objects.values("copy").annotate(count=Count("pk")).filter(count__gt=1).exists()
