"""What supervisors and load balancers ask."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder

from backupsite.views import _check_tables


@pytest.fixture(autouse=True)
def _asked_anew():
    _check_tables.cache_clear()
    yield
    _check_tables.cache_clear()


def refuse(*_: object) -> None:
    raise OperationalError("connection to db.internal failed for user backups")


@pytest.mark.django_db
def test_a_site_whose_database_answers_is_ready(client):
    for path in ("/health/", "/health/ready/", "/health/live/"):
        assert (client.get(path).status_code, client.get(path).content) == (200, b"ok\n")


@pytest.mark.django_db
def test_without_its_database_a_site_lives_but_is_not_ready_and_names_no_host(client, monkeypatch):
    monkeypatch.setattr(connection, "cursor", refuse)
    assert client.get("/health/live/").status_code == 200
    answer = client.get("/health/ready/")
    assert (answer.status_code, answer.content) == (503, b"The database does not answer.\n")


@pytest.mark.django_db
def test_a_site_over_older_tables_is_not_ready_until_they_are_there(client):
    rows = MigrationRecorder(connection).migration_qs
    last = rows.filter(app="jobs").order_by("-pk")[0]
    last.delete()
    answer = client.get("/health/ready/")
    assert (answer.status_code, b"run manage.py migrate" in answer.content) == (503, True)
    MigrationRecorder(connection).record_applied("jobs", last.name)
    assert client.get("/health/ready/").status_code == 200


@pytest.mark.django_db
def test_health_is_told_over_plain_http(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/jobs/").status_code == 301
    for path in ("/health/", "/health/ready/", "/health/live/"):
        assert client.get(path).status_code == 200
