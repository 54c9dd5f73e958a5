"""The same scenario by the pages and by the API leaves the same rows."""

from __future__ import annotations

from typing import Any, Protocol

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit_models import AuditEntry
from backups.models import Backup, Copy
from backups.states import BackupState, CopyState
from clusters.models import Cluster
from dataplane.milvus import CollectionInfo, CollectionRef
from jobs.models import Job
from jobs.states import JobState, JobType
from tests.builders import FRANKFURT, OREGON, VIRGINIA, all_rows
from tests.unit.api.conftest import Caller

pytestmark = pytest.mark.django_db

# What differs between two runs whoever asks, besides moments: random names, and words of an API client of its own.
_OF_ONE_RUN = {"id", "code", "at", "not_before", "deliver_after", "told", "url"}


class Way(Protocol):
    def back_up(self, cluster: Cluster) -> None: ...
    def schedule(self, cluster: Cluster) -> None: ...
    def restore(self, backup: Backup, target: Cluster) -> None: ...
    def cancel(self, job: Job) -> None: ...
    def delete(self, backup: Backup) -> None: ...
    def drop(self, cluster: Cluster) -> None: ...


class ByPages:
    def __init__(self, people: Any, key_of: Any) -> None:
        self._client = Client()
        self._client.force_login(people.owner)

    def _post(self, page: str, code: str, **fields: Any) -> None:
        response = self._client.post(reverse(page, args=[code]), fields)
        assert response.status_code == 302, response.content.decode()[-3000:]

    def back_up(self, cluster: Cluster) -> None:
        self._post("jobs:backup-create", cluster.code, scope="cluster", copy="on", regions=[VIRGINIA, FRANKFURT])

    def schedule(self, cluster: Cluster) -> None:
        rule = {"kind": "basic", "days": ["1", "3"], "window_start": "02:00", "time_zone": "UTC", "scope": "cluster"}
        kept = {"kept_days": "7", "copy": "on", "regions": [VIRGINIA], f"kept-{VIRGINIA}": "14"}
        self._post("jobs:schedule-create", cluster.code, name="Backup policy", is_enabled="on", **rule, **kept)

    def restore(self, backup: Backup, target: Cluster) -> None:
        fields = {"copy": OREGON, "target": target.code, "cu_size": "1", "load": "on", "take-0": "on"}
        self._post("jobs:restore-create", backup.code, **fields, **{"name-0": "articles_2"})

    def cancel(self, job: Job) -> None:
        self._post("jobs:job-cancel", job.code)

    def delete(self, backup: Backup) -> None:
        self._post("jobs:backup-delete", backup.code, confirmation=backup.name)

    def drop(self, cluster: Cluster) -> None:
        self._post("jobs:cluster-drop", cluster.code, confirmation=cluster.name)


class ByApi:
    def __init__(self, people: Any, key_of: Any) -> None:
        self._call = Caller(key_of(people.owner))

    def back_up(self, cluster: Cluster) -> None:
        copies = [{"regionId": VIRGINIA}, {"regionId": FRANKFURT}]
        body = {"backupType": "CLUSTER", "crossRegionCopies": copies}
        self._call.ask("POST", f"/clusters/{cluster.code}/backups/create", body)

    def schedule(self, cluster: Cluster) -> None:
        body = {"enabled": True, "frequency": "1,3", "startTime": "02:00-04:00", "retentionDays": 7}
        body["crossRegionCopies"] = [{"regionId": VIRGINIA, "retentionDays": 14}]
        self._call.ask("POST", f"/clusters/{cluster.code}/backups/policy", body)

    def restore(self, backup: Backup, target: Cluster) -> None:
        one = {"collectionName": "articles", "destCollectionName": "articles_2", "destCollectionStatus": "LOADED"}
        body = {"destClusterId": target.code, "dbCollections": [{"dbName": "default", "collections": [one]}]}
        self._call.ask("POST", f"/clusters/{backup.cluster.code}/backups/{backup.code}/restoreCollection", body)

    def cancel(self, job: Job) -> None:
        self._call.ask("POST", f"/backupsite/jobs/{job.code}/cancel", {})

    def delete(self, backup: Backup) -> None:
        self._call.ask("DELETE", f"/clusters/{backup.cluster.code}/backups/{backup.code}", {})

    def drop(self, cluster: Cluster) -> None:
        self._call.ask("DELETE", f"/clusters/{cluster.code}/drop", {})


def end_backup(backup: Backup) -> None:
    """What a worker would have done."""
    now = timezone.now()
    Job.objects.filter(backup=backup).update(state=JobState.SUCCESSFUL, finished_at=now)
    Backup.objects.filter(pk=backup.pk).update(state=BackupState.AVAILABLE, size_bytes=5, row_count=1)
    Copy.objects.filter(backup=backup).update(state=CopyState.AVAILABLE, size_bytes=5, stored_at=now, verified_at=now)
    backup.collections.get_or_create(database="default", name="articles")


def live_through(way: Way, cluster: Cluster) -> dict[str, list[dict[str, Any]]]:
    """A cluster's whole life, and the rows it leaves: what is the same for everybody who lives it."""
    way.back_up(cluster)
    backup = Backup.objects.get()
    end_backup(backup)
    way.restore(backup, cluster)
    way.cancel(Job.objects.get(type=JobType.RESTORE))
    way.schedule(cluster)
    automatic = Backup.objects.exclude(pk=backup.pk).get()
    end_backup(automatic)
    way.delete(backup)
    Job.objects.filter(type=JobType.DELETE).update(state=JobState.SUCCESSFUL, finished_at=timezone.now())
    way.drop(cluster)
    rows = all_rows() | {"AuditEntry": list(AuditEntry.objects.order_by("pk").values("action", "outcome"))}
    return {name: [_comparable(row) for row in found] for name, found in rows.items()}


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    # Numbers of rows differ between runs; which of them there are is enough.
    return {
        name: value is not None if name.endswith("_id") and isinstance(value, int) else value
        for name, value in row.items()
        if name not in _OF_ONE_RUN and not name.endswith("_at")
    }


@pytest.fixture
def left(people, cluster, key_of, monkeypatch):
    found = CollectionInfo(CollectionRef("default", "articles"), 1, True, ("vector",), "id", 5)
    monkeypatch.setattr("clusters.live.collections_of", lambda cluster: [found])

    def live(way: type[ByPages] | type[ByApi]) -> dict[str, list[dict[str, Any]]]:
        with transaction.atomic():
            rows = live_through(way(people, key_of), cluster)
            transaction.set_rollback(True)
        # Signing in, and the key that a program signs in with, belong to the way.
        rows["AuditEntry"] = [row for row in rows["AuditEntry"] if not row["action"].startswith(("key.", "person."))]
        return rows

    return live


def test_the_same_scenario_leaves_the_same_rows_whichever_way_it_is_gone(left):
    by_pages, by_api = left(ByPages), left(ByApi)
    assert {row["type"] for row in by_pages["Job"]} == {
        JobType.BACKUP,
        JobType.RESTORE,
        JobType.DELETE,
        JobType.EXPIRE,
    }
    for name, rows in by_pages.items():
        assert by_api[name] == rows, name
