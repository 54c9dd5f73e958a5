"""Asking for a backup in the browser, and everything that can be posted by hand instead."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from backups.states import CopyState
from clusters.models import Cluster
from dataplane.errors import ClusterDenied, ClusterUnreachable
from dataplane.milvus import CollectionInfo, CollectionRef
from jobs.models import Job
from jobs.states import JobState, JobType
from tests.builders import (
    AWS_FRANKFURT,
    AZURE_FRANKFURT,
    AZURE_IRELAND,
    FRANKFURT,
    OREGON,
    VIRGINIA,
    all_rows,
    make_cluster,
    make_job,
    make_stores,
    text_of,
)

pytestmark = pytest.mark.django_db


def info(name: str, estimated_bytes: int) -> CollectionInfo:
    return CollectionInfo(CollectionRef("default", name), 1_000, True, ("vector",), "id", estimated_bytes)


@pytest.fixture(autouse=True)
def live_collections(monkeypatch) -> None:
    """What the cluster would tell: the only border that is replaced here."""
    found = [info("docs", 15_000_000_000), info("notes", 5_000_000_000)]
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: found)


@pytest.fixture
def cluster(people) -> Cluster:
    make_stores(people.organization, OREGON, VIRGINIA, FRANKFURT, AWS_FRANKFURT, AZURE_IRELAND, AZURE_FRANKFURT)
    return make_cluster(people.project, name="docs-search")


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


def url_of(cluster: Cluster) -> str:
    return reverse("jobs:backup-create", args=[cluster.code])


def test_the_form_offers_regions_of_the_same_provider_only(admin, cluster):
    page = admin.get(url_of(cluster)).content.decode()
    for code in (VIRGINIA, FRANKFURT, "gcp-asia-northeast1"):
        assert f'value="{code}"' in page
    for code in (OREGON, AWS_FRANKFURT, AZURE_IRELAND):
        assert f'value="{code}"' not in page


def test_a_region_without_a_store_is_shown_but_cannot_be_ticked(admin, cluster):
    page = admin.get(url_of(cluster)).content.decode()
    assert 'value="gcp-asia-northeast1" disabled' in page
    assert f'value="{VIRGINIA}" disabled' not in page


def test_a_backup_with_two_copies_is_queued_and_leads_to_the_jobs(admin, cluster, people):
    answer = admin.post(url_of(cluster), {"scope": "cluster", "copy": "on", "regions": [VIRGINIA, FRANKFURT]})
    assert (answer.status_code, answer["Location"]) == (302, reverse("jobs:job-list"))
    job = Job.objects.get()
    assert (job.type, job.state, job.created_by) == (JobType.BACKUP, JobState.PENDING, people.project_admin)
    assert set(job.backup.copies.values_list("region", "state")) == {
        (code, CopyState.PLANNED) for code in (OREGON, VIRGINIA, FRANKFURT)
    }
    assert job.backup.name in text_of(admin.get(answer["Location"]))


@pytest.mark.parametrize(("ticked", "is_promised"), [({}, False), ({"copy": "on", "regions": [VIRGINIA]}, True)])
def test_copies_are_promised_only_where_some_were_asked_for(admin, cluster, ticked, is_promised):
    words = text_of(admin.post(url_of(cluster), {"scope": "cluster"} | ticked, follow=True))
    assert "was queued." in words
    assert ("Its copies follow" in words) == is_promised


def test_chosen_collections_are_backed_up_and_no_others(admin, cluster):
    admin.post(url_of(cluster), {"scope": "collection", "collections": ["default/notes"]})
    backup = Job.objects.get().backup
    assert (backup.scope, backup.name) == ("collection", "notes_backup1")
    assert list(backup.collections.values_list("database", "name")) == [("default", "notes")]


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({"copy": "on", "regions": [VIRGINIA, VIRGINIA]}, f"{VIRGINIA} was chosen twice"),
        ({"copy": "on", "regions": [AWS_FRANKFURT]}, "belongs to AWS, but the cluster runs on Google Cloud"),
        ({"copy": "on", "regions": [VIRGINIA, AZURE_IRELAND]}, "belongs to Azure"),
        ({"copy": "on", "regions": [OREGON]}, "the cluster's own region"),
        ({"copy": "on", "regions": ["gcp-mars-north1"]}, "There is no region called gcp-mars-north1"),
        ({"copy": "on", "regions": ["x" * 10_000]}, "There is no region called " + "x" * 60 + "."),
        ({"copy": "on", "regions": [""]}, "There is no region called"),
        ({"copy": "on", "regions": ["gcp\x00us"]}, "There is no region called"),
        ({"copy": "on", "regions": ["gcp-asia-northeast1"]}, "No store is set up for gcp-asia-northeast1"),
        ({"copy": "on"}, "Tick at least one region"),
        ({"regions": [VIRGINIA]}, "You ticked regions, but copying is switched off"),
        ({"collections": ["default/docs"]}, "You ticked collections, but asked for the whole cluster"),
        ({"scope": "collection"}, "Choose at least one collection"),
        ({"scope": "collection", "collections": ["default/docs"] * 2}, "docs was chosen twice"),
        ({"scope": "collection", "collections": ["default/gone"]}, "default/gone is not one of the available choices"),
        ({"scope": "collection", "collections": ["x" * 10_000]}, "is not one of the available choices"),
        ({"scope": "everything"}, "everything is not one of the available choices"),
        ({"scope": ""}, "This field is required"),
    ],
)
def test_bad_input_posted_by_hand_gets_a_sentence_and_changes_nothing(admin, cluster, posted, sentence):
    before = all_rows()
    answer = admin.post(url_of(cluster), {"scope": "cluster"} | posted)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert all_rows() == before


def test_the_form_comes_back_as_it_was_filled_in(admin, cluster):
    answer = admin.post(url_of(cluster), {"scope": "cluster", "copy": "on", "regions": [VIRGINIA, AWS_FRANKFURT]})
    page = answer.content.decode()
    assert f'value="{VIRGINIA}" checked' in page
    assert f'value="{FRANKFURT}" checked' not in page


def test_copies_on_azure_are_refused_and_the_page_says_why_before(admin, cluster, people):
    azure = make_cluster(people.project, region=AZURE_IRELAND)
    assert "their backups cannot be copied to other regions" in text_of(admin.get(url_of(azure)))
    before = all_rows()
    answer = admin.post(url_of(azure), {"scope": "cluster", "copy": "on", "regions": [AZURE_FRANKFURT]})
    assert answer.status_code == 422
    assert all_rows() == before
    assert admin.post(url_of(azure), {"scope": "cluster"}).status_code == 302


@pytest.mark.parametrize("plan", ["free", "serverless"])
def test_a_plan_without_backups_has_no_form_and_takes_none(admin, cluster, people, plan):
    other = make_cluster(people.project, plan=plan)
    page = admin.get(url_of(other))
    assert "cannot be backed up" in text_of(page)
    assert b'name="scope"' not in page.content
    before = all_rows()
    assert admin.post(url_of(other), {"scope": "cluster"}).status_code == 422
    assert all_rows() == before


def test_posting_twice_queues_one_backup_and_says_so(admin, cluster):
    assert admin.post(url_of(cluster), {"scope": "cluster"}).status_code == 302
    before = all_rows()
    answer = admin.post(url_of(cluster), {"scope": "cluster"})
    assert answer.status_code == 422
    assert "A manual backup of docs-search is already pending or running" in text_of(answer)
    assert all_rows() == before


def test_a_manual_backup_waits_for_an_automatic_one(admin, cluster):
    make_job(type=JobType.BACKUP, cluster=cluster, origin="auto", state=JobState.IN_PROGRESS)
    answer = admin.post(url_of(cluster), {"scope": "cluster"})
    assert answer.status_code == 422
    assert "An automatic backup of docs-search is already" in text_of(answer)


@pytest.mark.parametrize(
    "failure", [ClusterUnreachable("docs-search does not answer. Start it."), ClusterDenied("The token was refused.")]
)
def test_a_cluster_that_cannot_be_read_queues_nothing(admin, cluster, monkeypatch, failure):
    def fail(cluster: Cluster) -> list[CollectionInfo]:
        raise failure

    monkeypatch.setattr("clusters.live.collections_of", fail)
    before = all_rows()
    answer = admin.post(url_of(cluster), {"scope": "cluster"})
    assert answer.status_code == 422
    assert str(failure) in text_of(answer)
    assert all_rows() == before
    assert str(failure) in text_of(admin.get(url_of(cluster)))


def test_a_dropped_cluster_is_not_found(admin, cluster):
    Cluster.objects.update(dropped_at=cluster.created_at)
    assert admin.post(url_of(cluster), {"scope": "cluster"}).status_code == 404


# The quote beside the form


def quote(client: Client, cluster: Cluster, **ticked: str | list[str]) -> str:
    query: dict[str, str | list[str]] = {"scope": "cluster", **ticked}
    answer = client.get(reverse("jobs:backup-quote", args=[cluster.code]), query)
    assert answer.status_code == 200
    assert answer.content.decode().count('id="backup-quote"') == 1
    return text_of(answer)


def test_the_quote_prices_what_is_ticked(admin, cluster):
    """20 GB kept in three regions and sent to two of them, at the shipped prices of the seed's example."""
    words = quote(admin, cluster, copy="on", regions=[VIRGINIA, FRANKFURT])
    assert "About 20.00 GB" in words
    assert words.count("Transfer to") == 2
    assert "Total $3.20" in words  # 3 x 20 GB x $0.02, and 20 GB x ($0.02 + $0.08)
    assert "Total $0.40" in quote(admin, cluster)


def test_the_quote_follows_the_chosen_collections(admin, cluster):
    words = quote(admin, cluster, scope="collection", collections=["default/notes"])
    assert "About 5.00 GB" in words


@pytest.mark.parametrize(
    ("regions", "sentence"),
    [
        ([AWS_FRANKFURT], "belongs to AWS, but the cluster runs on Google Cloud"),
        ([VIRGINIA, VIRGINIA], f"{VIRGINIA} was chosen twice"),
        (["gcp-mars-north1"], "There is no region called gcp-mars-north1"),
    ],
)
def test_in_place_of_a_quote_for_regions_that_are_refused_stands_the_refusal(admin, cluster, regions, sentence):
    words = quote(admin, cluster, copy="on", regions=regions)
    assert sentence in words
    assert "Total" not in words


@pytest.mark.parametrize(
    ("ticked", "sentence"),
    [({"regions": [VIRGINIA]}, "copying is switched off"), ({"collections": ["default/docs"]}, "the whole cluster")],
)
def test_the_quote_says_so_when_something_ticked_would_not_count(admin, cluster, ticked, sentence):
    words = quote(admin, cluster, **ticked)
    assert sentence in words
    assert "Total" not in words
