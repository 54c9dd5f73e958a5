"""Making, listing, describing and deleting backups; restoring them; the same call once more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from backups.models import Backup, BackupCollection, Copy
from backups.states import BackupState, CopyState, Origin, Scope
from clusters.models import Cluster, Plan
from jobs.models import Job
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_backup, make_cluster, make_job

pytestmark = pytest.mark.django_db


def create(owner, cluster, **body):
    return owner.ask("POST", f"/clusters/{cluster.code}/backups/create", {"backupType": "CLUSTER"} | body)


def test_a_backup_is_made_with_its_copies_and_its_job_answers_at_once(owner, cluster):
    made = create(owner, cluster, crossRegionCopies=[{"regionId": VIRGINIA}, {"regionId": FRANKFURT}])
    backup = Backup.objects.get(code=made["backupId"])
    assert backup.origin == Origin.MANUAL
    assert set(backup.copies.values_list("region", flat=True)) == {OREGON, VIRGINIA, FRANKFURT}
    assert set(backup.copies.values_list("kept_days", flat=True)) == {None}
    job = owner.ask("GET", f"/jobs/{made['jobId']}")
    assert (job["type"], job["status"], job["progress"]) == ("BACKUP", "PENDING", "0")
    told = owner.ask("GET", f"/clusters/{cluster.code}/backups/{made['backupId']}")
    assert told["status"] == "CREATING"
    assert [copy["regionId"] for copy in told["copies"]] == [OREGON, FRANKFURT, VIRGINIA]


def test_collections_are_named_by_database_and_a_placeholder_is_the_default(owner, cluster):
    chosen = [{"dbName": "{dbName}", "collectionNames": ["a", "b"]}, {"dbName": "other", "collectionNames": ["a"]}]
    made = create(owner, cluster, backupType="COLLECTION", dbCollections=chosen)
    backup = Backup.objects.get(code=made["backupId"])
    assert backup.scope == Scope.COLLECTION
    assert set(backup.collections.values_list("database", "name")) == {
        ("default", "a"),
        ("default", "b"),
        ("other", "a"),
    }


def test_a_stray_database_of_a_whole_cluster_is_ignored(owner, cluster):
    made = create(owner, cluster, dbName="d", nonsense={"deep": [1]})
    assert Backup.objects.get(code=made["backupId"]).scope == Scope.CLUSTER


def test_the_same_call_again_makes_no_second_backup(owner, cluster):
    first = create(owner, cluster, crossRegionCopies=[{"regionId": VIRGINIA}])
    assert create(owner, cluster, crossRegionCopies=[{"regionId": VIRGINIA}]) == first
    Job.objects.update(state=JobState.SUCCESSFUL, finished_at=timezone.now())
    Backup.objects.update(state=BackupState.AVAILABLE, size_bytes=1, row_count=1)
    assert create(owner, cluster, crossRegionCopies=[{"regionId": VIRGINIA}]) == first
    assert Backup.objects.count() == 1


def test_another_call_meanwhile_is_refused_and_a_later_one_is_a_backup_of_its_own(owner, cluster):
    first = create(owner, cluster)
    status, code, message = owner.refusal(
        "POST",
        f"/clusters/{cluster.code}/backups/create",
        {"backupType": "CLUSTER", "crossRegionCopies": [{"regionId": VIRGINIA}]},
    )
    assert (status, code) == (400, 96038)
    assert "already pending or running" in message
    Job.objects.update(
        state=JobState.SUCCESSFUL, finished_at=timezone.now(), created_at=timezone.now() - timedelta(minutes=3)
    )
    assert create(owner, cluster)["backupId"] != first["backupId"]


def test_what_came_to_nothing_is_not_taken_for_the_answer(owner, cluster):
    first = create(owner, cluster)
    Job.objects.update(state=JobState.FAILED, finished_at=timezone.now())
    assert create(owner, cluster)["backupId"] != first["backupId"]


def test_somebody_elses_backup_is_not_taken_for_the_answer(owner, call, people, cluster):
    create(owner, cluster)
    status, code, _ = call(people.project_admin).refusal(
        "POST", f"/clusters/{cluster.code}/backups/create", {"backupType": "CLUSTER"}
    )
    assert (status, code) == (400, 96038)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 96029),
        ({"backupType": "SNAPSHOT"}, 96029),
        ({"backupType": "COLLECTION"}, 96029),
        ({"backupType": "CLUSTER", "crossRegionCopies": [{"regionId": "moon-1"}]}, 96001),
        ({"backupType": "CLUSTER", "crossRegionCopies": [{"regionId": OREGON}]}, 96001),
        ({"backupType": "CLUSTER", "crossRegionCopies": [{"regionId": "aws-us-east-1"}]}, 96001),
        ({"backupType": "CLUSTER", "crossRegionCopies": [{"regionId": VIRGINIA}] * 2}, 96001),
        ({"backupType": "CLUSTER", "crossRegionCopies": "all"}, 96001),
    ],
)
def test_what_cannot_be_made_is_refused_with_its_code_and_leaves_nothing(owner, cluster, body, code):
    assert owner.refusal("POST", f"/clusters/{cluster.code}/backups/create", body)[:2] == (400, code)
    assert not Backup.objects.exists()


@pytest.mark.parametrize(("plan", "code"), [(Plan.FREE, 96021), (Plan.SERVERLESS, 96022)])
def test_r1_only_dedicated_clusters_are_backed_up(owner, people, cluster, plan, code):
    small = make_cluster(people.project, name="small", plan=plan)
    refused = owner.refusal("POST", f"/clusters/{small.code}/backups/create", {"backupType": "CLUSTER"})
    assert refused[:2] == (400, code)


def ids(page) -> list[str]:
    return [backup["backupId"] for backup in page["backups"]]


def test_the_list_is_newest_first_and_filters_combine(owner, people, cluster, backup):
    automatic = make_backup(cluster, kept_days=7)
    chosen = make_backup(cluster, scope=Scope.COLLECTION)
    make_backup(cluster, state=BackupState.FAILED, original_state=CopyState.FAILED)
    elsewhere = make_backup(make_cluster(people.project, name="other"))
    newest_first = [elsewhere.code, chosen.code, automatic.code, backup.code]
    assert ids(owner.ask("GET", "/backups")) == newest_first
    assert ids(owner.ask("GET", "/backups", clusterId=cluster.code)) == newest_first[1:]
    assert ids(owner.ask("GET", "/backups", creationMethod="AUTO")) == [automatic.code]
    assert ids(owner.ask("GET", "/backups", backupType="COLLECTION", creationMethod="MANUAL")) == [chosen.code]
    assert ids(owner.ask("GET", "/backups", projectId=people.project.code, pageSize=1, currentPage=2)) == [chosen.code]
    assert ids(owner.ask("GET", "/backups", projectId="proj-0")) == []


def test_the_list_of_a_time_is_between_both_ends(owner, cluster, backup):
    old = make_backup(cluster)
    Backup.objects.filter(pk=old.pk).update(created_at="2026-01-01T12:00:00Z")
    asked = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    assert ids(owner.ask("GET", "/backups", **asked)) == [old.code]
    assert ids(owner.ask("GET", "/backups", startTime=asked["start"], endTime=asked["end"])) == [old.code]
    assert owner.refusal("GET", "/backups", start="yesterday")[1] == 96007
    assert owner.refusal("GET", "/backups", start="2026-01-01T00:00:00")[1] == 96007
    assert owner.refusal("GET", "/backups", start=asked["end"], end=asked["start"])[1] == 96035
    assert owner.refusal("GET", "/backups", creationMethod="BOTH")[1] == 96030


def test_a_backup_tells_its_size_its_end_and_its_collections(owner, cluster):
    backup = make_backup(cluster, kept_days=7, collections=("b", "a"))
    BackupCollection.objects.create(backup=backup, database="zoo", name="lion")
    told = owner.ask("GET", f"/clusters/{cluster.code}/backups/{backup.code}")
    assert told["size"] == backup.size_bytes
    assert told["creationMethod"] == "AUTO"
    expires = backup.copies.get(is_original=True).expires_at
    assert expires is not None
    assert told["expireTime"] == expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [
        (part["dbName"], [row["collectionName"] for row in part["collections"]]) for part in told["dbCollections"]
    ] == [
        ("default", ["a", "b"]),
        ("zoo", ["lion"]),
    ]


def test_a_backup_is_found_only_under_its_own_cluster(owner, people, backup):
    other = make_cluster(people.project, name="other")
    assert owner.refusal("GET", f"/clusters/{other.code}/backups/{backup.code}")[:2] == (404, 40401)


def test_one_backup_and_twenty_cost_the_same_number_of_queries(cluster, count_queries):
    make_backup(cluster)
    one = count_queries("/backups")
    for _ in range(19):
        make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE})
    assert count_queries("/backups") == one


def test_deleting_queues_the_removal_of_every_copy(owner, cluster, backup):
    owner.ask("DELETE", f"/clusters/{cluster.code}/backups/{backup.code}", {})
    assert {job.target_region_id for job in Job.objects.filter(type=JobType.DELETE)} == {OREGON, VIRGINIA}


def test_a_backup_is_copied_to_another_region_later(owner, cluster, backup):
    url = f"/backupsite/clusters/{cluster.code}/backups/{backup.code}/copies"
    [code] = owner.ask("POST", url, {"copies": [{"regionId": FRANKFURT}]})["jobIds"]
    assert Job.objects.get(code=code).target_region_id == FRANKFURT
    assert owner.refusal("POST", url, {"copies": [{"regionId": FRANKFURT}]})[1] == 96001
    automatic = make_backup(cluster, kept_days=7)
    url = f"/backupsite/clusters/{cluster.code}/backups/{automatic.code}/copies"
    assert owner.refusal("POST", url, {"copies": [{"regionId": FRANKFURT, "retentionDays": 99}]})[1] == 96034
    owner.ask("POST", url, {"copies": [{"regionId": FRANKFURT, "retentionDays": 9}]})


def test_a_backup_in_use_is_not_deleted(owner, cluster, backup):
    make_job(backup.copies.get(is_original=True), type=JobType.RESTORE)
    refused = owner.refusal("DELETE", f"/clusters/{cluster.code}/backups/{backup.code}", {})
    assert refused[:2] == (400, 96038)
    assert "in use" in refused[2]


RESTORE = {"clusterName": "restored", "cuSize": 2}


@pytest.mark.parametrize(
    ("status", "loads"), [("KEEP", True), ("LOADED", True), ("RELEASE", False), ("NOT_LOADED", False)]
)
def test_a_cluster_is_restored_in_every_spelling_of_its_load_state(
    owner, people, cluster, backup, settings, status, loads
):
    settings.EMBEDDED_CLUSTERS = True
    body = RESTORE | {"projectId": people.project.code, "collectionStatus": status}
    url = f"/clusters/{cluster.code}/backups/{backup.code}/restoreCluster"
    made = owner.ask("POST", url, body)
    job = Job.objects.get(code=made["jobId"])
    assert job.parameters["load"] is loads
    assert job.parameters["cu_size"] == 2
    assert Cluster.objects.get(code=made["clusterId"]).name == "restored"
    assert owner.ask("POST", url, body) == made
    assert Job.objects.filter(type=JobType.RESTORE).count() == 1


def test_a_cluster_is_not_restored_under_a_name_that_is_taken(owner, people, cluster, backup, settings):
    settings.EMBEDDED_CLUSTERS = True
    body = RESTORE | {"projectId": people.project.code, "collectionStatus": "KEEP", "clusterName": cluster.name}
    url = f"/clusters/{cluster.code}/backups/{backup.code}/restoreCluster"
    assert owner.refusal("POST", url, body)[:2] == (400, 96017)
    assert owner.refusal("POST", url, body | {"collectionStatus": "HALF"})[1] == 96031
    assert owner.refusal("POST", url, body | {"cuSize": 1025})[1] == 96002


def restore_collection(owner, cluster, backup, **body):
    url = f"/clusters/{cluster.code}/backups/{backup.code}/restoreCollection"
    return owner.ask("POST", url, {"destClusterId": cluster.code} | body)


def one(**collection):
    return [{"dbName": "default", "destDbName": "default", "collections": [collection]}]


@pytest.mark.parametrize("word", ["dest", "target"])
def test_a_collection_is_restored_under_its_new_name_in_either_spelling(owner, cluster, backup, word):
    named = {f"{word}CollectionName": "a2", f"{word}CollectionStatus": "LOADED", "collectionName": "articles"}
    made = restore_collection(owner, cluster, backup, dbCollections=one(**named))
    job = Job.objects.get(code=made["jobId"])
    assert job.parameters["collections"] == [{"database": "default", "name": "articles", "new_name": "a2"}]
    assert job.parameters["load"] is True
    assert restore_collection(owner, cluster, backup, dbCollections=one(**named)) == made


def test_without_a_list_everything_is_restored_unloaded(owner, people, cluster, backup):
    target = make_cluster(people.project, name="target")
    made = restore_collection(owner, cluster, backup, destClusterId=target.code)
    job = Job.objects.get(code=made["jobId"])
    assert [row["name"] for row in job.parameters["collections"]] == ["articles", "questions"]
    assert job.parameters["load"] is False
    assert job.cluster == target


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"destClusterId": "in01-0"}, 96036),
        ({"dbCollections": one(collectionName="unknown")}, 96039),
        ({"dbCollections": one(collectionName="articles", destCollectionStatus="HALF")}, 96037),
        ({"dbCollections": [{"dbName": "default", "destDbName": "other"}]}, 96039),
    ],
)
def test_a_restore_that_cannot_be_meant_has_its_code(owner, cluster, backup, changes, code):
    url = f"/clusters/{cluster.code}/backups/{backup.code}/restoreCollection"
    assert owner.refusal("POST", url, {"destClusterId": cluster.code} | changes)[1] == code
    assert not Job.objects.filter(type=JobType.RESTORE).exists()


def test_a_backup_without_an_available_copy_is_not_restored(owner, cluster, backup):
    Copy.objects.update(state=CopyState.DAMAGED, damaged_at=timezone.now())
    url = f"/clusters/{cluster.code}/backups/{backup.code}/restoreCollection"
    assert "No copy" in owner.refusal("POST", url, {"destClusterId": cluster.code})[2]
