"""Asking for a restore in the browser, and what else can be posted to it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups.models import Backup
from backups.states import CopyState
from clusters.models import Cluster
from dataplane.milvus import CollectionInfo, CollectionRef
from jobs.errors import JobRefused
from jobs.models import Job
from jobs.restores import RestoreRequest
from jobs.services import request_restore
from jobs.states import JobType
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    all_rows,
    make_backup,
    make_cluster,
    make_copy,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster(people) -> Cluster:
    return make_cluster(people.project, name="docs")


@pytest.fixture
def backup(cluster) -> Backup:
    return make_backup(
        cluster, copies={FRANKFURT: CopyState.AVAILABLE, VIRGINIA: CopyState.FAILED}, collections=["docs", "notes"]
    )


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


def url_of(backup: Backup) -> str:
    return reverse("jobs:restore-create", args=[backup.code])


def filled_in(cluster: Cluster, **changes: str) -> dict[str, str]:
    form = {
        "copy": FRANKFURT,
        "target": cluster.code,
        "cu_size": "1",
        "load": "on",
        "take-0": "on",
        "name-0": "docs_again",
        "name-1": "notes",
    }
    return {name: value for name, value in (form | changes).items() if value != "-"}


def test_the_frankfurt_copy_is_restored_under_the_chosen_name(admin, backup, cluster):
    answer = admin.post(url_of(backup), filled_in(cluster))
    job = Job.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, job.get_absolute_url())
    assert (job.type, job.cluster, job.copy.region_id) == (JobType.RESTORE, cluster, FRANKFURT)
    request = RestoreRequest.from_json(job.parameters)
    assert [(row.name, row.new_name) for row in request.collections] == [("docs", "docs_again")]


def test_the_original_is_preselected_and_a_link_can_preselect_another(admin, backup):
    assert f'value="{OREGON}" checked' in admin.get(url_of(backup)).content.decode()
    assert f'value="{FRANKFURT}" checked' in admin.get(f"{url_of(backup)}?copy={FRANKFURT}").content.decode()


def test_a_copy_that_cannot_be_restored_from_is_shown_with_its_state_and_is_never_preselected(admin, backup):
    page = admin.get(f"{url_of(backup)}?copy={VIRGINIA}")
    assert f'value="{OREGON}" checked' in page.content.decode()
    assert "gcp-us-east4" in text_of(page)
    assert "it can be made again" in text_of(page)


def test_without_the_original_the_copy_proven_last_is_preselected(admin, cluster):
    backup = make_backup(cluster, original_state=CopyState.DELETED)
    make_copy(backup, VIRGINIA, verified_at=timezone.now() - timedelta(days=3))
    make_copy(backup, FRANKFURT, verified_at=timezone.now() - timedelta(days=1))
    assert f'value="{FRANKFURT}" checked' in admin.get(url_of(backup)).content.decode()


def test_a_copy_that_is_not_available_is_not_offered(admin, backup):
    assert f'value="{VIRGINIA}"' not in admin.get(url_of(backup)).content.decode()


def test_a_backup_without_an_available_copy_has_no_form(admin, cluster):
    page = admin.get(url_of(make_backup(cluster, original_state=CopyState.DAMAGED)))
    assert "No copy can be restored from" in text_of(page)
    assert b"<form" not in page.content.partition(b"<main")[2].partition(b"</main>")[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"copy": VIRGINIA}, "Select a valid choice"),
        ({"copy": "gcp-mars-north1"}, "Select a valid choice"),
        ({"copy": "-"}, "This field is required"),
        ({"target": "-"}, "This field is required"),
        ({"target": "in01-nobody"}, "Select a valid choice"),
        ({"take-0": "-"}, "Choose at least one collection"),
        ({"name-0": "x" * 10_000}, "at most 255 characters"),
        ({"name-0": "no spaces"}, "is no collection name"),
        ({"take-1": "on", "name-1": "docs_again"}, "Two collections cannot both become docs_again"),
    ],
)
def test_bad_input_gets_a_sentence_and_changes_nothing(admin, backup, cluster, changes, sentence):
    before = all_rows()
    answer = admin.post(url_of(backup), filled_in(cluster, **changes))
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert all_rows() == before


def test_a_strangers_cluster_posted_by_hand_is_no_choice(admin, backup, people):
    theirs = make_cluster(people.stranger.organization_memberships.get().organization.projects.get(), name="theirs")
    before = all_rows()
    answer = admin.post(url_of(backup), filled_in(theirs))
    assert answer.status_code == 422
    assert "theirs" not in text_of(answer)
    assert all_rows() == before


def test_a_serverless_cluster_is_no_choice(admin, backup, people):
    before = all_rows()
    answer = admin.post(url_of(backup), filled_in(make_cluster(people.project, plan="serverless")))
    assert answer.status_code == 422
    assert len(all_rows()["Job"]) == len(before["Job"])


def test_the_service_itself_says_what_a_serverless_cluster_is_and_nothing_about_backing_it_up(people, backup):
    playground = make_cluster(people.project, name="playground", plan="serverless")
    with pytest.raises(JobRefused) as refusal:
        request_restore(
            user=people.owner,
            copy=backup.copies.available()[0],
            request=RestoreRequest.same_names([("default", "docs")], cu_size=1, load=True),
            target=playground,
        )
    assert str(refusal.value) == "Only Dedicated clusters can be restored to; playground is Serverless."


@pytest.mark.parametrize("name", ["", "x" * 10_000, "no spaces", "-dash"])
def test_a_new_cluster_needs_a_proper_name(admin, backup, cluster, settings, name):
    settings.EMBEDDED_CLUSTERS = True
    before = all_rows()
    answer = admin.post(url_of(backup), filled_in(cluster, into="new", new_name=name))
    assert answer.status_code == 422
    assert all_rows() == before


def test_a_new_cluster_is_made_where_the_copy_lies(admin, backup, cluster, settings):
    settings.EMBEDDED_CLUSTERS = True
    assert admin.post(url_of(backup), filled_in(cluster, into="new", new_name="rescued", target="-")).status_code == 302
    made = Job.objects.get().cluster
    assert (made.name, made.region_id, made.is_embedded) == ("rescued", FRANKFURT, True)


def test_who_may_only_manage_backups_cannot_make_clusters(backup, cluster, people, settings, client):
    settings.EMBEDDED_CLUSTERS = True
    client.force_login(people.backup_manager)
    assert b'name="new_name"' not in client.get(url_of(backup)).content
    client.post(url_of(backup), filled_in(cluster, into="new", new_name="rescued"))
    assert Cluster.objects.get() == cluster


# Deleting a backup


def test_a_backup_is_deleted_once_its_name_was_typed(admin, backup):
    url = reverse("jobs:backup-delete", args=[backup.code])
    words = text_of(admin.get(url))
    assert "the original in Oregon" in words
    assert "the copy in Frankfurt" in words
    assert admin.post(url, {"confirmation": backup.name}).status_code == 302
    assert Job.objects.filter(type=JobType.DELETE).count() == 3


@pytest.mark.parametrize(("copies", "words"), [({}, "in 1 region."), ({VIRGINIA: "available"}, "in 2 regions.")])
def test_the_regions_of_a_deletion_are_counted_in_words_that_fit(admin, cluster, copies, words):
    backup = make_backup(cluster, copies=copies)
    url = reverse("jobs:backup-delete", args=[backup.code])
    assert words in text_of(admin.post(url, {"confirmation": backup.name}, follow=True))


@pytest.mark.parametrize("typed", ["", "docs", "DOCS_BACKUP1", "x" * 10_000])
def test_a_wrong_confirmation_deletes_nothing(admin, backup, typed):
    before = all_rows()
    answer = admin.post(reverse("jobs:backup-delete", args=[backup.code]), {"confirmation": typed})
    assert answer.status_code == 422
    assert all_rows() == before


def test_deleting_twice_says_that_it_is_already_happening(admin, backup):
    url = reverse("jobs:backup-delete", args=[backup.code])
    admin.post(url, {"confirmation": backup.name})
    before = all_rows()
    answer = admin.post(url, {"confirmation": backup.name})
    assert answer.status_code == 422
    assert "is in use by Delete backup" in text_of(answer)
    assert all_rows() == before


def test_deleting_the_last_proven_backup_of_a_cluster_says_what_that_means(admin, backup, cluster):
    url = reverse("jobs:backup-delete", args=[backup.code])
    assert "nothing could be restored afterwards" in text_of(admin.get(url))
    make_backup(cluster)
    assert "nothing could be restored afterwards" not in text_of(admin.get(url))


def test_what_the_cluster_still_has_is_not_ticked_and_never_overwritten(admin, backup, cluster, monkeypatch):
    found = CollectionInfo(CollectionRef("default", "docs"), 1_000, True, ("vector",), "id", 5_000_000)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [found])
    page = admin.get(url_of(backup))
    assert "already in docs" in text_of(page)
    assert [take.value() for _, take, _, _ in page.context["form"].rows] == [False, True]
    before = all_rows()
    answer = admin.post(url_of(backup), filled_in(cluster, **{"name-0": "docs"}))
    assert answer.status_code == 422
    assert "docs already has docs." in text_of(answer)
    assert all_rows() == before
