"""Rows for tests, made by plain functions. Everything has a default, and every row satisfies its constraints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.utils import timezone

from accounts.models import (
    CustomRole,
    CustomRolePrivilege,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    User,
)
from accounts.privileges import OrganizationRole, Privilege, ProjectRole
from backups.models import Backup, BackupCollection, Copy
from backups.states import BackupState, CopyState, Origin
from clusters.models import Cluster, Plan, Region, Store
from jobs.models import Job, JobEvent, Schedule, ScheduledRun, ScheduleTarget, Worker
from jobs.presence import code_version, queues_for
from jobs.states import FINAL, HELD, PRIORITY, JobState, JobType

# Regions that the migrations ship.
OREGON, VIRGINIA, FRANKFURT, TOKYO = "gcp-us-west1", "gcp-us-east4", "gcp-europe-west3", "gcp-asia-northeast1"
AWS_FRANKFURT, AZURE_IRELAND, AZURE_FRANKFURT = "aws-eu-central-1", "az-northeurope", "az-germanywestcentral"

_numbers = count(1)
_STORED = {CopyState.VERIFYING, CopyState.AVAILABLE, CopyState.DAMAGED, CopyState.DELETING, CopyState.DELETED}
_PROVEN = _STORED - {CopyState.VERIFYING}


def make_organization(name: str = "Acme") -> Organization:
    return Organization.objects.create(name=name)


def make_project(organization: Organization | None = None, *, name: str = "") -> Project:
    organization = organization or make_organization()
    return Project.objects.create(organization=organization, name=name or f"Project {next(_numbers)}")


def make_user(
    name: str = "",
    *,
    organization: Organization | None = None,
    organization_role: str = OrganizationRole.MEMBER,
    project: Project | None = None,
    role: str = "",
    privileges: Iterable[Privilege] = (),
) -> User:
    """A person in `organization` (or that of `project`) with `role` in `project`.

    `privileges` are those of a custom role made for this person; give ProjectRole.CUSTOM as `role` with them.
    """
    name = name or f"Person {next(_numbers)}"
    user = User.objects.create_user(f"{name.lower().replace(' ', '-')}-{next(_numbers)}@example.com", name=name)
    if project is not None:
        organization = project.organization
    if organization is not None:
        OrganizationMember.objects.create(organization=organization, user=user, role=organization_role)
    if project is not None and role:
        custom_role = None
        if role == ProjectRole.CUSTOM:
            custom_role = CustomRole.objects.create(organization=project.organization, name=f"{name}'s role")
            CustomRolePrivilege.objects.bulk_create(
                CustomRolePrivilege(role=custom_role, privilege=privilege) for privilege in privileges
            )
        ProjectMember.objects.create(project=project, user=user, role=role, custom_role=custom_role)
    return user


@dataclass(frozen=True)
class People:
    """Everybody who may meet one project."""

    organization: Organization
    project: Project
    owner: User
    project_admin: User
    operator: User
    viewer: User
    backup_manager: User
    """By a custom role with `backup: manage` alone."""
    cluster_viewer: User
    """By a custom role with `cluster: view` alone."""
    billing_admin: User
    stranger: User
    """The owner of another organization, which has a project too."""


def make_people() -> People:
    project = make_project(name="Search")
    organization = project.organization
    elsewhere = make_project(make_organization("Elsewhere"), name="Search")
    return People(
        organization=organization,
        project=project,
        owner=make_user("Olga Owner", organization=organization, organization_role=OrganizationRole.OWNER),
        project_admin=make_user("Adam Admin", project=project, role=ProjectRole.ADMIN),
        operator=make_user("Otto Operator", project=project, role=ProjectRole.OPERATOR),
        viewer=make_user("Vera Viewer", project=project, role=ProjectRole.VIEWER),
        backup_manager=make_user(
            "Bea Backup", project=project, role=ProjectRole.CUSTOM, privileges=[Privilege.BACKUP_MANAGE]
        ),
        cluster_viewer=make_user(
            "Carl Cluster", project=project, role=ProjectRole.CUSTOM, privileges=[Privilege.CLUSTER_VIEW]
        ),
        billing_admin=make_user(
            "Bill Billing", organization=organization, organization_role=OrganizationRole.BILLING_ADMIN
        ),
        stranger=make_user(
            "Stan Stranger", organization=elsewhere.organization, organization_role=OrganizationRole.OWNER
        ),
    )


def make_cluster(
    project: Project | None = None, *, name: str = "", region: str = OREGON, plan: str = Plan.DEDICATED, **changes: Any
) -> Cluster:
    changes = {"endpoint": "http://127.0.0.1:1"} | changes
    return Cluster.objects.create(
        project=project or make_project(),
        name=name or f"cluster-{next(_numbers)}",
        region_id=region,
        plan=plan,
        **changes,
    )


def make_store(organization: Organization, region: str = OREGON, *, root: Path | None = None) -> Store:
    """The store of a region, its folder below `root`; without `root` the folder is named but does not exist."""
    folder = (root or settings.VAR_DIR / "absent") / region
    if root is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return Store.objects.create(organization=organization, region_id=region, url=f"file://{folder}")


def make_stores(organization: Organization, *regions: str, root: Path | None = None) -> dict[str, Store]:
    return {region: make_store(organization, region, root=root) for region in regions}


def store_in(organization: Organization, region: str) -> Store:
    """The store that is there, or a new one."""
    found = Store.objects.filter(organization=organization, region=region).first()
    return found or make_store(organization, region)


def make_backup(
    cluster: Cluster | None = None,
    *,
    state: str = BackupState.AVAILABLE,
    original_state: str = CopyState.AVAILABLE,
    copies: Mapping[str, str] | None = None,
    collections: Iterable[str] = ("docs",),
    kept_days: int | None = None,
    **changes: Any,
) -> Backup:
    """A backup with its original and, by region, copies in the states named in `copies`.

    `kept_days` makes it an automatic one.
    """
    cluster = cluster or make_cluster()
    number = cluster.backups.count() + 1
    changes = {"code": f"backup{number}_{next(_numbers):015x}", "name": f"{cluster.name}_backup{number}"} | changes
    backup = Backup.objects.create(
        project=cluster.project,
        cluster=cluster,
        number=number,
        origin=Origin.MANUAL if kept_days is None else Origin.AUTO,
        state=state,
        size_bytes=2_000_000_000 if state == BackupState.AVAILABLE else None,
        row_count=1_000 if state == BackupState.AVAILABLE else None,
        **changes,
    )
    BackupCollection.objects.bulk_create(
        BackupCollection(backup=backup, database="default", name=name, row_count=1_000, size_bytes=2_000_000_000)
        for name in collections
    )
    for region, copy_state in {cluster.region_id: original_state, **(copies or {})}.items():
        make_copy(backup, region, state=copy_state, kept_days=kept_days)
    return backup


def make_copy(
    backup: Backup | None = None, region: str = VIRGINIA, *, state: str = CopyState.AVAILABLE, **changes: Any
) -> Copy:
    """One copy in `region`; it is the original where that is the cluster's own region."""
    backup = backup or make_backup()
    now = timezone.now()
    is_original = region == backup.cluster.region_id
    values: dict[str, Any] = {
        "is_original": is_original,
        "origin": backup.origin,
        "size_bytes": 2_000_000_000 if state in _STORED else None,
        "sent_bytes": 2_000_000_000 if state in _STORED and not is_original else 0,
        "stored_at": now if state in _STORED else None,
        "verified_at": now if state in _PROVEN else None,
        "deleted_at": now if state == CopyState.DELETED else None,
    }
    store = store_in(backup.project.organization, region)
    return Copy.objects.create(backup=backup, region_id=region, store=store, state=state, **(values | changes))


def make_job(
    copy: Copy | None = None,
    *,
    type: str = JobType.COPY,
    state: str = JobState.PENDING,
    cluster: Cluster | None = None,
    **changes: Any,
) -> Job:
    """A job on `copy`. Without a copy: one that makes a planned copy (the original, for a backup) of a new backup.

    A held job has a lease that is good for a minute, a final one has its end.
    """
    if copy is None and type == JobType.BACKUP:
        waiting = make_backup(cluster, state=BackupState.CREATING, original_state=CopyState.PLANNED, collections=())
        copy = waiting.copies.get()
    elif copy is None:
        copy = make_copy(make_backup(cluster), state=CopyState.PLANNED)
    now = timezone.now()
    values: dict[str, Any] = {
        "origin": copy.origin,
        "cluster": cluster or copy.backup.cluster,
        "target_region": copy.region,
        "priority": PRIORITY[JobType(type)],
        "created_at": now,
    }
    values["family_at"] = changes["parent"].family_at if changes.get("parent") else changes.get("created_at", now)
    if state != JobState.PENDING:
        values |= {"started_at": now, "attempt": 1, "fence": 1, "worker": "worker-1"}
    if state in HELD:
        values |= {"lease": "a" * 32, "lease_until": now + timedelta(minutes=1)}
    if state in FINAL:
        values["finished_at"] = now
    return Job.objects.create(
        project=copy.backup.project, backup=copy.backup, copy=copy, type=type, state=state, **(values | changes)
    )


def make_schedule(
    cluster: Cluster | None = None, *, targets: Mapping[str, int] | None = None, is_enabled: bool = True, **changes: Any
) -> Schedule:
    """A schedule for every night, next due in an hour if it is enabled; copies go to `targets`, each for so many days.

    No backup is made of it: that is what the services do.
    """
    cluster = cluster or make_cluster()
    values: dict[str, Any] = {
        "name": f"schedule {next(_numbers)}",
        "days": "1234567",
        "window_start": time(1),
        "kept_days": 7,
        "next_due_at": timezone.now() + timedelta(hours=1) if is_enabled else None,
    }
    if "cron" in changes:
        values |= {"kind": "cron", "days": "", "window_start": None}
    schedule = Schedule.objects.create(
        project=cluster.project, cluster=cluster, is_enabled=is_enabled, **(values | changes)
    )
    ScheduleTarget.objects.bulk_create(
        ScheduleTarget(schedule=schedule, region_id=code, kept_days=kept_days)
        for code, kept_days in (targets or {}).items()
    )
    return schedule


def make_worker(*, name: str = "", regions: Sequence[str] = (), **changes: Any) -> Worker:
    """A living worker that messages wake, or the same one again with another `seen_at`."""
    now = timezone.now()
    values = {"host": "host", "pid": 1, "slots": 2, "is_woken": True, "started_at": now, "seen_at": now}
    values |= {"queues": queues_for(regions), "version": code_version()}
    worker, _ = Worker.objects.update_or_create(name=name or f"host:{next(_numbers)}", defaults=values | changes)
    return worker


def all_rows() -> dict[str, list[dict[str, Any]]]:
    """Every column of everything people work with; equal before and after what must change nothing."""
    models: list[Any] = [Cluster, Store, Backup, BackupCollection, Copy, Job, JobEvent]
    models += [Schedule, ScheduleTarget, ScheduledRun]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def region(code: str) -> Region:
    return Region.objects.get(code=code)


class HasContent(Protocol):
    @property
    def content(self) -> Any: ...


def text_of(response: HasContent) -> str:
    """The words on a page, without tags and line breaks."""
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(words))
