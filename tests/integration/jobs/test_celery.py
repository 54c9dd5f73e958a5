"""Workers that Celery wakes through a real Redis: messages may be lost or doubled, jobs may not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.privileges import ProjectRole
from backups.models import Backup
from jobs.celery_app import send
from jobs.dispatch import dispatcher
from jobs.models import Job, Worker
from jobs.presence import GENERAL
from jobs.services import request_deletion
from jobs.states import JobState, JobType
from jobs.worker import sweep
from tests.builders import VIRGINIA, make_user
from tests.integration.jobs.processes import Process, wait_until
from tests.integration.jobs.test_lost_workers import arrived
from tests.redis_server import HOW_TO_GET_REDIS, RedisServer, find_redis
from tests.unit.jobs.world import make_stored_backup, make_stored_backup_beside

pytestmark = [
    pytest.mark.usefixtures("committed"),
    pytest.mark.skipif(
        find_redis() is None and not os.environ.get("CI"), reason=f"needs a Redis server: {HOW_TO_GET_REDIS}"
    ),
]

# Enough that nobody has finished before the test looks.
CHUNK_COUNT, CHUNK_BYTES = 1_500, 8_192


@pytest.fixture
def redis(settings) -> Iterator[RedisServer]:
    """A broker, to which the requests of this process go as well."""
    with RedisServer() as server:
        settings.BROKER_URL = server.url
        dispatcher.cache_clear()
        yield server
    dispatcher.cache_clear()


def start(command: str, log: Path, redis: RedisServer) -> Process:
    return Process(command, log, BROKER_URL=redis.url)


def request(backup: Backup) -> Job:
    user = make_user(project=backup.project, role=ProjectRole.ADMIN)
    return request_deletion(user=user, backup=backup)[0]


def while_swept(is_true: Callable[[], bool]) -> Callable[[], bool]:
    """`is_true`, asked beside a sweep like the scheduler's, only more often."""
    next_sweep = 0.0

    def ask() -> bool:
        nonlocal next_sweep
        if time.monotonic() > next_sweep:
            sweep()
            next_sweep = time.monotonic() + 0.3
        return is_true()

    return ask


def has_succeeded(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, state=JobState.SUCCESSFUL).exists()


def test_a_message_wakes_a_worker_a_double_is_harmless_and_a_silent_broker_only_delays(stores_root, worker_log, redis):
    first = make_stored_backup(stores_root)
    second = make_stored_backup_beside(first, stores_root)
    with start("run_worker", worker_log / "worker.log", redis) as worker:
        wait_until(lambda: Worker.objects.filter(queues=[GENERAL], is_woken=True).exists(), "it listens", worker)
        woken = request(first)
        for _ in range(3):
            send(woken.code, GENERAL)
        wait_until(lambda: has_succeeded(woken), "the woken worker has carried it out", worker)

        redis.stop()
        began = time.monotonic()
        late = request(second)
        assert time.monotonic() - began < 4
        assert Job.objects.get(pk=late.pk).state == JobState.PENDING
        redis.start()
        wait_until(while_swept(lambda: has_succeeded(late)), "the sweep has delivered it", worker)
        assert worker.stop() == 0
    assert set(Job.objects.filter(type=JobType.DELETE).values_list("attempt", "fence")) == {(1, 1)}
    assert not Worker.objects.exists()


def test_a_killed_worker_is_followed_by_another_which_hands_its_job_back_when_it_is_stopped(
    stores_root, worker_log, redis
):
    contents = [number.to_bytes(2, "big") * CHUNK_BYTES for number in range(CHUNK_COUNT)]
    make_stored_backup(stores_root, copies=[VIRGINIA], contents=contents)

    def copying() -> Job:
        return Job.objects.get(type=JobType.COPY)

    with (
        start("run_worker", worker_log / "one.log", redis) as one,
        start("run_worker", worker_log / "other.log", redis) as other,
    ):
        wait_until(while_swept(lambda: arrived(stores_root, VIRGINIA) > 20), "the copy is under way", one, other)
        killed, heir = (one, other) if f":{one.pid}:" in copying().worker else (other, one)
        killed.kill()
        wait_until(while_swept(lambda: copying().fence == 2), "the other has taken over", heir)
        assert f":{heir.pid}:" in copying().worker
        assert heir.stop() == 0
        assert (copying().state, copying().attempt) == (JobState.PENDING, 1)
    assert not Worker.objects.filter(pid=heir.pid).exists()
