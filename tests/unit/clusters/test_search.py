"""Searching a live collection by words, and what that may cost the cluster; the network alone is replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.privileges import Privilege, ProjectRole
from clusters.hits import hit_rows, shown_fields
from clusters.live import search_words, word_field
from clusters.models import Cluster
from dataplane.errors import ClusterUnreachable
from dataplane.milvus import CollectionInfo, CollectionRef, SearchHit
from tests.builders import make_cluster, make_user, text_of

LOADED = CollectionInfo(
    CollectionRef("default", "docs"), 1_000, True, ("image", "words_256"), "id", 5_000_000, {"words_256": 256}
)
UNLOADED = replace(LOADED, is_loaded=False)
TICKETS = [
    SearchHit(7, 0.91, {"id": 7, "topic": "billing", "votes": 3, "text": "My card was refused", "tags": {"a": 1}}),
    SearchHit(9, 0.52, {"id": 9, "topic": "login", "votes": 0, "text": "Two factors"}),
]


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """What the cluster was asked to do."""
    found: list[str] = []

    def search(cluster: Cluster, collection: CollectionInfo, words: str) -> list[SearchHit]:
        found.append(f"search {words}")
        return TICKETS

    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [UNLOADED])
    monkeypatch.setattr("clusters.live.search_words", search)
    monkeypatch.setattr("clusters.live.load_collection", lambda cluster, ref: found.append(f"load {ref}"))
    return found


def url_of(cluster: Cluster, name: str = "collection-detail", collection: str = "docs") -> str:
    return reverse(f"clusters:{name}", args=[cluster.code, "default", collection])


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.django_db
def test_any_collection_shows_its_own_fields(people, calls, monkeypatch):
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [LOADED])
    page = client_of(people.viewer).get(url_of(make_cluster(people.project)), {"words": "card"})
    assert calls == ["search card"]
    words = text_of(page)
    assert "Key topic text votes Score" in words
    assert "7 billing My card was refused 3 0.9100" in words
    assert "9 login Two factors 0 0.5200" in words


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["viewer", "operator", "cluster_viewer"])
def test_looking_never_loads_a_collection(people, calls, who):
    client, cluster = client_of(getattr(people, who)), make_cluster(people.project)
    page = client.get(url_of(cluster), {"words": "card"})
    assert "is not loaded" in text_of(page)
    assert "can load it here" in text_of(page)
    assert "Load and search" not in text_of(page)
    refusal = client.post(url_of(cluster, "collection-load"), {"words": "card"})
    assert (refusal.status_code, "backup: manage" in text_of(refusal)) == (403, True)
    assert calls == []


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["owner", "project_admin", "backup_manager"])
def test_who_may_use_the_clusters_memory_loads_and_searches_in_one_step(people, calls, who):
    client, cluster = client_of(getattr(people, who)), make_cluster(people.project)
    assert "Load and search" in text_of(client.get(url_of(cluster), {"words": "card"}))
    assert calls == []
    answer = client.post(url_of(cluster, "collection-load"), {"words": "a card & more"})
    assert calls == ["load docs"]
    assert answer["Location"] == url_of(cluster) + "?words=a+card+%26+more"


@pytest.mark.django_db
def test_managing_clusters_alone_suffices_to_load(people, calls):
    user = make_user(project=people.project, role=ProjectRole.CUSTOM, privileges=[Privilege.CLUSTER_MANAGE])
    answer = client_of(user).post(url_of(make_cluster(people.project), "collection-load"))
    assert (answer.status_code, calls) == (302, ["load docs"])


@pytest.mark.django_db
def test_strangers_and_missing_collections_are_not_found_and_nothing_is_fetched_into_loading(people, calls):
    cluster = make_cluster(people.project)
    assert client_of(people.stranger).post(url_of(cluster, "collection-load")).status_code == 404
    assert client_of(people.owner).post(url_of(cluster, "collection-load", "gone")).status_code == 404
    assert client_of(people.owner).get(url_of(cluster, "collection-load")).status_code == 405
    assert calls == []


@pytest.mark.django_db
def test_a_collection_that_takes_long_to_load_is_said_to(people, calls, monkeypatch):
    def fail(cluster: Cluster, ref: CollectionRef) -> None:
        raise ClusterUnreachable("docs is still loading. Search again in a moment.")

    monkeypatch.setattr("clusters.live.load_collection", fail)
    answer = client_of(people.owner).post(url_of(make_cluster(people.project), "collection-load"), follow=True)
    assert answer.status_code == 200
    assert "Search again in a moment." in text_of(answer)


def test_only_vectors_of_the_words_own_dimension_are_searched_by_words():
    assert word_field(LOADED) == "words_256"
    for dimensions in ({"words_256": 128}, {"image": 256}, {}):
        assert word_field(replace(LOADED, dimensions=dimensions)) is None
    named = replace(LOADED, vector_fields=("words_128", "words_own"), dimensions={"words_128": 128, "words_own": 256})
    assert word_field(named) == "words_own"


def test_a_collection_that_is_not_loaded_is_not_even_asked():
    with pytest.raises(ValueError, match="docs cannot be searched"):
        search_words(Cluster(name="c", endpoint="http://127.0.0.1:1"), UNLOADED, "card")


def test_texts_come_first_and_at_most_three_plain_fields_are_shown():
    assert shown_fields(TICKETS, primary_field="id") == ["topic", "text", "votes"]
    wide = [SearchHit(1, 0.5, {"n": 1, "b": True, "j": [1], "a": "x", "c": "y", "d": "z", "e": "w"})]
    assert shown_fields(wide, primary_field="id") == ["a", "c", "d"]
    assert shown_fields([SearchHit(1, 0.5, {"j": {}, "n": None})], primary_field="id") == []
    assert shown_fields([], primary_field="id") == []


def test_a_hit_that_lacks_a_field_keeps_its_place_in_the_row():
    sparse = [*TICKETS, SearchHit(1, 0.1, {"text": "x"})]
    rows = hit_rows(sparse, shown_fields(sparse, primary_field="id"))
    assert rows[2].values == (("topic", None), ("text", "x"), ("votes", None))
