"""Every change that somebody asks for stands in the audit log, with who, what and which; so does what was refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit_actions import Action
from accounts.models import AuditEntry
from backups.models import Backup, Copy
from backups.services import rename_backup
from backups.states import CopyState
from clusters import services as cluster_services
from clusters.models import Cluster
from dataplane.milvus import CollectionRef, ServerInfo
from jobs import check_services, services
from jobs.drops import drop_cluster
from jobs.models import Schedule
from jobs.restores import RestoreRequest
from jobs.retention import request_expiries
from jobs.schedule_services import ScheduleRequest, create_schedule, delete_schedule, set_enabled, update_schedule
from jobs.schedule_states import ScheduleKind
from jobs.states import JobType
from tests.builders import (
    OREGON,
    VIRGINIA,
    People,
    make_backup,
    make_cluster,
    make_job,
    make_schedule,
    make_stores,
    region,
)

pytestmark = pytest.mark.django_db

NIGHTLY = ScheduleRequest(
    name="nightly",
    kind=ScheduleKind.BASIC,
    time_zone="UTC",
    kept_days=7,
    days=frozenset({1}),
    window_start=time(1),
)
DOCS = CollectionRef("default", "docs")


@dataclass(frozen=True)
class World:
    people: People
    root: Path
    cluster: Cluster
    backup: Backup
    failed: Copy
    damaged: Copy
    schedule: Schedule


@pytest.fixture
def world(people, stores_root, monkeypatch) -> World:
    monkeypatch.setattr("clusters.live.check_connection", lambda cluster: ServerInfo("3.2", is_lite=True))
    for name in ("load_collection", "drop_collection"):
        monkeypatch.setattr(f"clusters.live.{name}", lambda cluster, ref: None)
    make_stores(people.organization, OREGON, VIRGINIA, root=stores_root)
    cluster = make_cluster(people.project, name="docs")
    backup = make_backup(cluster, name="one", copies={VIRGINIA: CopyState.FAILED})
    damaged = make_backup(cluster, name="two", copies={VIRGINIA: CopyState.DAMAGED}).copies.get(region=VIRGINIA)
    schedule = make_schedule(cluster, name="weekly", is_enabled=False)
    return World(people, stores_root, cluster, backup, backup.copies.get(region=VIRGINIA), damaged, schedule)


def _restore(world: World) -> None:
    services.request_restore(
        user=world.people.owner,
        copy=world.backup.copies.get(is_original=True),
        request=RestoreRequest.same_names([("default", "docs")], cu_size=1, load=False),
        target=world.cluster,
    )


def _expire(world: World) -> None:
    make_backup(world.cluster, name="old", kept_days=1).copies.update(stored_at=timezone.now() - timedelta(days=2))
    request_expiries(timezone.now())


def _change_cluster(world: World) -> None:
    cluster_services.update_cluster(
        user=world.people.owner,
        cluster=world.cluster,
        name="docs",
        plan=world.cluster.plan,
        cu_size=2,
        endpoint=world.cluster.endpoint,
        token="root:planted",  # noqa: S106
    )


def _store(world: World) -> None:
    cluster_services.set_store(
        user=world.people.owner,
        organization=world.people.organization,
        region=region(VIRGINIA),
        url=f"file://{world.root / VIRGINIA}",
        options="timeout=30s",
    )


# What is done, and for each entry it leaves: what it says, of what, and by whom if not by the owner.
DONE: dict[str, tuple[Callable[[World], object], list[tuple[Action, str]]]] = {
    "a backup": (
        lambda world: services.request_backup(user=world.people.owner, cluster=world.cluster),
        [(Action.BACKUP_REQUESTED, "docs_backup3")],
    ),
    "a restore": (_restore, [(Action.RESTORE_REQUESTED, f"one in {OREGON}")]),
    "a deletion": (
        lambda world: services.request_deletion(user=world.people.owner, backup=world.backup),
        [(Action.BACKUP_DELETED, "one")],
    ),
    "a new name": (
        lambda world: rename_backup(user=world.people.owner, backup=world.backup, name="best"),
        [(Action.BACKUP_RENAMED, "one")],
    ),
    "another try": (
        lambda world: services.retry_copy(user=world.people.owner, copy=world.failed),
        [(Action.COPY_RETRIED, f"one in {VIRGINIA}")],
    ),
    "a check": (
        lambda world: check_services.request_verification(user=world.people.owner, copy=world.damaged),
        [(Action.COPY_CHECKED, f"two in {VIRGINIA}")],
    ),
    "a repair": (
        lambda world: check_services.request_repair(user=world.people.owner, copy=world.damaged),
        [(Action.COPY_REPAIRED, f"two in {VIRGINIA}")],
    ),
    "a schedule": (
        lambda world: create_schedule(user=world.people.owner, cluster=world.cluster, request=NIGHTLY),
        [
            (Action.SCHEDULE_CREATED, "nightly"),
            (Action.SCHEDULE_ENABLED, "nightly"),
            (Action.BACKUP_REQUESTED, "docs_backup3"),
        ],
    ),
    "a changed schedule": (
        lambda world: update_schedule(
            user=world.people.owner, schedule=world.schedule, request=replace(NIGHTLY, name="weekly")
        ),
        [(Action.SCHEDULE_CHANGED, "weekly")],
    ),
    "a schedule switched on and off": (
        lambda world: [
            set_enabled(user=world.people.owner, schedule=world.schedule, is_enabled=on) for on in (True, False, False)
        ],
        [
            (Action.SCHEDULE_ENABLED, "weekly"),
            (Action.BACKUP_REQUESTED, "docs_backup3"),
            (Action.SCHEDULE_DISABLED, "weekly"),
        ],
    ),
    "a deleted schedule": (
        lambda world: delete_schedule(user=world.people.owner, schedule=world.schedule),
        [(Action.SCHEDULE_DELETED, "weekly")],
    ),
    "a copy whose time is over": (_expire, [(Action.COPY_EXPIRED, f"old in {OREGON}")]),
    "a removed cluster": (
        lambda world: drop_cluster(user=world.people.owner, cluster=world.cluster),
        [(Action.CLUSTER_REMOVED, "docs")],
    ),
    "a changed cluster": (_change_cluster, [(Action.CLUSTER_CHANGED, "docs")]),
    "a loaded collection": (
        lambda world: cluster_services.load_collection(user=world.people.owner, cluster=world.cluster, collection=DOCS),
        [(Action.COLLECTION_LOADED, "docs")],
    ),
    "a deleted collection": (
        lambda world: cluster_services.delete_collection(
            user=world.people.owner, cluster=world.cluster, collection=DOCS
        ),
        [(Action.COLLECTION_DELETED, "docs")],
    ),
    "a store": (_store, [(Action.STORE_SAVED, VIRGINIA)]),
    "a tested store": (
        lambda world: cluster_services.check_stored(
            user=world.people.owner, store=world.people.organization.stores.get(region=VIRGINIA)
        ),
        [(Action.STORE_TESTED, VIRGINIA)],
    ),
}
BY_THE_SITE = {Action.COPY_EXPIRED}
OF_THE_ORGANIZATION = {Action.STORE_SAVED, Action.STORE_TESTED}


@pytest.mark.parametrize("what", DONE)
def test_what_somebody_asks_for_is_written_down(world, what):
    do, expected = DONE[what]
    do(world)
    entries = list(AuditEntry.objects.order_by("pk"))
    # A store is called by its region and its address.
    assert [(entry.action, entry.target_name.partition(" at ")[0]) for entry in entries] == expected
    for entry in entries:
        by_the_site = entry.action in BY_THE_SITE or (entry.action == Action.BACKUP_REQUESTED and len(entries) > 1)
        assert entry.actor == (None if by_the_site else world.people.owner)
        assert entry.organization == world.people.organization
        assert entry.project == (None if entry.action in OF_THE_ORGANIZATION else world.people.project)
        assert entry.target_code
        assert "planted" not in f"{entry.details}{entry.target_name}"


def test_adding_a_cluster_is_written_down(world):
    added = cluster_services.register_cluster(
        user=world.people.owner,
        project=world.people.project,
        name="second",
        plan="dedicated",
        region=region(OREGON),
        cu_size=1,
        endpoint="http://127.0.0.1:19530",
        token="root:planted",  # noqa: S106
    )
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target_code, entry.details) == (
        "cluster.added",
        added.code,
        {"region": OREGON, "plan": "dedicated"},
    )


def test_what_was_changed_of_a_cluster_is_named_and_not_shown(world):
    _change_cluster(world)
    assert AuditEntry.objects.get().details == {"changed": ["cu_size", "token"]}


def test_canceling_is_written_down(world):
    job = make_job(type=JobType.BACKUP, cluster=world.cluster)
    services.cancel_job(user=world.people.project_admin, job=job)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target_code, entry.actor) == ("job.canceled", job.code, world.people.project_admin)


class TestThroughPages:
    """One entry for each refusal, whoever met it first, and with the address it came from."""

    def post(self, user: object, url: str, **data: str) -> int:
        client = Client(REMOTE_ADDR="203.0.113.9")
        client.force_login(user)  # type: ignore[arg-type]
        return client.post(url, data).status_code

    def test_a_rule_that_says_no_is_written_down_with_its_sentence(self, world):
        url = reverse("jobs:copy-repair", args=[world.damaged.backup.code, VIRGINIA])
        assert [self.post(world.people.backup_manager, url) for _ in range(2)] == [302, 302]
        refused, done = AuditEntry.objects.all()
        assert (done.action, done.outcome, done.reason) == ("copy.repaired", "done", "")
        assert (refused.action, refused.outcome) == ("copy.repaired", "refused")
        assert refused.reason.startswith("Another job works on this copy")
        assert (refused.target_name, refused.target_code) == (f"two in {VIRGINIA}", world.damaged.backup.code)
        assert (refused.actor, refused.address) == (world.people.backup_manager, "203.0.113.9")

    def test_a_missing_privilege_is_written_down_once_in_the_log_of_the_project(self, world):
        url = reverse("jobs:backup-create", args=[world.cluster.code])
        assert [self.post(world.people.viewer, url) for _ in range(3)] == [403] * 3
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.outcome, entry.target_code) == ("access.refused", "refused", world.cluster.code)
        assert (entry.project, entry.organization) == (world.people.project, world.people.organization)
        assert entry.details == {"privileges": ["backup: manage"]}

    def test_a_page_that_needs_a_privilege_anywhere_is_refused_in_ones_own_log(self, world):
        client = Client()
        client.force_login(world.people.viewer)
        assert client.get(reverse("dashboard:costs")).status_code == 403
        entry = AuditEntry.objects.get()
        assert (entry.organization, entry.target_name) == (world.people.organization, "GET /costs/")

    def test_what_a_stranger_does_not_find_is_no_refusal(self, world):
        url = reverse("jobs:backup-create", args=[world.cluster.code])
        assert self.post(world.people.stranger, url) == 404
        assert not AuditEntry.objects.exists()

    def test_what_succeeds_is_no_refusal_though_a_page_asked_what_one_may_do(self, world):
        client = Client()
        client.force_login(world.people.viewer)
        assert client.get(world.cluster.get_absolute_url()).status_code == 200
        assert not AuditEntry.objects.exists()
