"""`python -m benchmarks.region_loss`: what is left of a thousand clusters when regions are lost, and the overview.

Makes rows for --clusters clusters in five regions with --copies copies in each, in a database of its own: SQLite in a
temporary folder, or the one that `python -m tests.postgres python -m benchmarks.region_loss` starts. Prints the medians
of the answer alone (the questions to the database and the verdicts), of both pages as a browser gets them, the number
of their queries beside that for one cluster, and how the database finds the copies.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import Any

GOAL_SECONDS = 1.0
BATCH = 5_000
SIZE_BYTES = 2_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures how long the answer to the loss of regions takes.")
    parser.add_argument("--clusters", type=int, default=1_000)
    parser.add_argument("--copies", type=int, default=90, help="of each cluster in each region")
    parser.add_argument("--rounds", type=int, default=7)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backupsite-loss-") as folder:
        os.environ |= {"VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.ALLOWED_HOSTS = ["testserver"]
        call_command("migrate", verbosity=0)
        measure(wanted.clusters, wanted.copies, wanted.rounds)


def measure(cluster_count: int, copy_count: int, rounds: int) -> None:
    from django.db import connection
    from django.test import Client

    from backups.models import Copy
    from dashboard.facts import read_clusters, read_copies
    from dashboard.region_loss import lose_regions
    from tests.builders import OREGON, make_people

    people = make_people()
    browser = Client()
    browser.force_login(people.owner)
    make_rows(people, 1, copy_count)
    pages = {"overview": "/", "region loss": f"/region-loss/?lost={OREGON}"}
    for path in pages.values():
        browser.get(path)
    queries_of_one = {name: count_queries(browser, path) for name, path in pages.items()}
    make_rows(people, cluster_count - 1, copy_count)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"{connection.vendor}: {cluster_count:,} clusters, {Copy.objects.count():,} copies in five regions")

    def answer() -> None:
        verdicts = lose_regions(read_clusters([people.project.pk], with_dropped=True), {OREGON})
        read_copies(verdict.backup for verdict in verdicts if verdict.backup is not None)

    seconds, cpu_seconds = timed(answer, rounds)
    verdict = "reached" if seconds <= GOAL_SECONDS else "MISSED"
    print(f"the answer: {seconds:.2f} s ({cpu_seconds:.2f} s of our CPU), goal {GOAL_SECONDS:.0f} s {verdict}")
    for name, path in pages.items():
        taken, cpu_seconds = timed(lambda path=path: browser.get(path), rounds)  # type: ignore[misc]
        queries = count_queries(browser, path)
        print(f"the page {name}: {taken:.2f} s ({cpu_seconds:.2f} s of our CPU), {queries} queries", end="")
        print(f", {queries_of_one[name]} for one cluster")
    print(Copy.objects.filter(backup__project=people.project).usable_by_place().explain())


def make_rows(people: Any, cluster_count: int, copy_count: int) -> None:
    """Clusters spread over the regions; each backup has a copy in all of them, the newest an hour ago."""
    from django.utils import timezone

    from backups.models import Backup, Copy
    from clusters.models import Cluster
    from tests.builders import FRANKFURT, OREGON, TOKYO, VIRGINIA, store_in

    now, first = timezone.now(), Cluster.objects.count()
    regions = (OREGON, VIRGINIA, FRANKFURT, TOKYO, "gcp-asia-southeast1")
    stores = {code: store_in(people.organization, code) for code in regions}
    clusters = Cluster.objects.bulk_create(
        Cluster(project=people.project, name=f"cluster {number:05}", region_id=regions[number % len(regions)])
        for number in range(first, first + cluster_count)
    )
    for number in range(1, copy_count + 1):
        at = now - timedelta(hours=1, days=copy_count - number)
        backups = Backup.objects.bulk_create(
            Backup(
                code=f"backup{number}_{cluster.pk:015x}",
                project=people.project,
                cluster=cluster,
                number=number,
                name=f"{cluster.name} {number}",
                origin="auto",
                state="available",
                size_bytes=SIZE_BYTES,
                row_count=1,
            )
            for cluster in clusters
        )
        copies = (
            Copy(
                backup=backup,
                region_id=code,
                store=stores[code],
                is_original=code == backup.cluster.region_id,
                origin="auto",
                state="available",
                size_bytes=SIZE_BYTES,
                kept_days=copy_count + 1,
                stored_at=at,
                verified_at=now,
            )
            for backup in backups
            for code in regions
        )
        Copy.objects.bulk_create(copies, batch_size=BATCH)
        Backup.objects.filter(pk__in=[backup.pk for backup in backups]).update(created_at=at)


def count_queries(browser: Any, path: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        answer = browser.get(path)
    if answer.status_code != 200:
        raise AssertionError(f"{path} answered {answer.status_code}")
    return len(captured)


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The medians, in seconds: by the clock, and of this process's processor time, which other work changes less."""
    taken, spent = [], []
    for _ in range(rounds):
        began, cpu_began = time.perf_counter(), time.process_time()
        work()
        taken.append(time.perf_counter() - began)
        spent.append(time.process_time() - cpu_began)
    return median(taken), median(spent)


if __name__ == "__main__":
    main()
