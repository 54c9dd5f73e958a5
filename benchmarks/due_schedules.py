"""`python -m benchmarks.due_schedules --schedules 100000`: finding what is due among many schedules.

Makes a database of its own in a temporary folder. One schedule in ten thousand is due; a tenth is switched off. Prints
the median of what a scheduler asks every two seconds, beside the same question without the index, and, with `--copies`,
of asking which copies have expired.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median

GOAL_MILLISECONDS = 50
BATCH = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures how long finding what is due takes.")
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--copies", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=25)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backupsite-due-") as folder:
        os.environ |= {"VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        measure(wanted.schedules, wanted.copies, wanted.rounds)


def measure(schedule_count: int, copy_count: int, rounds: int) -> None:
    from django.utils import timezone

    from backups.models import Copy
    from jobs.models import Schedule
    from tests.builders import make_cluster

    now, cluster = timezone.now(), make_cluster()
    for start in range(0, schedule_count, BATCH):
        Schedule.objects.bulk_create(
            Schedule(
                project=cluster.project,
                cluster=cluster,
                name=f"schedule {number}",
                days="1234567",
                window_start="01:00",
                kept_days=7,
                is_enabled=number % 10 != 0,
                next_due_at=None
                if number % 10 == 0
                else now + timedelta(seconds=-1 if number % 10_000 == 1 else number),
            )
            for number in range(start, min(start + BATCH, schedule_count))
        )
    due = Schedule.objects.due(now).values_list("pk", flat=True)[:1_000]
    # A sum that no index knows keeps the database from using one.
    slow = Schedule.objects.extra(where=["next_due_at || '' <= %s", "is_enabled"], params=[str(now)])
    found = len(due.all())
    ours = timed(lambda: len(due.all()), rounds)
    theirs = timed(lambda: len(slow.values_list("pk", flat=True)), max(3, rounds // 5))
    print(f"{schedule_count:,} schedules, {found} due: {ours:.2f} ms; without the index {theirs:.1f} ms")
    verdict = "reached" if ours <= GOAL_MILLISECONDS else "MISSED"
    print(f"goal {GOAL_MILLISECONDS} ms {verdict}; ratio {theirs / ours:,.0f}")
    if copy_count:
        make_copies(copy_count)
        expired = Copy.objects.expired(now).order_by().values_list("pk", flat=True)
        print(f"{copy_count:,} copies, {len(expired)} expired: {timed(lambda: len(expired.all()), rounds):.1f} ms")


def make_copies(count: int) -> None:
    """Copies of automatic backups, five in ten thousand of them past their days."""
    from django.utils import timezone

    from backups.models import Backup, Copy
    from tests.builders import VIRGINIA, make_cluster, store_in

    now, cluster = timezone.now(), make_cluster()
    store = store_in(cluster.project.organization, VIRGINIA)
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        backups = Backup.objects.bulk_create(
            Backup(
                code=f"backup{number}_{number:015x}",
                project=cluster.project,
                cluster=cluster,
                number=number,
                name=f"backup {number}",
                origin="auto",
                state="available",
                size_bytes=1,
                row_count=1,
            )
            for number in numbers
        )
        Copy.objects.bulk_create(
            Copy(
                backup=backup,
                region_id=VIRGINIA,
                store=store,
                origin="auto",
                state="available",
                size_bytes=1,
                kept_days=1 + number % 30,
                stored_at=now - timedelta(days=31 if number % 2_000 == 0 else 0),
                verified_at=now,
            )
            for number, backup in zip(numbers, backups, strict=True)
        )


def timed(ask: Callable[[], object], rounds: int) -> float:
    """The median, in milliseconds."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1_000)
    return median(taken)


if __name__ == "__main__":
    main()
