"""Clouds, regions, projects and clusters."""

from __future__ import annotations

import pytest

from accounts.privileges import Privilege
from clusters.errors import ClusterRefused
from clusters.models import Cluster, Plan, Region
from clusters.services import add_embedded_cluster
from dataplane.milvus import ServerInfo
from jobs.states import JobType
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_cluster, make_job

pytestmark = pytest.mark.django_db


def test_clouds_and_regions_are_bare_lists(owner, people):
    assert [cloud["cloudId"] for cloud in owner.ask("GET", "/clouds")] == ["aws", "gcp", "azure"]
    everywhere, google = owner.ask("GET", "/regions"), owner.ask("GET", "/regions", cloudId="gcp")
    assert {region["cloudId"] for region in google} == {"gcp"}
    assert len(google) < len(everywhere)
    assert owner.refusal("GET", "/regions", cloudId="moon")[:2] == (400, 96000)


def test_a_project_counts_its_clusters_and_names_the_regions_it_can_use(owner, people, cluster):
    Cluster.objects.filter(pk=make_cluster(people.project, name="gone").pk).update(dropped_at="2026-01-01T00:00Z")
    [project] = owner.ask("GET", "/projects")
    assert project["projectId"] == people.project.code
    assert project["instanceCount"] == 1
    assert project["regionIds"] == sorted([OREGON, VIRGINIA, FRANKFURT])
    assert owner.ask("GET", f"/projects/{people.project.code}") == project


def test_a_cluster_is_told_as_clients_know_it(owner, people, cluster, backup):
    told = owner.ask("GET", f"/clusters/{cluster.code}")
    assert told["clusterId"] == cluster.code
    assert told["plan"] == "Enterprise"
    assert told["deploymentOption"] == "Dedicated"
    assert told["status"] == "RUNNING"
    assert told["snapshotNumber"] == 1
    assert told["createTime"].endswith("Z")
    assert owner.ask("GET", "/clusters")["clusters"] == [told]


def test_a_cluster_that_is_being_restored_says_so(owner, cluster, backup):
    copy = backup.copies.get(is_original=True)
    make_job(copy, type=JobType.RESTORE, parameters={"makes_cluster": True})
    assert owner.ask("GET", f"/clusters/{cluster.code}")["status"] == "RESTORE_BACKUP"


def test_pages_of_clusters_add_up_and_one_past_the_end_is_empty(owner, people):
    made = {make_cluster(people.project, name=f"cluster-{number}").code for number in range(5)}
    pages = [owner.ask("GET", "/clusters", pageSize=2, currentPage=number) for number in (1, 2, 3, 4)]
    assert [len(page["clusters"]) for page in pages] == [2, 2, 1, 0]
    assert {cluster["clusterId"] for page in pages for cluster in page["clusters"]} == made
    assert {(page["count"], page["pageSize"]) for page in pages} == {(5, 2)}


@pytest.mark.parametrize(
    ("path", "name"), [("/clusters", "clusters"), ("/backups", "backups"), ("/backupsite/jobs", "jobs")]
)
def test_who_sees_no_project_gets_empty_lists(call, people, backup, path, name):
    assert call(people.billing_admin).ask("GET", path) == {"count": 0, "currentPage": 1, "pageSize": 10, name: []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"pageSize": 0}, 96008),
        ({"pageSize": 101}, 96008),
        ({"pageSize": "x"}, 96008),
        ({"currentPage": 0}, 96009),
        ({"currentPage": 10**30}, 96009),
    ],
)
def test_a_page_that_there_cannot_be_has_its_code(owner, query, code):
    assert owner.refusal("GET", "/clusters", **query)[:2] == (400, code)


def test_one_cluster_and_twenty_cost_the_same_number_of_queries(people, count_queries):
    make_cluster(people.project, name="first")
    one = count_queries("/clusters")
    for number in range(19):
        make_cluster(people.project, name=f"more-{number}")
    assert count_queries("/clusters") == one


def test_a_cluster_is_registered_once_it_answers(owner, people, monkeypatch):
    monkeypatch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("2.5", is_lite=False))
    body = {
        "projectId": people.project.code,
        "clusterName": "remote",
        "regionId": OREGON,
        "endpoint": "http://milvus.example:19530",
        "token": "root:Milvus",
    }
    made = owner.ask("POST", "/backupsite/clusters", body)
    assert Cluster.objects.get(code=made["clusterId"]).name == "remote"
    assert owner.refusal("POST", "/backupsite/clusters", body)[1] == 96017
    assert owner.refusal("POST", "/backupsite/clusters", body | {"regionId": "moon-1"})[1] == 96001
    assert owner.refusal("POST", "/backupsite/clusters", body | {"projectId": "proj-0"})[1] == 96005


def test_a_new_database_is_made_only_where_this_installation_keeps_some(owner, people, settings):
    body = {"projectId": people.project.code, "clusterName": "new", "regionId": OREGON, "cuSize": 1}
    settings.EMBEDDED_CLUSTERS = False
    assert "Register" in owner.refusal("POST", "/clusters/createDedicated", body)[2]
    settings.EMBEDDED_CLUSTERS = True
    made = owner.ask("POST", "/clusters/createDedicated", body)
    assert made["password"] is None
    assert Cluster.objects.get(code=made["clusterId"]).plan == Plan.DEDICATED
    assert owner.refusal("POST", "/clusters/createDedicated", body | {"cuSize": 0})[1] == 96002


def test_a_dropped_cluster_is_gone(owner, cluster):
    assert owner.ask("DELETE", f"/clusters/{cluster.code}/drop", {})["clusterId"] == cluster.code
    assert owner.refusal("GET", f"/clusters/{cluster.code}")[1] == 96018


def test_dropping_takes_both_privileges(call, people, cluster):
    caller = call(people.owner, Privilege.CLUSTER_MANAGE)
    status, _, message = caller.refusal("DELETE", f"/clusters/{cluster.code}/drop", {})
    assert status == 403
    assert "backup: manage" in message


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\n", "\u202eevil", "a\0b", "under_score", "x" * 65])
def test_a_name_is_one_that_the_page_would_take(owner, people, settings, name):
    settings.EMBEDDED_CLUSTERS = True
    body = {"projectId": people.project.code, "clusterName": name, "regionId": OREGON, "cuSize": 1}
    assert owner.refusal("POST", "/clusters/createDedicated", body)[1] == 96010
    with pytest.raises(ClusterRefused):
        add_embedded_cluster(
            user=people.owner, project=people.project, name=name, region=Region.objects.get(pk=OREGON), cu_size=1
        )


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://user:word@milvus.example",
        "http://@milvus.example",
        "http://milvus.example/?token=word",
        "http://milvus.example/#word",
        "http://milvus\n.example",
        "http://milvus.example/\u202e",
    ],
)
def test_an_address_that_everybody_sees_holds_no_secret(owner, people, monkeypatch, endpoint):
    monkeypatch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("2.5", is_lite=False))
    body = {"projectId": people.project.code, "clusterName": "remote", "regionId": OREGON, "endpoint": endpoint}
    assert "An endpoint looks like" in owner.refusal("POST", "/backupsite/clusters", body)[2]
    assert not Cluster.objects.filter(name="remote").exists()
