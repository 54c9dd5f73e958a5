"""`python -m benchmarks.queue [--quick] [--only rates|claims]`: the queue of jobs.

How long a job waits for a worker, and how many jobs that do nothing 1, 2 and 4 workers finish in a second, on SQLite
and on PostgreSQL, by looking and by being woken, beside bare Celery with Redis in the same run; and what a claim costs
when many jobs have ended. Each worker is a process that does one job at a time. Every database and broker is the
benchmark's own, without fsync where it is a server.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from statistics import median, quantiles
from typing import Any

from dataplane.child import dying_with_us
from tests.postgres import PostgresServer
from tests.redis_server import RedisServer

WORKER_COUNTS = (1, 2, 4)
CLUSTER_COUNT = 20
START_SECONDS, DRAIN_SECONDS = 60, 300
# What it is called, whether it has a server for its rows, and whether it has a broker.
WAYS = [
    ("SQLite, looking", False, False),
    ("PostgreSQL, looking", True, False),
    ("PostgreSQL, woken by Celery", True, True),
]


@dataclass
class Result:
    """What one way of queueing showed."""

    name: str
    per_second: dict[int, float] = field(default_factory=dict)
    waits_ms: list[float] = field(default_factory=list)
    claim_ms: dict[int, float] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the queue of jobs.")
    parser.add_argument("--quick", action="store_true", help="Few jobs, 100,000 ended ones instead of a million.")
    parser.add_argument("--only", choices=["rates", "claims"], help="One half: each takes some minutes.")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    jobs, waits, ended = (200, 20, 100_000) if wanted.quick else (1_000, 50, 1_000_000)
    if wanted.inside:
        measure = measure_claims if wanted.only == "claims" else measure_rates
        print(json.dumps(asdict(measure(wanted.inside, jobs, waits, ended))))
        return
    if wanted.only != "claims":
        with RedisServer() as redis:
            bare = measure_bare_celery(redis.url, jobs, waits)
        print_rates(bare, (in_another_process(*way, "rates", quick=wanted.quick) for way in WAYS))
    if wanted.only != "rates":
        # Who is woken claims as who looks.
        print_claims((in_another_process(*way, "claims", quick=wanted.quick) for way in WAYS[:2]), ended)


def in_another_process(name: str, has_server: bool, has_broker: bool, part: str, *, quick: bool) -> Result:
    """Settings are read once per process."""
    with (
        tempfile.TemporaryDirectory(prefix="backupsite-queue-") as folder,
        PostgresServer() if has_server else nullcontext() as server,
        RedisServer() if has_broker else nullcontext() as broker,
    ):
        environment = os.environ | {
            "VAR_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "LOG_LEVEL": "ERROR",
            "WORKER_CONCURRENCY": "1",
            "JOBS_PER_CLUSTER": "0",
            "JOBS_PER_REGION": "0",
            "DATABASE_URL": server.url if server else "",
            "BROKER_URL": broker.url if broker else "",
        }
        command = [sys.executable, "-m", "benchmarks.queue", "--inside", name, "--only", part]
        command += ["--quick"] if quick else []
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(answer.stdout.splitlines()[-1])
    for part in ("per_second", "claim_ms"):
        found[part] = {int(key): value for key, value in found[part].items()}
    return Result(**found)


# Rows


def measure_rates(name: str, job_count: int, wait_count: int, _: int) -> Result:
    from django.utils import timezone

    copies, result = set_up(), Result(name)
    from jobs.dispatch import dispatcher
    from jobs.models import Job, Worker

    is_woken = bool(os.environ["BROKER_URL"])
    for count in WORKER_COUNTS:
        with programs(count, [sys.executable, "-m", "benchmarks.queue_worker"]):
            wait_until(partial(_are_living, count), START_SECONDS)
            if count == 1:
                result.waits_ms = [wait_for_one(copies) for _ in range(wait_count)]
            began = time.perf_counter()
            make_jobs(copies, job_count)
            while is_woken and dispatcher().deliver_waiting(timezone.now()):
                """Five hundred at a time."""
            wait_until(lambda: not Job.objects.active().exists(), DRAIN_SECONDS)
            result.per_second[count] = job_count / (time.perf_counter() - began)
        wait_until(lambda: not Worker.objects.exists(), START_SECONDS)
    return result


def measure_claims(name: str, _: int, __: int, ended_count: int) -> Result:
    copies, result = set_up(), Result(name)
    for ended in (1_000, ended_count):
        result.claim_ms[ended] = claim_milliseconds(copies, ended)
    return result


def set_up() -> list[Any]:
    """An empty database with the copies that jobs are about."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return make_copies()


def _are_living(count: int) -> bool:
    from jobs.models import Worker

    return Worker.objects.count() == count


def make_copies() -> list[Any]:
    from tests.builders import make_backup, make_cluster, make_project

    project = make_project()
    return [make_backup(make_cluster(project)).copies.get() for _ in range(CLUSTER_COUNT)]


def make_jobs(copies: list[Any], count: int) -> None:
    """Pending restores, of which any number may read one copy."""
    from jobs.models import Job

    Job.objects.bulk_create(new_job(copies[number % len(copies)]) for number in range(count))


def new_job(copy: Any) -> Any:
    from jobs.models import Job

    backup = copy.backup
    return Job(
        project=backup.project,
        type="restore",
        cluster=backup.cluster,
        backup=backup,
        copy=copy,
        target_region=copy.region,
        priority=10,
    )


def wait_for_one(copies: list[Any]) -> float:
    """Milliseconds from the commit of a request until its job had begun."""
    from django.db import transaction

    from jobs.models import Job
    from jobs.moves import create_job
    from jobs.states import JobState, JobType

    # Not in step with the workers' looks.
    time.sleep(0.05 + (time.perf_counter_ns() % 100_000_000) / 1e9)
    with transaction.atomic():
        job = create_job(JobType.RESTORE, copy=copies[0], origin="manual", created_by=None)
        transaction.on_commit(lambda: committed.append(time.time()))
        committed: list[float] = []
    wait_until(lambda: Job.objects.filter(pk=job.pk, state=JobState.SUCCESSFUL).exists(), START_SECONDS)
    job.refresh_from_db()
    assert job.started_at is not None
    return max(0.0, (job.started_at.timestamp() - committed[0]) * 1_000)


def claim_milliseconds(copies: list[Any], ended_count: int) -> float:
    """The median of a claim among a hundred pending jobs, when so many have ended."""
    from django.db import connection

    from jobs.models import Job
    from jobs.moves import claim_job
    from tests.builders import make_job

    make_job(copies[0], type="restore", state="successful")
    missing = ended_count - Job.objects.filter(finished_at__isnull=False).count()
    columns = [column.column for column in Job._meta.concrete_fields if column.column not in {"id", "code"}]
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if missing > 0:
            cursor.execute(
                "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < %s) "
                f"INSERT INTO jobs_job (code, {names}) SELECT 'ended-' || i || '-' || %s, {names} FROM number, "
                f"(SELECT {names} FROM jobs_job WHERE finished_at IS NOT NULL LIMIT 1) AS ended",
                [missing, ended_count],
            )
        cursor.execute("ANALYZE")
    make_jobs(copies, 100)
    taken = []
    for _ in range(50):
        began = time.perf_counter()
        assert claim_job("benchmark") is not None
        taken.append((time.perf_counter() - began) * 1_000)
    Job.objects.active().delete()
    return median(taken)


# Celery by itself


def measure_bare_celery(url: str, job_count: int, wait_count: int) -> Result:
    os.environ["BROKER_URL"] = url
    from redis import Redis

    from benchmarks.bare_celery import BEGUN, app, begin

    redis, result = Redis.from_url(url), Result("bare Celery with Redis")
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.bare_celery", "worker", "--loglevel=ERROR"]
    command += ["--concurrency=1", "--without-gossip", "--without-mingle"]
    for count in WORKER_COUNTS:
        with programs(count, command):
            # The first to listen answers; the others need some seconds more.
            begin.delay()
            wait_until(lambda: redis.llen(BEGUN) == 1, START_SECONDS)
            time.sleep(3 * count)
            if count == 1:
                for _ in range(wait_count):
                    redis.delete(BEGUN)
                    sent = time.time()
                    begin.delay()
                    wait_until(lambda: redis.llen(BEGUN) == 1, START_SECONDS)
                    result.waits_ms.append((float(redis.lrange(BEGUN, 0, 0)[0]) - sent) * 1_000)
            redis.delete(BEGUN)
            began = time.perf_counter()
            with app.producer_pool.acquire(block=True) as producer:
                for _ in range(job_count):
                    begin.apply_async(producer=producer)
            wait_until(lambda: redis.llen(BEGUN) == job_count, DRAIN_SECONDS)
            result.per_second[count] = job_count / (time.perf_counter() - began)
            redis.delete(BEGUN)
    return result


@contextmanager
def programs(count: int, command: list[str]) -> Iterator[None]:
    started = [subprocess.Popen(dying_with_us(command), stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        for program in started:
            program.send_signal(signal.SIGTERM)
        for program in started:
            program.wait(30)


def wait_until(is_true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.01)


def print_rates(bare: Result, results: Iterable[Result]) -> None:
    """Row by row, as they are measured."""
    counts = "".join(f"{f'{count} workers':>12}" for count in WORKER_COUNTS)
    print(f"{'jobs that do nothing, per second':34}{counts}{'beside bare Celery':>22}{'wait ms':>10}{'95 %':>8}")
    for result in chain([bare], results):
        rates = "".join(f"{result.per_second[count]:12,.0f}" for count in WORKER_COUNTS)
        ratios = " ".join(f"{result.per_second[count] / bare.per_second[count]:.2f}" for count in WORKER_COUNTS)
        late = quantiles(result.waits_ms, n=20)[-1]
        print(f"{result.name:34}{rates}{ratios:>22}{median(result.waits_ms):10,.0f}{late:8,.0f}", flush=True)


def print_claims(results: Iterable[Result], ended_count: int) -> None:
    print(f"{'one claim, ms':34}{'1,000 ended':>16}{f'{ended_count:,} ended':>18}{'ratio':>8}")
    for result in results:
        few, many = result.claim_ms[1_000], result.claim_ms[ended_count]
        print(f"{result.name:34}{few:16.2f}{many:18.2f}{many / few:8.2f}", flush=True)


if __name__ == "__main__":
    main()
