"""A small real world for jobs: backups whose bytes lie in folders, and a worker that carries out the next job."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.utils import timezone

from backups.models import Backup
from backups.states import CopyState
from clusters.models import Cluster
from dataplane.backup import BackupPlan, BackupReport
from dataplane.manifest import Manifest
from dataplane.stores.base import ObjectStore
from dataplane.stores.local import LocalStore
from jobs.models import Job
from jobs.moves import claim_job
from jobs.states import JobType
from jobs.worker import run_job
from tests.builders import OREGON, make_backup, make_cluster, make_job, make_project, make_store
from tests.unit.dataplane.builders import CLUSTER, store_backup

CONTENTS = tuple(f"chunk {number} ".encode() * 50 for number in range(5))


def folder(root: Path, region: str) -> LocalStore:
    """The store of a region as a look from outside sees it."""
    return LocalStore(root / region)


def make_stored_cluster(root: Path, *, regions: Sequence[str] = (), **changes: Any) -> Cluster:
    """A cluster with the code that the data plane's builders use, and stores in its region and in `regions`."""
    cluster = make_cluster(changes.pop("project", None) or make_project(), code=CLUSTER, **changes)
    for region in {cluster.region_id, *regions}:
        make_store(cluster.project.organization, region, root=root)
    return cluster


def make_stored_backup(root: Path, *, copies: Sequence[str] = (), contents: Sequence[bytes] = CONTENTS) -> Backup:
    """An available backup whose original really lies in Oregon; a pending job for each planned copy to `copies`."""
    cluster = make_stored_cluster(root, regions=copies)
    backup = make_backup(cluster, copies=dict.fromkeys(copies, CopyState.PLANNED))
    store_backup(folder(root, OREGON), contents, backup_id=backup.code)
    original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state="successful")
    for copy in backup.copies.planned():
        make_job(copy, parent=original)
    return backup


def make_stored_backup_beside(other: Backup, root: Path) -> Backup:
    """Another available backup of the same cluster that shares every chunk with `other`."""
    backup = make_backup(other.cluster)
    store_backup(folder(root, OREGON), CONTENTS, backup_id=backup.code)
    make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state="successful")
    return backup


def run_next(stopping: threading.Event | None = None) -> Job:
    """What a worker does with the next job that may run now."""
    job = claim_job("worker-1")
    assert job is not None, "no job may run now"
    run_job(job, stopping or threading.Event())
    return Job.objects.get(pk=job.pk)


def make_due() -> None:
    """Let the waits between attempts pass."""
    Job.objects.filter(not_before__gt=timezone.now()).update(not_before=timezone.now())


def store_made_up_rows(plan: BackupPlan, *, store: ObjectStore, **_: object) -> BackupReport:
    """Stands for `take_backup` where no database runs: writes a real backup of made-up chunks."""
    manifest: Manifest = store_backup(store, CONTENTS, backup_id=plan.backup_id, fence=plan.fence)
    return BackupReport(manifest, manifest.size_bytes, manifest.row_count, manifest.size_bytes, 0)
