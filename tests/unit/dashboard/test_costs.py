"""Costs of the copies that exist: the rules' arithmetic over rows, the same in the charts and in the tables."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.privileges import Privilege
from backups.models import Backup, Copy
from backups.states import BackupState, CopyState
from clusters.models import Cluster
from dashboard.costs import Costs, costs_of
from pricing.models import PriceSheet
from tests.builders import (
    FRANKFURT,
    OREGON,
    TOKYO,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_project,
    text_of,
)

pytestmark = pytest.mark.django_db

GB = 10**9


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


def found_costs() -> Costs:
    return costs_of(Copy.objects.that_cost(), now=timezone.now())


def example(cluster: Cluster) -> Backup:
    """20 GB in Oregon, copied to Virginia and Frankfurt just now."""
    backup = make_backup(cluster, original_state=CopyState.PLANNED, state=BackupState.CREATING)
    backup.copies.all().delete()
    for code in (OREGON, VIRGINIA, FRANKFURT):
        make_copy(backup, code, size_bytes=20 * GB, sent_bytes=0 if code == OREGON else 20 * GB)
    return backup


def test_the_seeds_example_costs_its_transfer_once_and_its_storage_by_region(cluster):
    example(cluster)
    costs = found_costs()
    assert {row.region: row.cost_per_month for row in costs.storage} == dict.fromkeys(
        [OREGON, VIRGINIA, FRANKFURT], Decimal("0.40")
    )
    assert {(row.source, row.target): row.cost for row in costs.transfer} == {
        (OREGON, VIRGINIA): Decimal("0.40"),
        (OREGON, FRANKFURT): Decimal("1.60"),
    }
    assert costs.per_month == Decimal("1.20")
    assert costs.transfer_so_far == Decimal("2.00")
    assert costs.is_complete


@pytest.mark.parametrize(("age", "days"), [(timedelta(minutes=1), 1), (timedelta(days=2, hours=1), 3)])
def test_a_started_day_counts_whole_and_at_least_one(cluster, age, days):
    copy = make_copy(make_backup(cluster), VIRGINIA, size_bytes=300 * GB)
    assert copy.stored_at is not None
    costs = costs_of(Copy.objects.that_cost(), now=copy.stored_at + age)
    [row] = [row for row in costs.storage if row.region == VIRGINIA]
    assert row.cost_so_far == Decimal("0.20") * days  # 300 GB x $0.02 / 30


def test_a_copy_stored_while_the_page_is_made_costs_its_first_day(cluster):
    """Its time lies after the page's `now`, as with a worker whose clock runs ahead."""
    copy = make_copy(make_backup(cluster), VIRGINIA, size_bytes=300 * GB)
    assert copy.stored_at is not None
    costs = costs_of(Copy.objects.that_cost(), now=copy.stored_at - timedelta(seconds=5))
    assert [row.cost_so_far for row in costs.storage if row.region == VIRGINIA] == [Decimal("0.20")]


def test_a_deleted_copy_costs_nothing_from_then_on_but_stays_in_the_bill(cluster):
    now = timezone.now()
    make_copy(
        make_backup(cluster, original_state=CopyState.PLANNED, state=BackupState.CREATING),
        VIRGINIA,
        state=CopyState.DELETED,
        size_bytes=300 * GB,
        sent_bytes=300 * GB,
        stored_at=now - timedelta(days=10),
        deleted_at=now - timedelta(days=8, hours=1),
    )
    costs = costs_of(Copy.objects.that_cost(), now=now)
    [row] = costs.storage
    assert (row.size_bytes, row.copy_count, row.cost_per_month) == (0, 0, 0)
    assert row.cost_so_far == Decimal("0.40")
    assert costs.transfer_so_far == Decimal("6.00")


def test_bytes_that_were_already_there_are_not_paid_for(cluster):
    make_copy(make_backup(cluster), VIRGINIA, size_bytes=20 * GB, sent_bytes=5 * GB, skipped_bytes=15 * GB)
    [flow] = found_costs().transfer
    assert (flow.sent_bytes, flow.skipped_bytes, flow.cost) == (5 * GB, 15 * GB, Decimal("0.10"))


def test_a_missing_price_is_named_and_makes_the_total_a_lower_bound(cluster):
    example(cluster)
    PriceSheet.objects.all().delete()
    costs = found_costs()
    assert not costs.is_complete
    assert f"No storage price is set for {OREGON}." in costs.missing
    assert f"No transfer price is set for {OREGON} to {VIRGINIA}." in costs.missing


def test_copies_that_never_held_bytes_cost_nothing(cluster):
    backup = make_backup(cluster, original_state=CopyState.FAILED, state=BackupState.FAILED)
    make_copy(backup, TOKYO, state=CopyState.CANCELED)
    assert found_costs() == Costs((), ())


# The page


@pytest.fixture
def owner(people, client) -> Client:
    client.force_login(people.owner)
    return client


def figure(page: str, name: str) -> dict[str, Any]:
    match = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', page)
    assert match is not None
    drawn: dict[str, Any] = json.loads(match[1])
    return drawn


def table(page: str, name: str) -> list[list[str]]:
    """The words in each cell of a table's body."""
    body = page.partition(f'id="{name}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in rows if row]


def test_the_charts_show_the_numbers_of_the_tables(owner, cluster):
    example(cluster)
    page = owner.get(reverse("dashboard:costs")).content.decode()
    [bars] = figure(page, "storage-figure")["data"]
    assert [f"{value:.2f} GB" for value in bars["x"]] == [row[2] for row in table(page, "storage-table")]
    [bars] = figure(page, "transfer-figure")["data"]
    rows = table(page, "transfer-table")
    assert [label.replace("<br>", " ") for label in bars["y"]] == [f"{row[0]} → {row[1]}" for row in rows]
    assert [f"{value:.2f} GB" for value in bars["x"]] == [row[3] for row in rows]


def test_a_chart_carries_no_default_theme(owner, cluster):
    example(cluster)
    page = owner.get(reverse("dashboard:costs")).content.decode()
    assert figure(page, "storage-figure")["layout"]["template"] is None


def test_costs_of_projects_one_may_not_bill_are_left_out(people, cluster, client):
    example(cluster)
    client.force_login(people.project_admin)
    make_copy(make_backup(make_cluster(make_project(people.organization))), TOKYO)
    words = text_of(client.get(reverse("dashboard:costs")))
    assert FRANKFURT in words
    assert TOKYO not in words


def test_nothing_stored_says_so(owner):
    assert "Nothing to pay for yet" in text_of(owner.get(reverse("dashboard:costs")))


# The overview


def overview(client: Client) -> str:
    return text_of(client.get(reverse("dashboard:overview")))


def test_only_a_proven_copy_protects_a_cluster(owner, people):
    make_backup(
        make_cluster(people.project, name="hopeful"), original_state=CopyState.VERIFYING, state=BackupState.CREATING
    )
    assert "Clusters protected 0 of 1" in overview(owner)
    make_backup(make_cluster(people.project, name="proven"))
    assert "Clusters protected 1 of 2" in overview(owner)


def test_a_cluster_that_cannot_be_backed_up_does_not_count_and_says_why(owner, people):
    make_cluster(people.project, plan="serverless")
    words = overview(owner)
    assert "Clusters protected 0 of 0" in words
    assert "Migrate the data to a Dedicated cluster" in words


def test_costs_are_shown_only_to_those_who_may_see_them(people, cluster, client):
    make_backup(cluster)
    for person, is_shown in ((people.owner, True), (people.viewer, False)):
        client.force_login(person)
        assert ("This month" in overview(client)) == is_shown, Privilege.BILLING_VIEW
