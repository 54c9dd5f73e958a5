"""What every answer looks like, whatever goes wrong."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from accounts.privileges import Privilege
from tests.unit.api.conftest import Caller

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ["", "bks_nobody-made-this-one"])
def test_without_a_living_key_nothing_is_told_but_that(key, cluster):
    status, code, message = Caller(key).refusal("GET", f"/clusters/{cluster.code}")
    assert (status, code) == (401, 21119)
    assert "key" in message


def test_a_session_is_no_key(people, client):
    client.force_login(people.owner)
    assert client.get("/v2/clusters").status_code == 401


def test_a_key_without_the_privilege_is_told_which_one_it_lacks(call, people, cluster):
    caller = call(people.owner, Privilege.CLUSTER_VIEW)
    status, code, message = caller.refusal(
        "POST", f"/clusters/{cluster.code}/backups/create", {"backupType": "CLUSTER"}
    )
    assert (status, code) == (403, 96015)
    assert "backup: manage" in message


def test_what_belongs_to_others_does_not_exist(call, people, cluster, backup):
    stranger = call(people.stranger)
    assert stranger.refusal("GET", f"/clusters/{cluster.code}")[:2] == (404, 96018)
    assert stranger.refusal("GET", f"/clusters/{cluster.code}/backups/{backup.code}")[:2] == (404, 40401)
    assert stranger.refusal("GET", f"/projects/{people.project.code}")[:2] == (404, 96005)
    assert stranger.ask("GET", "/backups", clusterId=cluster.code)["count"] == 0
    assert stranger.ask("GET", "/clusters")["clusters"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/clusters/", 404), ("PUT", "/clusters", 405), ("POST", "/backups", 405)],
)
def test_a_call_that_there_is_not_is_answered_with_json(owner, method, path, status):
    assert owner.refusal(method, path)[0] == status


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "1", '{"enabled": "perhaps"}', "\x00"])
def test_a_body_that_is_none_is_refused(owner, cluster, body):
    response = owner._client.generic(
        "POST",
        f"/v2/clusters/{cluster.code}/backups/policy",
        body,
        content_type="application/json",
        headers=owner._headers,
    )
    assert response.status_code == 400
    assert response.json()["code"] != 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/clusters/in01%00", None),
        ("POST", "/clusters/createDedicated", {"projectId": "a\0b", "clusterName": "x", "regionId": "gcp-us-west1"}),
        ("POST", "/backupsite/quote", {"sizeBytes": 1, "regionId": "\0", "targetRegionIds": ["\0"]}),
    ],
)
def test_a_null_character_is_refused_like_any_other_nonsense(owner, method, path, body):
    assert 400 <= owner.refusal(method, path, body)[0] < 500


def test_a_crash_is_told_in_json_too_and_gives_nothing_away(owner, cluster, monkeypatch):
    def crash(cluster: object) -> None:
        raise RuntimeError("root:Milvus")

    monkeypatch.setattr("api.calls_places.cluster_out", crash)
    owner._client.raise_request_exception = False
    response = owner.send("GET", f"/clusters/{cluster.code}")
    assert response.status_code == 500
    assert set(response.json()) == {"code", "message"}
    assert "Milvus" not in response.content.decode()


def test_too_many_calls_are_told_to_wait(owner, settings):
    settings.API_REQUESTS_PER_SECOND = 1
    responses = [owner.send("GET", "/clouds") for _ in range(21)]
    last = responses[-1]
    assert last.status_code == 429
    assert "Rate limit" in last.json()["message"]
    assert 1 <= int(last["Retry-After"]) <= 10
    assert sum(response.status_code == 200 for response in responses) in range(10, 21)


def test_one_key_does_not_use_up_the_calls_of_another(owner, call, people, settings):
    settings.API_REQUESTS_PER_SECOND = 1
    for _ in range(21):
        owner.send("GET", "/clouds")
    assert call(people.viewer).send("GET", "/clouds").status_code == 200


def test_a_deletion_may_carry_a_body_and_no_answer_sets_a_cookie(owner, cluster, backup):
    response = owner.send("DELETE", f"/clusters/{cluster.code}/backups/{backup.code}", {"anything": 1})
    assert response.json()["data"] == {"backupId": backup.code, "backupName": backup.name}
    assert not response.cookies


def test_the_document_is_open_and_the_page_to_read_it_is_for_members(client, people):
    document = Client().get(reverse("api:openapi")).json()
    assert document["openapi"].startswith("3.1")
    assert "/v2/clusters/{cluster_id}/backups/create" in document["paths"]
    assert client.get(reverse("api:reference")).status_code == 302
    client.force_login(people.viewer)
    page = client.get(reverse("api:reference")).content.decode()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page
    assert json.dumps("backupType") in page.replace("&quot;", '"')
