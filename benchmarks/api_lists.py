"""`python -m benchmarks.api_lists`: the API's lists of jobs and backups among a thousand rows and among a million.

Makes a SQLite database of its own in a temporary folder, or takes the empty one of DATABASE_URL (`python -m
tests.postgres python -m benchmarks.api_lists`). Prints the 95th percentile of each call beside a thousand and beside a
million rows, and their ratio. The keys see one of ten projects, five of them, and all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

GOAL = 1.3
PROJECTS = 10
LISTS = ["/v2/backups", "/v2/backupsite/jobs"]
PAGES: list[dict[str, int]] = [{}, {"pageSize": 100}, {"pageSize": 20, "currentPage": 5}]
_NUMBERS = "WITH RECURSIVE number(i) AS (SELECT %s UNION ALL SELECT i + 1 FROM number WHERE i < %s)"
_MOMENT = {
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%S', '2026-11-01', '-' || i || ' seconds')",
    "postgresql": "TIMESTAMP WITH TIME ZONE '2026-11-01 00:00:00+00' - i * INTERVAL '1 second'",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the API's lists among many rows.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=100)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backupsite-lists-") as folder:
        os.environ |= {"VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "tests.settings", "LOG_LEVEL": "ERROR"}
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.API_REQUESTS_PER_SECOND = 1_000_000
        settings.ALLOWED_HOSTS = ["*"]
        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        measure(wanted.rows, wanted.calls)


def measure(row_count: int, calls: int) -> None:
    keys = make_world()
    add_rows(PROJECTS, 1_000)
    few = {what: percentile(what, calls) for what in cases(keys)}
    add_rows(1_000, row_count)
    print(f"{'95th percentile, ms':78}{1_000:>8,}{row_count:>10,}{'ratio':>8}")
    for what in cases(keys):
        many = percentile(what, calls)
        ratio = many / few[what]
        name = f"{what[0]} {dict(what[2]) or ''} key of {what[1][0]}"
        verdict = "reached" if ratio <= GOAL else "MISSED"
        print(f"{name:78}{few[what]:8.1f}{many:10.1f}{ratio:8.2f}   goal {GOAL} {verdict}")


def cases(keys: dict[str, str]) -> list[tuple[str, tuple[str, str], tuple[tuple[str, int], ...]]]:
    return [(path, key, tuple(page.items())) for path in LISTS for key in keys.items() for page in PAGES]


def percentile(what: tuple[str, tuple[str, str], tuple[tuple[str, int], ...]], calls: int) -> float:
    from django.test import Client

    path, (_, key), query = what
    client, taken = Client(), []
    for _ in range(calls):
        began = time.perf_counter()
        response = client.get(path, dict(query), headers={"Authorization": f"Bearer {key}"})
        taken.append((time.perf_counter() - began) * 1_000)
        assert response.json()["code"] == 0, response.content
    return sorted(taken)[int(calls * 0.95)]


def make_world() -> dict[str, str]:
    """Ten projects with a backup and a job each, half of them of one organization; keys by what they see."""
    from accounts.keys import make_personal_key
    from accounts.models import OrganizationMember
    from accounts.privileges import OrganizationRole, Privilege
    from tests.builders import make_backup, make_cluster, make_job, make_organization, make_project, make_user

    ours, others = make_organization("Ours"), make_organization("Others")
    projects = [make_project(owner, name=f"project {n}") for owner in (ours, others) for n in range(PROJECTS // 2)]
    for project in projects:
        backup = make_backup(make_cluster(project))
        make_job(backup.copies.get(is_original=True), type="backup", state="successful")
    owner, both = (make_user(name, organization=ours, organization_role="owner") for name in ("Olga", "Bea"))
    OrganizationMember.objects.create(organization=others, user=both, role=OrganizationRole.OWNER)

    def key(user: Any, project: Any = None) -> str:
        return make_personal_key(
            user=user, name="benchmark", privileges=[Privilege.BACKUP_VIEW], days=1, project=project
        ).token

    return {"one project": key(owner, projects[0]), "five projects": key(owner), "all projects": key(both)}


def add_rows(first: int, last: int) -> None:
    """Jobs and backups numbered from `first` to `last`, like the ten that are there, a second older each."""
    from django.db import connection

    from backups.models import Backup
    from jobs.models import Job

    for model, own in [(Backup, {"code": "'b' || i", "number": "i + 1000"}), (Job, {"code": "'j' || i"})]:
        table = model._meta.db_table
        own |= {"created_at": _MOMENT[connection.vendor]}
        others = [field.column for field in model._meta.concrete_fields if field.column not in {"id", *own}]
        like = ", ".join(f'sample."{name}"' for name in others)
        names = ", ".join(f'"{name}"' for name in [*own, *others])
        with connection.cursor() as cursor:
            cursor.execute(
                f"{_NUMBERS} INSERT INTO {table} ({names}) SELECT {', '.join(own.values())}, {like} FROM number "
                f"JOIN (SELECT *, row_number() OVER (ORDER BY id) AS n FROM {table} ORDER BY id LIMIT {PROJECTS}) "
                f"AS sample ON sample.n = 1 + i % {PROJECTS}",
                [first, last - 1],
            )
            cursor.execute("ANALYZE")


if __name__ == "__main__":
    main()
