"""The unmodified command line client against the site: every command that is supported, and how it tells refusals."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts.keys import make_personal_key
from accounts.privileges import Privilege
from backups.models import Backup, BackupCollection, Copy
from backups.states import BackupState, CopyState
from clusters.models import Cluster
from jobs.metering import catch_up
from jobs.models import Job
from jobs.states import JobState, JobType
from tests.builders import OREGON, VIRGINIA, make_backup, make_cluster, make_people, make_stores
from tests.integration.zilliz_cli import HOW_TO_GET_IT, ZillizCli, install


@pytest.fixture
def people(committed: None) -> Any:
    return make_people()


@pytest.fixture
def cluster(people: Any, stores_root: Any) -> Cluster:
    make_stores(people.organization, OREGON, VIRGINIA, root=stores_root)
    return make_cluster(people.project, name="docs")


@pytest.fixture
def site(committed: None, settings: Any) -> Iterator[str]:
    """The address of the site; the fixture of pytest-django would empty the tables after ours has filled them."""
    settings.EMBEDDED_CLUSTERS, settings.ALLOWED_HOSTS = True, ["*"]
    server = LiveServer("127.0.0.1")
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def _client() -> None:
    try:
        install()
    except subprocess.CalledProcessError:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"The command line client is missing: {HOW_TO_GET_IT}.")


@pytest.fixture
def cli(_client: None, people: Any, site: str, tmp_path: Any) -> Iterator[ZillizCli]:
    key = make_personal_key(user=people.owner, name="cli", privileges=list(Privilege), days=1).token
    with ZillizCli(tmp_path, url=site, key=key) as client:
        yield client


def end_jobs() -> None:
    """What a worker would have done."""
    Job.objects.filter(type=JobType.BACKUP).update(
        state=JobState.SUCCESSFUL, started_at=timezone.now(), finished_at=timezone.now()
    )
    Backup.objects.update(state=BackupState.AVAILABLE, size_bytes=5, row_count=1)
    for backup in Backup.objects.filter(collections=None):
        BackupCollection.objects.create(backup=backup, database="default", name="a")
    Copy.objects.update(state=CopyState.AVAILABLE, size_bytes=5, stored_at=timezone.now(), verified_at=timezone.now())


def test_places_and_clusters(cli, people, cluster):
    assert "gcp" in [cloud["cloudId"] for cloud in cli.ask("cluster", "providers")]
    assert {region["cloudId"] for region in cli.ask("cluster", "regions", "--cloud-id", "gcp")} == {"gcp"}
    assert [project["projectId"] for project in cli.ask("project", "list")] == [people.project.code]
    assert cli.ask("project", "describe", "--project-id", people.project.code)["projectName"] == "Search"
    assert [row["clusterId"] for row in cli.ask("cluster", "list")["clusters"]] == [cluster.code]
    assert cli.ask("cluster", "describe", "--cluster-id", cluster.code)["clusterName"] == "docs"
    assert cluster.code in cli.run("cluster", "list", "-o", "table").stdout
    for number in range(101):
        make_cluster(people.project, name=f"many-{number}")
    assert len(cli.ask("cluster", "list", "--all")) == 102
    made = cli.ask(
        "cluster", "create", "--type", "dedicated", "--name", "new", "--project-id", people.project.code,
        "--region", OREGON, "--cu-type", "Performance-optimized", "--cu-size", "1",
    )  # fmt: skip
    assert Cluster.objects.get(code=made["clusterId"]).name == "new"
    assert cli.ask("cluster", "delete", "--cluster-id", made["clusterId"], "-y")["clusterId"] == made["clusterId"]


def test_a_backup_from_its_request_to_its_deletion(cli, cluster):
    copies = json.dumps({"crossRegionCopies": [{"regionId": VIRGINIA}]})
    make = ["backup", "create", "--cluster-id", cluster.code, "--backup-type", "CLUSTER", "--body", copies]
    made = cli.ask(*make)
    assert cli.ask(*make) == made
    assert cli.ask("job", "describe", "--job-id", made["jobId"])["status"] == "PENDING"
    end_jobs()
    waited = cli.run("job", "describe", "--job-id", made["jobId"], "--wait", "--interval", "1", "-o", "json")
    assert waited.returncode == 0
    assert '"SUCCESSFUL"' in waited.stdout
    one = ["--cluster-id", cluster.code, "--backup-id", made["backupId"]]
    assert [row["backupId"] for row in cli.ask("backup", "list", "--cluster-id", cluster.code)["backups"]] == [
        made["backupId"]
    ]
    assert cli.ask("backup", "describe", *one)["regionId"] == OREGON
    restored = cli.ask(
        "backup", "restore-cluster", *one, "--project-id", cluster.project.code, "--name", "restored",
        "--cu-size", "1", "--collection-status", "LOADED",
    )  # fmt: skip
    assert Job.objects.get(code=restored["jobId"]).cluster.code == restored["clusterId"]
    Job.objects.filter(type=JobType.RESTORE).update(state=JobState.SUCCESSFUL, finished_at=timezone.now())
    assert cli.ask("backup", "delete", *one, "-y")["backupId"] == made["backupId"]


def test_collections_and_their_restore(cli, cluster):
    make = ["backup", "create", "--cluster-id", cluster.code, "--backup-type", "COLLECTION", "--collection", "a"]
    made = cli.ask(*make)
    assert list(Backup.objects.get(code=made["backupId"]).collections.values_list("database", "name")) == [
        ("default", "a")
    ]
    end_jobs()
    body = (
        '{"dbCollections": [{"dbName": "default", "destDbName": "default", "collections": '
        '[{"collectionName": "a", "destCollectionName": "a2", "destCollectionStatus": "LOADED"}]}]}'
    )
    one = ["--cluster-id", cluster.code, "--backup-id", made["backupId"]]
    restore = ["backup", "restore-collection", *one, "--dest-cluster-id", cluster.code]
    started = cli.ask(*restore, "--body", body)
    assert Job.objects.get(code=started["jobId"]).parameters["collections"][0]["new_name"] == "a2"


def test_a_policy_is_set_read_and_turned_off(cli, cluster):
    named = ["--cluster-id", cluster.code]
    asked = ["--auto-backup", "true", "--frequency", "weekdays", "--start-time", "2:00", "--retention-days", "7"]
    copies = json.dumps({"crossRegionCopies": [{"regionId": VIRGINIA, "retentionDays": 5}]})
    assert cli.ask("backup", "update-policy", *named, *asked, "--body", copies)["status"] == "ENABLED"
    read = cli.ask("backup", "describe-policy", *named)
    assert (read["frequency"], read["startTime"], read["retentionDays"]) == ("1,2,3,4,5", "02:00-04:00", 7)
    assert read["crossRegionCopies"] == [{"regionId": VIRGINIA, "retentionDays": 5}]
    assert cli.ask("backup", "update-policy", *named, "--auto-backup", "false")["status"] == "DISABLED"
    assert cli.ask("backup", "describe-policy", *named)["frequency"] is None


def test_usage_of_a_month(cli, cluster):
    make_backup(cluster)
    Copy.objects.update(stored_at="2026-03-10T12:00Z", deleted_at="2026-03-11T11:00Z", state=CopyState.DELETED)
    catch_up(datetime(2026, 3, 12, tzinfo=UTC))
    asked = ["--start", "2026-03-01T00:00:00Z", "--end", "2026-04-01T00:00:00Z"]
    usage = cli.ask("billing", "usage", *asked)
    assert "backup" in str(usage)


def test_refusals_reach_the_user_with_code_and_sentence(cli, cluster):
    named = ["--cluster-id", cluster.code]
    assert cli.refusal("cluster", "describe", "--cluster-id", "in01-0") == (96018, "There is no such cluster.")
    code, message = cli.refusal("cluster", "list", key="bks_wrong")
    assert code == 21119
    assert "key" in message
    asked = ["--auto-backup", "true", "--frequency", "daily", "--start-time", "3:00", "--retention-days", "31"]
    assert cli.refusal("backup", "update-policy", *named, *asked)[0] == 96034
    body = '{"crossRegionCopies": [{"regionId": "moon-1"}]}'
    assert cli.refusal("backup", "create", *named, "--backup-type", "CLUSTER", "--body", body)[0] == 96001
    assert cli.refusal("job", "describe", "--job-id", "job-0")[0] == 96026
    assert cli.refusal("cluster", "suspend", *named)[0] == 40404
    assert not Backup.objects.exists()
