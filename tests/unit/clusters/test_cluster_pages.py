"""Registering clusters and changing them, in the browser; the network alone is replaced."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clusters.models import Cluster
from dataplane.errors import ClusterDenied, ClusterUnreachable, CollectionMissing
from dataplane.milvus import CollectionInfo, CollectionRef, ServerInfo
from tests.builders import AZURE_IRELAND, FRANKFURT, OREGON, all_rows, make_cluster, make_project, text_of

pytestmark = pytest.mark.django_db

NEW = "/clusters/new/"
DOCS = CollectionInfo(
    CollectionRef("default", "docs"), 1_000, True, ("words_256",), "id", 5_000_000, {"words_256": 256}
)


@pytest.fixture(autouse=True)
def network(monkeypatch) -> list[Cluster]:
    """Every cluster answers; the list holds those that were asked who they are."""
    asked: list[Cluster] = []

    def answer(cluster: Cluster) -> ServerInfo:
        asked.append(cluster)
        return ServerInfo("2.6.1", is_lite=False)

    monkeypatch.setattr("clusters.live.check_connection", answer)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [DOCS])
    return asked


@pytest.fixture
def admin(people, client) -> Client:
    client.force_login(people.project_admin)
    return client


@pytest.fixture
def form(people) -> dict[str, object]:
    return {
        "project": people.project.code,
        "name": "docs",
        "plan": "dedicated",
        "region": OREGON,
        "cu_size": 2,
        "endpoint": "https://in01-abc.example.com:19530",
        "token": "user:secret-token",
    }


def test_a_cluster_that_answers_is_registered(admin, form, people):
    answer = admin.post(NEW, form)
    cluster = Cluster.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, cluster.get_absolute_url())
    assert (cluster.project, cluster.name, cluster.region_id, cluster.cu_size) == (people.project, "docs", OREGON, 2)
    assert cluster.token.reveal() == "user:secret-token"


def test_a_token_is_encrypted_in_the_database_and_never_shown_again(admin, form):
    admin.post(NEW, form)
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM clusters_cluster")
        assert "secret-token" not in cursor.fetchone()[0]
    cluster = Cluster.objects.get()
    for name in ("clusters:cluster-settings", "clusters:cluster-detail"):
        assert "secret-token" not in admin.get(reverse(name, args=[cluster.code])).content.decode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "x" * 10_000}, "at most 64 characters (it has 10000)"),
        ({"name": ""}, "This field is required"),
        ({"name": "no spaces"}, "Use letters, digits and hyphens"),
        ({"name": "-x"}, "begin with a letter or digit"),
        ({"plan": "enormous"}, "enormous is not one of the available choices"),
        ({"region": "gcp-mars-north1"}, "Select a valid choice"),
        ({"cu_size": 0}, "Ensure this value"),
        ({"cu_size": 1025}, "Ensure this value"),
        ({"cu_size": "many"}, "Enter a whole number"),
        ({"endpoint": ""}, "This field is required"),
        ({"endpoint": "javascript:alert(1)"}, "An endpoint looks like"),
        ({"endpoint": "https://user:pass@in01.example.com"}, "An endpoint looks like"),
        ({"endpoint": "https://token@in01.example.com"}, "An endpoint looks like"),
        ({"endpoint": "in01.example.com"}, "An endpoint looks like"),
        ({"endpoint": "http://["}, "An endpoint looks like"),
        ({"endpoint": "http://host:99999"}, "An endpoint looks like"),
        ({"endpoint": "https://" + "x" * 10_000}, "at most 300 characters"),
        ({"token": "x" * 10_000}, "at most 500 characters"),
        ({"name": "a\x00b"}, "Null characters are not allowed"),
        ({"project": 0}, "Select a valid choice"),
    ],
)
def test_bad_input_gets_a_sentence_and_registers_nothing(admin, form, changes, sentence, network):
    answer = admin.post(NEW, form | changes)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Cluster.objects.exists()
    assert network == []


def test_a_project_of_strangers_is_no_choice(admin, form):
    answer = admin.post(NEW, form | {"project": make_project(name="Secret").code})
    assert answer.status_code == 422
    assert "Secret" not in text_of(answer)
    assert not Cluster.objects.exists()


@pytest.mark.parametrize(
    "failure", [ClusterUnreachable("Nobody answers there. Check the address."), ClusterDenied("The token was refused.")]
)
def test_a_cluster_that_does_not_answer_or_refuses_is_not_registered(admin, form, monkeypatch, failure):
    def fail(cluster: Cluster) -> ServerInfo:
        raise failure

    monkeypatch.setattr("clusters.live.check_connection", fail)
    answer = admin.post(NEW, form)
    assert answer.status_code == 422
    assert str(failure) in text_of(answer)
    assert "secret-token" not in answer.content.decode()
    assert not Cluster.objects.exists()


def test_a_name_is_used_once_in_a_project_but_again_after_a_drop(admin, form, people):
    first = make_cluster(people.project, name="docs")
    answer = admin.post(NEW, form)
    assert answer.status_code == 422
    assert Cluster.objects.get() == first
    Cluster.objects.update(dropped_at=timezone.now())
    assert admin.post(NEW, form).status_code == 302


# Settings of one cluster


def settings_of(cluster: Cluster) -> str:
    return reverse("clusters:cluster-settings", args=[cluster.code])


def test_an_empty_token_keeps_the_stored_one(admin, people, network):
    cluster = make_cluster(people.project, name="docs", token="old", endpoint="http://a.example.com")
    form = {"name": "docs2", "plan": "dedicated", "cu_size": 4, "endpoint": "http://a.example.com", "token": ""}
    assert admin.post(settings_of(cluster), form).status_code == 302
    cluster.refresh_from_db()
    assert (cluster.name, cluster.cu_size, cluster.read_token()) == ("docs2", 4, "old")
    assert network == []  # nothing that needs the network was changed


def test_a_new_address_must_answer_before_it_is_saved(admin, people, monkeypatch):
    cluster = make_cluster(people.project, name="docs", token="old", endpoint="http://a.example.com")

    def fail(cluster: Cluster) -> ServerInfo:
        raise ClusterUnreachable(f"{cluster.endpoint} does not answer.")

    monkeypatch.setattr("clusters.live.check_connection", fail)
    before = all_rows()
    form = {"name": "docs", "plan": "dedicated", "cu_size": 1, "endpoint": "http://b.example.com", "token": "new"}
    answer = admin.post(settings_of(cluster), form)
    assert answer.status_code == 422
    assert "http://b.example.com does not answer." in text_of(answer)
    assert all_rows() == before


@pytest.mark.parametrize(
    "endpoint", ["https://a.example.com", "http://b.example.com", "http://a.example.com:8080", "http://a.example.com.b"]
)
def test_a_stored_token_is_not_sent_to_a_new_address(admin, people, network, endpoint):
    cluster = make_cluster(people.project, name="docs", token="old", endpoint="http://a.example.com")
    before = all_rows()
    form = {"name": "docs", "plan": "dedicated", "cu_size": 1, "endpoint": endpoint, "token": ""}
    answer = admin.post(settings_of(cluster), form)
    assert answer.status_code == 422
    assert "Type the token again: it is not sent to a new address by itself." in text_of(answer)
    assert network == []
    assert all_rows() == before
    assert admin.post(settings_of(cluster), form | {"token": "new"}).status_code == 302
    assert [asked.read_token() for asked in network] == ["new"]
    cluster.refresh_from_db()
    assert (cluster.endpoint, cluster.read_token()) == (endpoint, "new")


def test_a_cluster_without_a_token_moves_freely_and_so_does_a_path(admin, people):
    for token, endpoint in (("", "http://b.example.com"), ("old", "http://A.example.com/path")):
        cluster = make_cluster(people.project, token=token, endpoint="http://a.example.com")
        form = {"name": cluster.name, "plan": "dedicated", "cu_size": 1, "endpoint": endpoint}
        assert admin.post(settings_of(cluster), form).status_code == 302


def test_a_stored_token_can_be_removed(admin, people, network):
    cluster = make_cluster(people.project, name="docs", token="old", endpoint="http://a.example.com")
    assert "Remove the stored token" in text_of(admin.get(settings_of(cluster)))
    form = {"name": "docs", "plan": "dedicated", "cu_size": 1, "endpoint": "http://a.example.com", "remove_token": "on"}
    assert admin.post(settings_of(cluster), form | {"token": "new"}).status_code == 422
    assert admin.post(settings_of(cluster), form).status_code == 302
    assert [asked.read_token() for asked in network] == [""]
    cluster.refresh_from_db()
    assert cluster.read_token() == ""
    assert "Remove the stored token" not in text_of(admin.get(settings_of(cluster)))


# Secrets whose key is lost


def test_a_token_that_cannot_be_read_takes_no_page_down_and_can_be_typed_again(admin, people, settings, monkeypatch):
    monkeypatch.undo()  # the real network functions: they must not get as far as the network
    cluster = make_cluster(people.project, name="docs", token="old")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    for url in ("/", "/clusters/", settings_of(cluster)):
        assert admin.get(url).status_code == 200
    sentence = "The stored token of docs cannot be read: ENCRYPTION_KEYS has changed. Enter it again under Settings."
    assert sentence in text_of(admin.get(cluster.get_absolute_url()))
    check = reverse("clusters:cluster-check", args=[cluster.code])
    assert sentence in text_of(admin.post(check, headers={"HX-Request": "true"}))
    form = {"name": "renamed", "plan": "dedicated", "cu_size": 1, "endpoint": cluster.endpoint, "token": ""}
    assert admin.post(settings_of(cluster), form).status_code == 302
    monkeypatch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("2.6.1", is_lite=False))
    assert admin.post(settings_of(cluster), form | {"token": "new"}).status_code == 302
    assert Cluster.objects.get().read_token() == "new"


def test_without_usable_keys_a_token_is_refused_with_a_sentence(admin, form, settings):
    settings.ENCRYPTION_KEYS = []
    answer = admin.post(NEW, form)
    assert answer.status_code == 422
    assert "ENCRYPTION_KEYS is not set, so no secret can be stored." in text_of(answer)
    assert admin.post(NEW, form | {"token": ""}).status_code == 302


@pytest.mark.parametrize(
    "changes", [{"name": "x" * 10_000}, {"name": "other"}, {"cu_size": 0}, {"plan": "none"}, {"endpoint": "http://["}]
)
def test_bad_settings_change_nothing(admin, people, changes):
    make_cluster(people.project, name="other")
    cluster = make_cluster(people.project, name="docs", endpoint="http://a.example.com")
    before = all_rows()
    form = {"name": "docs", "plan": "dedicated", "cu_size": 1, "endpoint": "http://a.example.com"}
    assert admin.post(settings_of(cluster), form | changes).status_code == 422
    assert all_rows() == before


def test_the_region_of_a_cluster_never_changes(admin, people):
    cluster = make_cluster(people.project, name="docs", endpoint="http://a.example.com")
    form = {"name": "docs", "plan": "dedicated", "cu_size": 1, "endpoint": "http://a.example.com"}
    admin.post(settings_of(cluster), form | {"region": FRANKFURT, "code": "in01-mine"})
    code = cluster.code
    cluster.refresh_from_db()
    assert (cluster.region_id, cluster.code) == (OREGON, code)


def test_the_address_of_an_embedded_cluster_cannot_be_set(admin, people, network):
    cluster = make_cluster(people.project, name="docs", endpoint="http://127.0.0.1:5", is_embedded=True)
    form = {"name": "docs2", "plan": "dedicated", "cu_size": 1, "endpoint": "http://evil.example.com"}
    assert admin.post(settings_of(cluster), form).status_code == 302
    cluster.refresh_from_db()
    assert (cluster.name, cluster.endpoint) == ("docs2", "http://127.0.0.1:5")
    assert network == []


# Looking


def test_the_list_says_for_each_cluster_what_is_possible(admin, people):
    make_cluster(people.project, name="azure", region=AZURE_IRELAND)
    make_cluster(people.project, name="tiny", plan="serverless")
    words = text_of(admin.get("/clusters/"))
    assert "Clusters on Azure can be backed up, but their backups cannot be copied" in words
    assert "Migrate the data to a Dedicated cluster first" in words


def test_the_button_stays_with_its_reason_where_a_backup_is_impossible(admin, people):
    cluster = make_cluster(people.project, plan="free")
    page = admin.get(cluster.get_absolute_url()).content.decode()
    assert 'aria-disabled="true" aria-describedby="why-no-backup"' in page
    assert reverse("jobs:backup-create", args=[cluster.code]) not in page


def test_a_cluster_that_does_not_answer_still_has_its_page(admin, people, monkeypatch):
    def fail(cluster: Cluster) -> list[CollectionInfo]:
        raise ClusterUnreachable("docs does not answer. Start it.")

    monkeypatch.setattr("clusters.live.collections_of", fail)
    cluster = make_cluster(people.project)
    for url in (
        cluster.get_absolute_url(),
        reverse("clusters:collection-detail", args=[cluster.code, "default", "docs"]),
    ):
        answer = admin.get(url)
        assert answer.status_code == 200
        assert "docs does not answer. Start it." in text_of(answer)


def test_a_collection_that_is_not_there_is_not_found(admin, people):
    cluster = make_cluster(people.project)
    assert admin.get(reverse("clusters:collection-detail", args=[cluster.code, "default", "gone"])).status_code == 404


@pytest.mark.parametrize(("htmx", "status"), [({}, 302), ({"HX-Request": "true"}, 200)])
def test_the_connection_test_answers_as_a_page_or_as_a_fragment(admin, people, htmx, status):
    cluster = make_cluster(people.project)
    answer = admin.post(reverse("clusters:cluster-check", args=[cluster.code]), headers=htmx, follow=False)
    assert answer.status_code == status
    words = text_of(answer if htmx else admin.get(answer["Location"]))
    assert "2.6.1" in words


# Deleting a live collection


@pytest.fixture
def dropped(monkeypatch) -> list[CollectionRef]:
    found: list[CollectionRef] = []
    monkeypatch.setattr("clusters.live.drop_collection", lambda cluster, ref: found.append(ref))
    return found


def test_a_collection_is_deleted_once_its_name_was_typed(admin, people, dropped):
    url = reverse("clusters:collection-drop", args=[make_cluster(people.project).code, "default", "docs"])
    assert admin.get(url).status_code == 200
    assert dropped == []
    assert admin.post(url, {"confirmation": "docs"}).status_code == 302
    assert dropped == [CollectionRef("default", "docs")]


@pytest.mark.parametrize("typed", ["", "Docs", "doc", "x" * 10_000])
def test_a_wrong_confirmation_deletes_no_collection(admin, people, dropped, typed):
    url = reverse("clusters:collection-drop", args=[make_cluster(people.project).code, "default", "docs"])
    assert admin.post(url, {"confirmation": typed}).status_code == 422
    assert dropped == []


def test_a_collection_that_vanished_meanwhile_is_not_found(admin, people, monkeypatch):
    def missing(cluster: Cluster, ref: CollectionRef) -> None:
        raise CollectionMissing("There is no docs any more.")

    monkeypatch.setattr("clusters.live.drop_collection", missing)
    url = reverse("clusters:collection-drop", args=[make_cluster(people.project).code, "default", "docs"])
    assert admin.post(url, {"confirmation": "docs"}).status_code == 404
