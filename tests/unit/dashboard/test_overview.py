"""The overview: which clusters are covered where, what would fill a gap, and what the month costs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups.models import Backup, Copy
from backups.states import CopyState, Scope
from clusters.models import Cluster
from dashboard.coverage import CellKind, ClusterFacts, Held, cell_of, protection_of, worst_first
from dashboard.month import costs_of_month
from jobs.metering import catch_up
from pricing.amounts import Amounts
from pricing.formatting import format_amounts
from pricing.models import PriceSheet, TransferAllowance
from tests.builders import (
    AWS_FRANKFURT,
    FRANKFURT,
    OREGON,
    TOKYO,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_project,
    make_schedule,
    make_stores,
    text_of,
)

pytestmark = pytest.mark.django_db
URL = reverse("dashboard:overview")
AVAILABLE = CopyState.AVAILABLE
GB = 10**9


def facts(held: dict[str, Held] | None = None, *, name: str = "docs", **changes: object) -> ClusterFacts:
    values: dict[str, object] = {"pk": 1, "code": "in01-1", "project_id": 1, "organization_id": 1}
    values |= {"region": OREGON, "provider": "gcp", "held": held or {}}
    return ClusterFacts(name=name, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("held", "kind", "backup", "newer_broken"),
    [
        (Held(2, whole=3, part=4), CellKind.USABLE, 3, None),
        (Held(1, whole=3, broken=5), CellKind.USABLE, 3, 5),
        (Held(1, whole=3, broken=2), CellKind.USABLE, 3, None),
        (Held(1, part=3), CellKind.PART, 3, None),
        (Held(coming=3, broken=2), CellKind.COMING, 3, None),
        (Held(coming=3, broken=4), CellKind.BROKEN, 4, None),
        (Held(), CellKind.MISSING, None, None),
    ],
)
def test_a_cell_tells_of_the_newest_usable_copy_and_else_of_what_is_in_its_way(held, kind, backup, newer_broken):
    cell = cell_of(facts({OREGON: held}), OREGON)
    assert (cell.kind, cell.backup, cell.newer_broken) == (kind, backup, newer_broken)


def test_only_its_own_region_and_those_of_its_schedules_should_hold_something():
    cluster = facts(targets=frozenset({FRANKFURT}))
    kinds = {code: cell_of(cluster, code).kind for code in (OREGON, FRANKFURT, TOKYO)}
    assert kinds == {OREGON: CellKind.MISSING, FRANKFURT: CellKind.MISSING, TOKYO: CellKind.NOT_WANTED}
    assert cell_of(facts(plan="free"), OREGON).kind is CellKind.NOT_WANTED


def test_what_is_worst_covered_stands_first():
    whole = {OREGON: Held(1, whole=1), VIRGINIA: Held(1, whole=1)}
    clusters = [
        facts(plan="free", name="free"),
        facts(whole, name="covered"),
        facts({OREGON: Held(1, whole=1)}, name="alone"),
        facts({OREGON: Held(1, part=1), VIRGINIA: Held(1, part=1)}, name="part"),
        facts(whole, name="gap", targets=frozenset({TOKYO})),
        facts(name="never"),
    ]
    assert [cluster.name for cluster in worst_first(clusters)] == ["never", "gap", "part", "alone", "covered", "free"]


def test_the_figures_count_what_can_be_restored_and_how_old_the_oldest_is():
    now = datetime(2026, 11, 23, tzinfo=UTC)
    clusters = [
        facts({OREGON: Held(1, whole=1)}),
        facts({OREGON: Held(1, part=2), VIRGINIA: Held(1, part=2)}),
        facts(),
        facts(plan="serverless"),
    ]
    found = protection_of(clusters, {1: now, 2: now - timedelta(days=1)})
    assert (found.backable_count, found.protected_count, found.part_count, found.alone_count) == (3, 2, 1, 1)
    assert found.oldest_at == now - timedelta(days=1)


# The page


@pytest.fixture
def owner(people, client: Client) -> Client:
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT)
    client.force_login(people.owner)
    return client


def cells(client: Client, cluster: Cluster, **query: str) -> dict[str, str]:
    """The words in the row of a cluster, by city."""
    page = client.get(URL, query).content.decode()
    row = page.partition(reverse("clusters:cluster-detail", args=[cluster.code]))[2].partition("</tr>")[0]
    found = re.findall(r'<td data-label="(\w+)"[^>]*>(.*?)</td>', row, re.DOTALL)
    return {city: re.sub(r"<[^>]+>|\s+", " ", words).replace("\xa0", " ") for city, words in found}


def test_a_cell_says_how_old_the_newest_usable_copy_is_and_when_it_was_read_back(owner, people):
    cluster = make_cluster(people.project)
    old = make_backup(cluster, copies={VIRGINIA: AVAILABLE})
    new = make_backup(cluster, copies={VIRGINIA: CopyState.FAILED})
    now = timezone.now()
    Backup.objects.filter(pk=old.pk).update(created_at=now - timedelta(days=2))
    Backup.objects.filter(pk=new.pk).update(created_at=now - timedelta(hours=5))
    Copy.objects.filter(backup=old).update(verified_at=now - timedelta(hours=7))
    found = cells(owner, cluster)
    assert "2 days ago" in found["Virginia"]
    assert "read back 7 hours ago" in found["Virginia"]
    assert "A newer one: failed" in found["Virginia"]
    assert "5 hours ago" in found["Oregon"]
    html = owner.get(URL).content.decode()
    assert all(reverse("backups:backup-detail", args=[backup.code]) in html for backup in (old, new))


def test_an_empty_cell_that_should_be_filled_says_why_and_leads_to_the_form_that_fills_it(owner, people):
    cluster = make_cluster(people.project)
    make_schedule(cluster, targets={FRANKFURT: 7})
    create = reverse("jobs:backup-create", args=[cluster.code])
    html = owner.get(URL).content.decode()
    assert "no backup yet" in cells(owner, cluster)["Oregon"]
    assert "nothing has arrived" in cells(owner, cluster)["Frankfurt"]
    assert f'href="{create}"' in html
    assert f'href="{create}?region={FRANKFURT}"' in html
    owner.force_login(people.viewer)
    assert create not in owner.get(URL).content.decode()
    assert "no backup yet" in cells(owner, cluster)["Oregon"]


def test_a_region_that_holds_nothing_and_should_not_is_left_out(owner, people):
    cluster = make_cluster(people.project)
    make_backup(cluster, copies={VIRGINIA: AVAILABLE})
    assert set(cells(owner, cluster)) == {"Oregon", "Virginia"}


def test_what_one_region_would_take_along_is_named(owner, people):
    cluster = make_cluster(people.project, name="lonely")
    make_backup(cluster)
    page = text_of(owner.get(URL))
    assert "Only in Oregon" in page
    assert "1 in one region only" in page


def test_a_backup_of_chosen_collections_is_named_as_such(owner, people):
    cluster = make_cluster(people.project)
    make_backup(cluster, scope=Scope.COLLECTION)
    assert "chosen collections only" in cells(owner, cluster)["Oregon"]
    assert "1 in part only" in text_of(owner.get(URL))


def test_a_project_can_be_chosen_in_the_address(owner, people):
    other = make_project(people.organization, name="Other")
    mine, theirs = make_cluster(people.project, name="mine"), make_cluster(other, name="theirs")
    make_job(cluster=mine)
    failed = make_backup(theirs, copies={VIRGINIA: CopyState.FAILED})
    page = text_of(owner.get(URL))
    assert "mine" in page
    assert "theirs" in page
    page = text_of(owner.get(URL, {"project": people.project.code}))
    assert "theirs" not in page
    assert failed.name not in page
    assert "Latest jobs" in page
    html = owner.get(URL, {"project": people.project.code}).content.decode()
    assert f"{reverse('dashboard:latest-jobs')}?project={people.project.code}" in html
    assert "No jobs yet" in text_of(owner.get(URL, {"project": other.code}))


def test_a_project_of_others_chooses_nothing(people, client):
    make_cluster(people.project, name="mine")
    elsewhere = make_project(name="Elsewhere too")
    make_cluster(elsewhere, name="secret")
    client.force_login(people.viewer)
    page = text_of(client.get(URL, {"project": elsewhere.code}))
    assert "secret" not in page
    assert "mine" in page


def test_without_the_privilege_no_backup_is_told_of(people, client):
    make_backup(make_cluster(people.project, name="docs"))
    client.force_login(people.cluster_viewer)
    page = text_of(client.get(URL))
    assert "Nothing you may look at" in page
    assert "docs" not in page


def test_many_clusters_come_in_pages_the_worst_first(owner, people, monkeypatch):
    monkeypatch.setattr("dashboard.views.ROWS_PER_PAGE", 2)
    for name in ("a", "b", "c"):
        make_backup(make_cluster(people.project, name=f"covered-{name}"), copies={VIRGINIA: AVAILABLE})
    make_cluster(people.project, name="never")
    page = text_of(owner.get(URL))
    assert "1 to 2 of 4 clusters" in page
    assert "never" in page
    assert "covered-c" not in page
    assert "covered-c" in text_of(owner.get(URL, {"page": "2"}))


# The month

MIDDLE = datetime(2026, 11, 11, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "deleted", "days", "days_to_end"),
    [
        (datetime(2026, 11, 11, 12, tzinfo=UTC), None, 1, 20),
        # A started day counts, so the eleventh minute before midnight is a day, and the next day is another.
        (datetime(2026, 11, 10, 23, 49, tzinfo=UTC), None, 2, 21),
        (datetime(2026, 11, 1, 0, tzinfo=UTC), None, 11, 30),
        (datetime(2026, 10, 31, 18, tzinfo=UTC), None, 11, 30),
        (datetime(2026, 10, 1, 0, tzinfo=UTC), datetime(2026, 11, 2, 6, tzinfo=UTC), 2, 2),
        (datetime(2026, 11, 3, 0, tzinfo=UTC), datetime(2026, 11, 3, 1, tzinfo=UTC), 1, 1),
        (datetime(2026, 10, 1, 0, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC), 0, 0),
    ],
)
def test_the_month_pays_for_its_started_days(people, stored, deleted, days, days_to_end):
    state = CopyState.DELETED if deleted else AVAILABLE
    backup = make_backup(make_cluster(people.project), original_state=CopyState.PLANNED)
    backup.copies.all().delete()
    make_copy(backup, OREGON, state=state, size_bytes=30 * GB, stored_at=stored, deleted_at=deleted)
    catch_up(MIDDLE)
    month = costs_of_month([people.project], now=MIDDLE)
    assert dollars(month.so_far) == days * Decimal("0.02")
    assert dollars(month.forecast) == days_to_end * Decimal("0.02")
    assert month.ends_on == date(2026, 11, 30)


def dollars(amounts: Amounts) -> Decimal:
    assert set(amounts.currencies) <= {"USD"}
    return amounts.in_currency("USD")


def test_the_month_pays_for_the_transfer_of_what_arrived_in_it(people):
    backup = make_backup(make_cluster(people.project), original_state=CopyState.PLANNED)
    make_copy(backup, VIRGINIA, size_bytes=20 * GB, sent_bytes=20 * GB, stored_at=MIDDLE)
    month = {"stored_at": MIDDLE - timedelta(days=40), "deleted_at": MIDDLE - timedelta(days=39)}
    make_copy(backup, FRANKFURT, state=CopyState.DELETED, size_bytes=20 * GB, sent_bytes=20 * GB, **month)
    catch_up(MIDDLE)
    storage = 20 * Decimal("0.02") / 30
    so_far = dollars(costs_of_month([people.project], now=MIDDLE).so_far)
    assert so_far == pytest.approx(Decimal("0.40") + storage, abs=Decimal("1e-20"))


def make_backup_of_the_day(cluster: Cluster) -> None:
    """One that is stored in the middle of the month; only then, for the month goes on."""
    make_backup(cluster)
    Copy.objects.update(stored_at=MIDDLE)
    catch_up(MIDDLE)


def test_a_missing_price_makes_the_month_a_lower_bound(people):
    make_backup_of_the_day(make_cluster(people.project))
    PriceSheet.objects.all().delete()
    month = costs_of_month([people.project], now=MIDDLE)
    assert not month.is_complete
    assert (dollars(month.so_far), format_amounts(month.so_far)) == (0, "no price set")


def test_the_month_of_two_currencies_has_two_sums(people):
    contract = PriceSheet.objects.create(
        provider="aws",
        name="contract",
        currency="EUR",
        organization=people.organization,
        valid_from=date(2020, 1, 1),
        is_default=True,
    )
    contract.storage_prices.create(price_per_gb_month=30)
    make_backup_of_the_day(make_cluster(people.project, region=AWS_FRANKFURT))
    make_backup_of_the_day(make_cluster(people.project))
    month = costs_of_month([people.project], now=MIDDLE)
    assert format_amounts(month.so_far) == "€2.00 and $0.0013"
    assert format_amounts(month.forecast) == "€40.00 and $0.03"


def test_a_free_allowance_is_taken_off_the_month_of_the_whole_organization(people):
    backup = make_backup(make_cluster(people.project), original_state=CopyState.PLANNED)
    make_copy(backup, VIRGINIA, size_bytes=20 * GB, sent_bytes=20 * GB, stored_at=MIDDLE)
    catch_up(MIDDLE)
    before = dollars(costs_of_month([people.project], now=MIDDLE).so_far)
    TransferAllowance.objects.create(
        organization=people.organization, month=date(2026, 11, 1), amount=10, currency="USD"
    )
    assert before - dollars(costs_of_month([people.project], now=MIDDLE).so_far) == Decimal("0.40")
    make_project(people.organization)
    assert dollars(costs_of_month([people.project], now=MIDDLE).so_far) == before
