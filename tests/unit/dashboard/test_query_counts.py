"""Lists and dashboards ask the database equally often for one row and for twenty."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups.states import CopyState
from clusters.models import Cluster, Region
from jobs.states import JobState, JobType
from tests.builders import (
    FRANKFURT,
    TOKYO,
    VIRGINIA,
    People,
    make_backup,
    make_cluster,
    make_job,
    make_store,
    make_user,
)

pytestmark = pytest.mark.django_db


def add_backup_with_jobs(cluster: Cluster) -> None:
    """One row in every list: a backup with three copies, one of which failed, and its job with two under it."""
    copies = {VIRGINIA: CopyState.AVAILABLE, FRANKFURT: CopyState.TRANSFERRING, TOKYO: CopyState.FAILED}
    backup = make_backup(cluster, copies=copies, created_by=make_user())
    original = make_job(
        backup.copies.get(is_original=True),
        type=JobType.BACKUP,
        state=JobState.SUCCESSFUL,
        created_by=backup.created_by,
    )
    make_job(backup.copies.get(region=VIRGINIA), state=JobState.SUCCESSFUL, parent=original, bytes_total=5)
    make_job(backup.copies.get(region=FRANKFURT), state=JobState.IN_PROGRESS, parent=original, bytes_total=5)


def add_cluster_with_backup(people: People) -> None:
    add_backup_with_jobs(make_cluster(people.project))


def add_store(people: People) -> None:
    taken = people.organization.stores.values_list("region", flat=True)
    make_store(people.organization, Region.objects.exclude(code__in=taken)[0].code)


def queries(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return [query["sql"] for query in captured]


@pytest.mark.parametrize(
    ("name", "add"),
    [
        ("dashboard:overview", add_cluster_with_backup),
        ("dashboard:costs", add_cluster_with_backup),
        ("dashboard:region-loss", add_cluster_with_backup),
        ("clusters:cluster-list", add_cluster_with_backup),
        ("clusters:store-list", add_store),
        ("backups:backup-list", add_cluster_with_backup),
        ("jobs:job-list", add_cluster_with_backup),
        ("jobs:job-table", add_cluster_with_backup),
    ],
)
def test_twenty_rows_cost_as_many_queries_as_one(
    people: People, client: Client, name: str, add: Callable[[People], None]
):
    client.force_login(people.project_admin)
    add(people)
    client.get(reverse(name))  # fills what is cached per process
    one = queries(client, reverse(name))
    for _ in range(19):
        add(people)
    twenty = queries(client, reverse(name))
    assert len(twenty) == len(one), "\n".join(twenty)


def test_a_cluster_with_twenty_backups_costs_as_many_queries_as_with_one(people, client):
    client.force_login(people.owner)
    cluster = make_cluster(people.project)
    url = reverse("backups:cluster-backups", args=[cluster.code])
    add_backup_with_jobs(cluster)
    client.get(url)
    one = queries(client, url)
    for _ in range(19):
        add_backup_with_jobs(cluster)
    assert len(queries(client, url)) == len(one)


def test_a_job_with_twenty_copies_costs_as_many_queries_as_with_two(people, client):
    client.force_login(people.owner)
    cluster = make_cluster(people.project)
    backup = make_backup(cluster)
    original = make_job(backup.copies.get(), type=JobType.BACKUP, state=JobState.SUCCESSFUL)
    url = reverse("jobs:job-detail", args=[original.code])

    def add_copy() -> None:
        copy = make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE}).copies.get(region=VIRGINIA)
        make_job(copy, state=JobState.SUCCESSFUL, parent=original)

    add_copy()
    client.get(url)
    one = queries(client, url)
    for _ in range(19):
        add_copy()
    assert len(queries(client, url)) == len(one)
