"""What is left when regions are lost: the verdicts, and how the page and the file tell them."""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from backups.models import Backup
from backups.states import CopyState, Scope
from clusters.models import Cluster
from dashboard.coverage import ClusterFacts, Held
from dashboard.rates import Pace, guess_duration, speeds_of
from dashboard.region_loss import Fate, Remedy, lose_regions, remedy_for
from jobs.states import JobState, JobType
from tests.builders import (
    AZURE_IRELAND,
    FRANKFURT,
    OREGON,
    TOKYO,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_project,
    make_stores,
    make_user,
    text_of,
)

pytestmark = pytest.mark.django_db
AVAILABLE = CopyState.AVAILABLE
URL = reverse("dashboard:region-loss")


def facts(
    number: int = 1, *, region: str = OREGON, held: dict[str, Held] | None = None, **changes: Any
) -> ClusterFacts:
    values: dict[str, Any] = {"project_id": 1, "organization_id": 1, "provider": "gcp"} | changes
    return ClusterFacts(number, f"in01-{number}", f"cluster-{number}", region=region, held=held or {}, **values)


def fate_of(cluster: ClusterFacts, *lost: str) -> Fate:
    [verdict] = lose_regions([cluster], lost)
    return verdict.fate


def test_a_cluster_is_restored_from_the_newest_usable_copy_that_is_left():
    held = {OREGON: Held(3, whole=9), VIRGINIA: Held(2, whole=7), FRANKFURT: Held(1, whole=8)}
    [verdict] = lose_regions([facts(held=held)], {OREGON})
    assert (verdict.fate, verdict.region, verdict.backup) == (Fate.RESTORABLE, FRANKFURT, 8)
    assert (verdict.copies_lost, verdict.copies_left) == (3, 3)
    [verdict] = lose_regions([facts(held=held)], {OREGON, FRANKFURT})
    assert (verdict.region, verdict.backup) == (VIRGINIA, 7)


def test_an_older_backup_of_the_whole_goes_before_a_newer_one_of_a_part():
    held = {VIRGINIA: Held(2, whole=1, part=5), FRANKFURT: Held(1, part=6)}
    [verdict] = lose_regions([facts(held=held)], {OREGON})
    assert (verdict.fate, verdict.region, verdict.backup) == (Fate.RESTORABLE, VIRGINIA, 1)
    [verdict] = lose_regions([facts(held=held)], {OREGON, VIRGINIA})
    assert (verdict.fate, verdict.region, verdict.backup) == (Fate.PART, FRANKFURT, 6)


def test_of_equally_new_copies_the_cheapest_is_taken_and_the_others_are_named():
    held = {code: Held(1, whole=4) for code in (VIRGINIA, FRANKFURT, TOKYO)}
    prices = {VIRGINIA: 3, FRANKFURT: 1, TOKYO: 2}
    [verdict] = lose_regions([facts(held=held)], {OREGON}, price=lambda cluster, region: prices[region])
    assert (verdict.region, verdict.also_in) == (FRANKFURT, (TOKYO, VIRGINIA))


@pytest.mark.parametrize(
    ("cluster", "fate"),
    [
        (facts(), Fate.LOST),
        (facts(held={OREGON: Held(1, whole=1)}), Fate.LOST),
        (facts(held={VIRGINIA: Held(0, coming=1, broken=2)}), Fate.LOST),
        (facts(region=VIRGINIA, held={OREGON: Held(2, whole=1)}), Fate.BARE),
        (facts(region=VIRGINIA, held={OREGON: Held(2, whole=1), TOKYO: Held(1, part=2)}), Fate.THINNED),
        (facts(region=VIRGINIA, held={VIRGINIA: Held(1, whole=1)}), Fate.UNTOUCHED),
        (facts(region=VIRGINIA), Fate.UNTOUCHED),
        (facts(is_dropped=True, held={OREGON: Held(1, whole=1)}), Fate.LOST),
        (facts(is_dropped=True, held={OREGON: Held(1, whole=1), TOKYO: Held(1, whole=1)}), Fate.THINNED),
        (facts(is_dropped=True, held={TOKYO: Held(1, whole=1)}), Fate.UNTOUCHED),
    ],
)
def test_what_ran_there_is_told_apart_from_what_only_kept_copies_there(cluster, fate):
    assert fate_of(cluster, OREGON) is fate


def test_what_cannot_be_saved_comes_first_and_the_oldest_of_the_rest():
    clusters = [
        facts(1, held={VIRGINIA: Held(1, whole=9)}),
        facts(2, held={VIRGINIA: Held(1, whole=3)}),
        facts(3, region=VIRGINIA),
        facts(4),
    ]
    assert [verdict.cluster.pk for verdict in lose_regions(clusters, {OREGON})] == [4, 2, 1, 3]


STORES = [(1, "gcp", OREGON), (1, "gcp", VIRGINIA), (1, "gcp", FRANKFURT), (2, "gcp", TOKYO), (1, "az", "az-x")]


@pytest.mark.parametrize(
    ("cluster", "lost", "expected"),
    [
        (facts(), {OREGON}, Remedy(VIRGINIA)),
        (facts(targets=frozenset({FRANKFURT})), {OREGON}, Remedy(FRANKFURT)),
        (facts(), {OREGON, VIRGINIA}, Remedy(FRANKFURT)),
        (facts(region=VIRGINIA), {VIRGINIA}, Remedy(FRANKFURT)),
    ],
)
def test_the_remedy_is_a_region_of_the_same_provider_with_a_store_that_is_left(cluster, lost, expected):
    used = {VIRGINIA: 5, FRANKFURT: 7} if cluster.region == VIRGINIA else {VIRGINIA: 5}
    assert remedy_for(cluster, lost, stores=STORES, used=used) == expected


def test_where_no_copy_can_go_the_reason_is_given():
    assert "store" in remedy_for(facts(), {OREGON, VIRGINIA, FRANKFURT}, stores=STORES, used={}).reason
    azure = facts(region=AZURE_IRELAND, provider="azure")
    assert "Azure" in remedy_for(azure, {AZURE_IRELAND}, stores=STORES, used={}).reason


def test_a_restore_takes_as_long_as_earlier_ones_did():
    pace = Pace(restores={VIRGINIA: 100.0, TOKYO: 300.0}, copies={FRANKFURT: 50.0})
    of_region, elsewhere = guess_duration(1_000, VIRGINIA, pace), guess_duration(1_000, FRANKFURT, pace)
    assert of_region is not None
    assert elsewhere is not None
    assert (of_region.duration, of_region.is_lower_bound, of_region.is_of_region) == (
        timedelta(seconds=10),
        False,
        True,
    )
    assert (elsewhere.duration, elsewhere.is_of_region) == (timedelta(seconds=5), False)
    by_copies = guess_duration(1_000, FRANKFURT, Pace({}, {FRANKFURT: 50.0}))
    assert by_copies is not None
    assert by_copies.is_lower_bound
    assert guess_duration(1_000, FRANKFURT, Pace({}, {})) is None
    assert speeds_of([(TOKYO, 10, 1.0), (TOKYO, 30, 1.0), (TOKYO, 20, 1.0), (OREGON, 5, 0.0)]) == {TOKYO: 20.0}


# The page


@pytest.fixture
def owner(people, client: Client) -> Client:
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT)
    client.force_login(people.owner)
    return client


def made_ago(backup: Backup, **ago: float) -> Backup:
    Backup.objects.filter(pk=backup.pk).update(created_at=timezone.now() - timedelta(**ago))
    return backup


def words(client: Client, *lost: str, **more: str) -> str:
    return text_of(client.get(URL, {"lost": lost, **more}))


def part(page: str, begin: str, end: str) -> str:
    """The words of one section; the figures above have the same names."""
    return page.partition("usable ones, of all clusters")[2].partition(begin)[2].partition(end)[0]


def test_each_cluster_is_told_in_its_place_with_the_form_that_would_save_it(owner, people):
    lonely = make_cluster(people.project, name="lonely")
    make_backup(lonely)
    saved = make_cluster(people.project, name="saved")
    made_ago(make_backup(saved, copies={VIRGINIA: AVAILABLE}), hours=3)
    elsewhere = make_cluster(people.project, name="elsewhere", region=VIRGINIA)
    make_backup(elsewhere, copies={OREGON: AVAILABLE})
    page = words(owner, OREGON)
    assert "Cannot be saved 1" in page
    assert "Can be restored 1 of 2" in page
    assert "Copies lost 3" in page
    assert "lonely" in part(page, "Cannot be saved", "Can be restored")
    assert "3 hours ago" in part(page, "Can be restored", "Run on with fewer copies").replace("\xa0", " ")
    assert "elsewhere" in part(page, "Run on with fewer copies", "Region")
    html = owner.get(URL, {"lost": OREGON}).content.decode()
    for name in ("jobs:backup-create", "jobs:schedule-create"):
        assert f'href="{reverse(name, args=[lonely.code])}?region={VIRGINIA}"' in html
    assert f"/restore/?copy={VIRGINIA}" in html


def test_a_link_ticks_the_region_in_the_form(owner, people, monkeypatch):
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [])
    cluster = make_cluster(people.project)
    for name in ("jobs:backup-create", "jobs:schedule-create"):
        url = reverse(name, args=[cluster.code])
        html = owner.get(url, {"region": [VIRGINIA, "no-such-region", OREGON]}).content.decode()
        assert f'name="regions" value="{VIRGINIA}" checked' in html, name
        assert f'name="regions" value="{FRANKFURT}" checked' not in html, name
        assert 'name="copy" checked' in html, name
        assert 'name="copy" checked' not in owner.get(url).content.decode(), name


def test_a_damaged_or_unproven_copy_saves_nothing(owner, people):
    cluster = make_cluster(people.project)
    make_backup(cluster, copies={VIRGINIA: CopyState.DAMAGED, FRANKFURT: CopyState.VERIFYING})
    assert "Cannot be saved 1" in words(owner, OREGON)


def test_a_backup_of_chosen_collections_is_no_rescue_of_the_whole(owner, people):
    make_backup(make_cluster(people.project), scope=Scope.COLLECTION, copies={VIRGINIA: AVAILABLE})
    page = words(owner, OREGON)
    assert "Can be restored 0 of 1 and 1 in part" in page
    assert "the rest of it cannot be saved" in page


def test_the_last_backup_of_a_dropped_cluster_counts(owner, people):
    cluster = make_cluster(people.project, name="former")
    make_backup(cluster)
    Cluster.objects.update(dropped_at=timezone.now())
    page = words(owner, OREGON)
    assert "Cannot be saved 1" in page
    assert "dropped before, was in Oregon" in page
    assert "copy of its last backup in another region" in page


def test_restoring_into_another_region_costs_its_transfer(owner, people):
    backup = make_backup(make_cluster(people.project))
    make_copy(backup, VIRGINIA, size_bytes=20 * 10**9)
    assert "$0.00 for transfer" in words(owner, OREGON)
    assert "$1.60 for transfer" in words(owner, OREGON, into=FRANKFURT)


def test_how_long_it_takes_is_measured_or_not_told(owner, people):
    backup = make_backup(make_cluster(people.project), copies={VIRGINIA: AVAILABLE})
    assert "not measured yet" in words(owner, OREGON)
    now = timezone.now()
    copy = backup.copies.get(region=VIRGINIA)
    began = now - timedelta(seconds=10)
    times: dict[str, Any] = {"state": JobState.SUCCESSFUL, "started_at": began, "finished_at": now}
    make_job(copy, bytes_done=10**9, **times)
    assert "at least 20 s 2.00 GB by copies" in words(owner, OREGON)
    make_job(copy, type=JobType.RESTORE, bytes_done=5 * 10**8, **times)
    assert "40 s 2.00 GB by restores from there" in words(owner, OREGON)


def test_nonsense_in_the_address_loses_nothing(owner, people):
    make_backup(make_cluster(people.project))
    for query in ({"lost": "no-such-region"}, {"lost": "\0", "into": "x", "project": "'", "page": "-1", "all": "x"}):
        assert "Nothing is lost yet" in text_of(owner.get(URL, query))


def test_each_project_can_be_asked_alone(owner, people):
    other = make_project(people.organization, name="Other")
    make_backup(make_cluster(people.project, name="mine"))
    make_backup(make_cluster(other, name="theirs"))
    assert "Cannot be saved 2" in words(owner, OREGON)
    page = words(owner, OREGON, project=other.code)
    assert "Cannot be saved 1" in page
    assert "mine" not in page


def test_who_may_only_look_is_offered_no_form(people, client):
    make_stores(people.organization, OREGON, VIRGINIA)
    make_backup(make_cluster(people.project))
    client.force_login(people.viewer)
    html = client.get(URL, {"lost": OREGON}).content.decode()
    assert "Ask somebody with the privilege" in html
    assert "/backups/new/" not in html
    client.force_login(people.cluster_viewer)
    assert "Nothing you may look at" in text_of(client.get(URL, {"lost": OREGON}))


def test_the_file_tells_of_every_cluster_and_holds_no_formula(owner, people):
    make_backup(make_cluster(people.project, name="=lonely"))
    make_backup(make_cluster(people.project, name="saved"), copies={VIRGINIA: AVAILABLE})
    make_cluster(people.project, name="far", region=VIRGINIA)
    answer = owner.get(reverse("dashboard:region-loss-csv"), {"lost": OREGON})
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert [(row["outcome"], row["cluster"]) for row in rows] == [
        ("lost", "'=lonely"),
        ("restorable", "saved"),
        ("untouched", "far"),
    ]
    assert rows[1]["restore_from"] == VIRGINIA
    assert "no-store" in answer["Cache-Control"] or "private" in answer["Cache-Control"]


def test_a_thousand_clusters_come_in_pages_and_all_at_once_to_print(owner, people, monkeypatch):
    monkeypatch.setattr("dashboard.region_loss_views.ROWS_PER_PAGE", 2)
    for number in range(3):
        make_backup(make_cluster(people.project, name=f"cluster {number}"))
    assert "1 to 2 of 3 clusters" in words(owner, OREGON)
    assert "cluster 2" not in words(owner, OREGON)
    assert "cluster 2" in words(owner, OREGON, page="2")
    assert all(f"cluster {number}" in words(owner, OREGON, all="on") for number in range(3))


def test_twenty_clusters_cost_as_many_queries_as_one(owner, people):
    def add() -> None:
        make_backup(make_cluster(people.project), copies={VIRGINIA: AVAILABLE})
        make_backup(make_cluster(people.project))
        make_backup(make_cluster(people.project, region=VIRGINIA), copies={OREGON: AVAILABLE})

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert "Cannot be saved" in words(owner, OREGON)
        return len(captured)

    add()
    count()  # fills what is cached per process
    one = count()
    for _ in range(19):
        add()
    assert count() == one


def test_it_is_for_those_who_may_see_backups_in_their_own_projects(owner, people):
    make_backup(make_cluster(people.project, name="secret"))
    stranger = Client()
    stranger.force_login(make_user())
    assert "secret" not in text_of(stranger.get(URL, {"lost": OREGON, "project": people.project.code}))
