"""An installation moves from its SQLite file into a real PostgreSQL: every row, or none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from backups.models import Backup
from clusters.models import Store
from jobs.models import Job
from tests.builders import (
    FRANKFURT,
    OREGON,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_people,
    make_schedule,
    make_store,
)
from tests.postgres import HOW_TO_GET_POSTGRESQL, PostgresServer, find_postgresql

pytestmark = [
    pytest.mark.usefixtures("committed"),
    pytest.mark.skipif(
        find_postgresql() is None and not os.environ.get("CI"), reason=f"needs PostgreSQL: {HOW_TO_GET_POSTGRESQL}"
    ),
]

NAME = "Zoë’s “nightly” 夜 \\ \t\n"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as running:
        yield running


def move(server: PostgresServer) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "copy_database", "--from", connection.settings_dict["NAME"]],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": server.url},
        capture_output=True,
        text=True,
        check=False,
    )


def counts() -> dict[str, int]:
    models = apps.get_models(include_auto_created=True)
    return {model._meta.db_table: model._base_manager.count() for model in models}


def test_every_row_arrives_as_it_is_or_none_and_a_job_in_hand_or_a_used_target_is_refused(server):
    people = make_people()
    store = make_store(people.organization, OREGON)
    Store.objects.filter(pk=store.pk).update(options="secret_access_key=hidden")
    backup = make_backup(make_schedule(make_cluster(people.project)).cluster, name=NAME)
    copy = make_copy(backup, FRANKFURT)
    held = make_job(copy, state="in_progress", parameters={"depth": "full", "ratio": 0.1})

    refused = move(server)
    assert refused.returncode == 1
    assert f"{held} is still held by" in refused.stderr

    Job.objects.filter(pk=held.pk).update(state="pending", lease="", lease_until=None)
    Backup.objects.filter(pk=backup.pk).update(name="x" * 1_000)
    refused = move(server)
    assert refused.returncode == 1
    assert "PostgreSQL does not take these rows, so none was kept" in refused.stderr
    with psycopg.connect(server.url) as database:
        assert database.execute("SELECT count(*) FROM accounts_user").fetchone() == (0,)

    Backup.objects.filter(pk=backup.pk).update(name=NAME)
    moved = move(server)
    assert moved.returncode == 0, moved.stderr
    told = dict(line.split() for line in moved.stdout.splitlines() if len(line.split()) == 2)
    assert {table: int(count.replace(",", "")) for table, count in told.items()} == counts()
    assert f"{sum(counts().values()):,} rows in {len(counts())} tables were read back" in moved.stdout
    with psycopg.connect(server.url) as database:
        assert database.execute("SELECT name FROM backups_backup").fetchall() == [(NAME,)]
        found = database.execute("SELECT code, created_at, parameters FROM jobs_job").fetchall()
        assert found == list(Job.objects.values_list("code", "created_at", "parameters"))
        [ciphertext] = connection.cursor().execute("SELECT options FROM clusters_store").fetchone()
        assert database.execute("SELECT options FROM clusters_store").fetchone() == (ciphertext,)
        new_id = database.execute("SELECT nextval(pg_get_serial_sequence('jobs_job', 'id'))").fetchone()
        assert new_id is not None
        assert new_id[0] > held.pk

    again = move(server)
    assert again.returncode == 1
    assert "The PostgreSQL database is in use" in again.stderr
