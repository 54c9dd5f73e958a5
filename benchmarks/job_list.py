"""`python -m benchmarks.job_list`: the jobs list among a hundred jobs and among a million.

Makes a SQLite database of its own in a temporary folder, or takes the empty one of DATABASE_URL (`python -m
tests.postgres python -m benchmarks.job_list`). A tenth of the jobs belongs to each of ten projects, of whose twenty
clusters each has three schedules; each backup is copied to two regions, one copy in fifty fails, few are restored. The
owner sees five projects. Prints the quickest of the newest page, of each filter and of a page far back, beside few jobs
and beside many, their ratio, how many queries each made, and every line of a query's plan that scans a table: none.
A page shows one family here, because few jobs could not fill more with every filter: so what is left of its time is the
finding, and not the drawing of more rows. A full page is told as well.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

GOAL = 1.3
PROJECTS, CLUSTERS, SCHEDULES = 10, 20, 3
FEW = 100
BATCH = 3_000
BLOCK = 1_200
"""Families after which clusters and schedules begin again."""
_NUMBERS = "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < %s)"
_LATER = {
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%S', {name}, '+' || (i * {seconds}) || ' seconds')",
    "postgresql": "{name} + i * INTERVAL '{seconds} seconds'",
}
_LARGE_TABLES = ("jobs_job", "backups_backup")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the jobs list among many jobs.")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--analyze", action="store_true", help="let SQLite gather statistics, as PostgreSQL does")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backupsite-jobs-") as folder:
        os.environ |= {"VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "tests.settings", "LOG_LEVEL": "ERROR"}
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.ALLOWED_HOSTS = ["*"]
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        measure(wanted.jobs, wanted.rounds, analyze=wanted.analyze)


def measure(job_count: int, rounds: int, *, analyze: bool) -> None:
    from django.db import connection

    from jobs import views

    full_page, views.PAGE_SIZE = views.PAGE_SIZE, 1
    world = World()
    began = time.perf_counter()
    world.fill(FEW)
    few = {name: look(world, query, rounds) for name, query in world.questions().items()}
    world.fill(job_count)
    if analyze or connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
    print(f"{connection.vendor}, {job_count:,} jobs, made in {time.perf_counter() - began:.0f} s")
    print(f"{'quickest, ms':34}{FEW:>8,}{job_count:>12,}{'ratio':>7}{'queries':>12}")
    scans: list[str] = []
    for name, query in world.questions().items():
        many = look(world, query, rounds)
        before, now = few[name], many
        ratio = now.milliseconds / before.milliseconds
        verdict = "reached" if ratio <= GOAL and now.queries == before.queries else "MISSED"
        queries = f"{before.queries} / {now.queries}"
        print(f"{name:34}{before.milliseconds:8.1f}{now.milliseconds:12.1f}{ratio:7.2f}{queries:>12}   {verdict}")
        scans += [f"{name}: {line}" for line in scanning_lines(world, query)]
    views.PAGE_SIZE = full_page
    print(f"a full page of {full_page} families: {look(world, '/jobs/', rounds).milliseconds:.1f} ms")
    print(f"goal {GOAL}, and as many queries; lines of plans that scan a large table: {len(scans)}")
    for line in scans:
        print(f"  {line}")


@dataclass(frozen=True, slots=True)
class Looked:
    milliseconds: float
    queries: int


def look(world: World, query: str, rounds: int) -> Looked:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    world.client.get(query)
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        assert world.client.get(query).status_code == 200
        taken.append((time.perf_counter() - began) * 1_000)
    with CaptureQueriesContext(connection) as captured:
        world.client.get(query)
    return Looked(min(taken), len(captured) - sum("last_seen" in asked["sql"] for asked in captured))


def scanning_lines(world: World, query: str) -> Iterator[str]:
    """What the page's queries would do with the large tables other than enter them by an index."""
    from django.db import connection

    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        world.client.get(query)
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        for sql, params in asked:
            if not sql.startswith("SELECT") or not any(table in sql for table in _LARGE_TABLES):
                continue
            cursor.execute(explain + sql, params)
            for row in cursor.fetchall():
                line = str(row[-1]).strip()
                if scans_table(line):
                    yield line


def scans_table(line: str) -> bool:
    return any(f"Seq Scan on {table}" in line or line.startswith(f"SCAN {table}") for table in _LARGE_TABLES)


class World:
    """One organization's five projects and as many of others, with jobs, and the owner's browser."""

    def __init__(self) -> None:
        from django.test import Client

        from clusters.models import Cluster
        from jobs.models import Schedule
        from tests.builders import (
            FRANKFURT,
            OREGON,
            VIRGINIA,
            make_cluster,
            make_organization,
            make_project,
            make_schedule,
            make_stores,
            make_user,
        )

        self.regions = (OREGON, VIRGINIA, FRANKFURT)
        organizations = [make_organization("Ours"), make_organization("Others")]
        self.stores = {owner.pk: make_stores(owner, *self.regions) for owner in organizations}
        self.clusters: list[Cluster] = []
        self.schedules: dict[int, list[Schedule]] = {}
        for number in range(PROJECTS):
            project = make_project(organizations[number % 2])
            self.clusters += [make_cluster(project) for _ in range(CLUSTERS)]
        for cluster in self.clusters:
            self.schedules[cluster.pk] = [make_schedule(cluster) for _ in range(SCHEDULES)]
        owner = make_user("Olga Owner", organization=organizations[0], organization_role="owner")
        self.client = Client()
        self.client.force_login(owner)
        self._made = 0

    def questions(self) -> dict[str, str]:
        """Addresses that show as many families beside few jobs as beside many, by what they show."""
        from jobs.models import Job

        mine = self.clusters[0]
        ours = Job.objects.filter(project=mine.project_id, parent=None).order_by("family_at")
        [old] = ours[1:2]
        filters = {
            "newest": "",
            "type": "?type=copy",
            "state": "?state=failed",
            "region": f"?region={self.regions[2]}",
            "cluster": f"?cluster={mine.code}",
            "schedule": f"?schedule={self.schedules[mine.pk][0].code}",
            "from and to": "?since=2026-01-01T00:00&until=2026-01-01T00:09",
            "type and state": "?type=copy&state=failed",
            "region and state": f"?region={self.regions[2]}&state=failed",
            "region and type": f"?region={self.regions[2]}&type=copy",
            "cluster and state": f"?cluster={mine.code}&state=failed",
            "cluster and type": f"?cluster={mine.code}&type=copy",
            "type and state, none": "?type=restore&state=crashed",
            "region and type, none": f"?region={self.regions[2]}&type=expire",
            "cluster and type, none": f"?cluster={mine.code}&type=expire",
            "id of a job": f"?q={old.code}",
            "how a backup's id begins": f"?q={old.backup.code[:-2]}",
            "far back": f"?before={old.code}",
            "newer than far back": f"?after={old.code}",
        }
        return {name: f"/jobs/{query}" for name, query in filters.items()}

    def fill(self, count: int) -> None:
        """Add families until there are `count` jobs, the older ones first, three a minute."""
        while self._made < min(count, 3 * BLOCK):
            self._add(min(BATCH, min(count, 3 * BLOCK) - self._made + 2) // 3)
        if count > self._made:
            self._repeat(count // (3 * BLOCK) - 1)

    def _repeat(self, times: int) -> None:
        """The same families again and again, later each time; written by the database itself."""
        from django.db import connection

        from backups.models import Backup, Copy
        from jobs.models import Job

        steps = {Backup: BLOCK, Copy: 3 * BLOCK, Job: 3 * BLOCK}
        shifted = {"backup_id": BLOCK, "copy_id": 3 * BLOCK, "parent_id": 3 * BLOCK, "number": BLOCK}
        with connection.cursor() as cursor:
            for model, step in steps.items():
                values = []
                names = [field.column for field in model._meta.concrete_fields]
                for name in names:
                    if name == "code":
                        values.append("code || '-' || i")
                    elif name in {"created_at", "family_at"}:
                        values.append(_LATER[connection.vendor].format(name=name, seconds=20 * BLOCK))
                    else:
                        by = step if name == "id" else shifted.get(str(name))
                        values.append(f'"{name}" + i * {by}' if by else f'"{name}"')
                table, columns = model._meta.db_table, ", ".join(f'"{name}"' for name in names)
                cursor.execute(
                    f"{_NUMBERS} INSERT INTO {table} ({columns}) SELECT {', '.join(values)} FROM {table}, number "
                    f"WHERE id <= {step} ORDER BY i",
                    [times],
                )

    def _add(self, families: int) -> None:
        from datetime import UTC, datetime, timedelta

        from backups.models import Backup, Copy
        from jobs.models import Job

        first = self._made // 3
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        rows = []
        for number in range(first, first + families):
            cluster = self.clusters[(number % PROJECTS) * CLUSTERS + number // PROJECTS % CLUSTERS]
            rows.append((number, cluster, begin + timedelta(seconds=20 * number)))
        backups = Backup.objects.bulk_create(
            Backup(
                code=f"backup{number}_{number * 7_919:015x}",
                project_id=cluster.project_id,
                cluster=cluster,
                number=number + 1,
                name=f"{cluster.name}_backup{number}",
                origin="auto",
                state="available",
                size_bytes=2_000_000_000,
                row_count=1_000,
                created_at=at,
            )
            for number, cluster, at in rows
        )
        copies = Copy.objects.bulk_create(
            Copy(
                backup=backup,
                region_id=region,
                store=self.stores[cluster.project.organization_id][region],
                is_original=region == self.regions[0],
                origin="auto",
                state="available",
                size_bytes=2_000_000_000,
                kept_days=30,
                stored_at=at,
                verified_at=at,
            )
            for backup, (_, cluster, at) in zip(backups, rows, strict=True)
            for region in self.regions
        )
        originals = Job.objects.bulk_create(
            self._job(copies[3 * place], number, cluster, at, backup=backup)
            for place, (backup, (number, cluster, at)) in enumerate(zip(backups, rows, strict=True))
        )
        Job.objects.bulk_create(
            self._job(copies[3 * place + step], number, cluster, at, backup=backups[place], parent=originals[place])
            for place, (number, cluster, at) in enumerate(rows)
            for step in (1, 2)
        )
        self._made += 3 * families

    def _job(self, copy: Any, number: int, cluster: Any, at: Any, *, backup: Any, parent: Any = None) -> Any:
        from jobs.models import Job

        is_failed = parent is not None and number % 25 == 0 and copy.region_id == self.regions[2]
        job_type = "copy" if parent else "restore" if number % 50 == 7 else "backup"
        return Job(
            project_id=cluster.project_id,
            type=job_type,
            origin="auto",
            state="failed" if is_failed else "successful",
            reason="Frankfurt is full." if is_failed else "",
            cluster=cluster,
            backup=backup,
            copy=copy,
            target_region_id=copy.region_id,
            schedule=self.schedules[cluster.pk][number // 400 % SCHEDULES],
            parent=parent,
            created_at=at,
            family_at=at,
            started_at=at,
            finished_at=at,
            attempt=1,
            bytes_done=2_000_000_000,
            bytes_total=2_000_000_000,
        )


if __name__ == "__main__":
    main()
