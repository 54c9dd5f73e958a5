"""Clusters, stores and backups whose bytes are real, and what people ask of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.privileges import ProjectRole
from backups.models import Backup, Copy
from backups.states import MAY_BE_CHECKED, MAY_BE_MADE_AGAIN, BackupState, CopyState, Origin
from clusters.models import Cluster
from dataplane import layout
from dataplane.commit import commit, read_manifest
from dataplane.stores.local import LocalStore
from jobs.check_services import Depth, request_repair, request_verification
from jobs.errors import JobRefused
from jobs.models import Job
from jobs.moves import create_job
from jobs.retention import request_expiries
from jobs.services import cancel_job, request_backup, request_deletion, retry_copy
from jobs.states import ACTIVE, JobType
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_project,
    make_stores,
    make_user,
    region,
)
from tests.unit.dataplane.builders import always_allowed, make_chunk, make_entry, make_manifest

REGIONS = (OREGON, VIRGINIA, FRANKFURT)
CLUSTER_COUNT = 2
MOST_BACKUPS = 6
"""Of one cluster; with more, removals are asked for."""
_SHARED, _OWN = 12, 8


Request = Callable[[], list[Job]]
"""Asks the site for something; gives the jobs that were promised, or raises Refused."""


class World:
    """Everything there is to lose, and what people may ask for."""

    def __init__(self, root: Path, *, endpoint: str = "") -> None:
        self.root = root
        self.rotten: set[Path] = set()
        """Chunks of available copies that this harness has damaged: a check has to find them."""
        project = make_project()
        make_stores(project.organization, *REGIONS, root=root)
        self.admin = make_user(project=project, role=ProjectRole.ADMIN)
        self.clusters = [make_cluster(project) for _ in range(CLUSTER_COUNT)]
        self.live = make_cluster(project, endpoint=endpoint) if endpoint else None
        self._everywhere = [*self.clusters, *filter(None, [self.live])]
        self._numbers = count(1)
        self.asks: dict[str, Callable[[Random], Request | None]] = {
            "copy": self.copying,
            "check": self.checking,
            "repair": self.repairing,
            "copy again": self.copying_again,
            "delete": self.deleting,
            "expire": self.expiring,
            "cancel": self.canceling,
        }
        if self.live:
            self.asks["backup"] = self.backing_up

    def store(self, code: str) -> LocalStore:
        return LocalStore(self.root / code)

    def manifest_path(self, copy: Copy) -> Path:
        return self.root / copy.region_id / layout.manifest_key(copy.backup.cluster.code, copy.backup.code)

    # What lies in the stores when a round begins

    def add_backup(self, random: Random) -> Backup:
        """An original with chunks of its own and chunks that others share. Only while nothing is removed."""
        cluster = random.choice(self.clusters)
        code = f"backup{next(self._numbers)}_torture"
        shared = Random(cluster.pk)
        pool = [shared.randbytes(shared.randint(2_000, 6_000)) for _ in range(2 * _SHARED)]
        contents = random.sample(pool, _SHARED) + [random.randbytes(random.randint(2_000, 6_000)) for _ in range(_OWN)]
        chunks = [make_chunk(content) for content in contents]
        store = self.store(OREGON)
        for chunk, content in zip(chunks, contents, strict=True):
            store.write(layout.chunk_key(cluster.code, chunk.sha256), content)
        manifest = replace(make_manifest(make_entry(chunks), backup_id=code), cluster_id=cluster.code)
        commit(store, manifest, may_commit=always_allowed)
        backup = make_backup(cluster, code=code, kept_days=random.choice([None, 1]))
        make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state="successful")
        return backup

    def leave_torn_chunk(self, random: Random) -> bool:
        """Something of the right name and size in a region that a backup is not copied to yet: a disk that lied."""
        places = [
            (backup, code)
            for backup in Backup.objects.filter(cluster__in=self.clusters, state=BackupState.AVAILABLE)
            for code in REGIONS
            if not backup.copies.filter(region=code).exists() and backup.copies.available().exists()
        ]
        for backup, code in random.sample(places, len(places)):
            source = backup.copies.available().select_related("backup__cluster").order_by("pk").first()
            if source is None:  # somebody has deleted it meanwhile
                continue
            for path in self._chunk_paths(source, random):
                torn = self.root / code / path.relative_to(self.root / source.region_id)
                if not torn.exists():
                    torn.parent.mkdir(parents=True, exist_ok=True)
                    torn.write_bytes(random.randbytes(path.stat().st_size))
                    return True
        return False

    def rot(self, random: Random) -> Copy | None:
        """Damage a chunk of an available copy without anybody noticing."""
        copy = self.any_of(Copy.objects.available().filter(backup__cluster__in=self.clusters), random)
        if copy is not None:
            path = next(self._chunk_paths(copy, random))
            path.write_bytes(random.randbytes(path.stat().st_size))
            self.rotten.add(path)
        return copy

    def is_rotten(self, path: Path) -> bool:
        """Whether the damage is still that of `rot`: not mended and not removed."""
        if path in self.rotten and path.exists():
            return hashlib.sha256(path.read_bytes()).hexdigest() != path.stem
        return False

    def _chunk_paths(self, copy: Copy, random: Random) -> Iterator[Path]:
        cluster = copy.backup.cluster.code
        chunks = read_manifest(self.store(copy.region_id), cluster, copy.backup.code).chunks
        for chunk in random.sample(chunks, len(chunks)):
            yield self.root / copy.region_id / layout.chunk_key(cluster, chunk.sha256)

    # What people ask for: each finds something to ask it for and gives the request, or None if there is nothing.

    def copying(self, random: Random) -> Request | None:
        backups = [
            backup
            for backup in Backup.objects.filter(cluster__in=self.clusters, state=BackupState.AVAILABLE)
            if backup.copies.count() < len(REGIONS) and backup.copies.available().exists()
        ]
        if not backups:
            return None
        backup = random.choice(backups)
        held = set(backup.copies.values_list("region", flat=True))
        codes = sorted(set(REGIONS) - held)[: random.randint(1, 2)]
        return lambda: self._plan_copies(backup, codes)

    @transaction.atomic
    def _plan_copies(self, backup: Backup, codes: Sequence[str]) -> list[Job]:
        """What the end of an original does, for a backup that was made by hand."""
        Cluster.objects.select_for_update().get(pk=backup.cluster_id)
        if backup.copies.filter(region__in=codes).exists() or not backup.copies.available().exists():
            raise JobRefused("Somebody else was faster.")
        original = backup.jobs.get(type=JobType.BACKUP)
        kept_days = 1 if backup.origin == Origin.AUTO else None
        copies = [make_copy(backup, code, state=CopyState.PLANNED, kept_days=kept_days) for code in codes]
        return [
            create_job(JobType.COPY, copy=copy, origin=backup.origin, created_by=self.admin, parent=original)
            for copy in copies
        ]

    def checking(self, random: Random) -> Request | None:
        copy = self.any_of(self.idle_copies().filter(state__in=MAY_BE_CHECKED), random)
        depth: Depth = random.choice(["full", "full", "quick"])
        return (lambda: [request_verification(user=self.admin, copy=copy, depth=depth)]) if copy else None

    def repairing(self, random: Random) -> Request | None:
        copy = self.any_of(self.idle_copies().filter(state=CopyState.DAMAGED), random)
        return (lambda: [request_repair(user=self.admin, copy=copy)]) if copy else None

    def copying_again(self, random: Random) -> Request | None:
        copy = self.any_of(self.idle_copies().filter(is_original=False, state__in=MAY_BE_MADE_AGAIN), random)
        return (lambda: [retry_copy(user=self.admin, copy=copy)]) if copy else None

    def deleting(self, random: Random) -> Request | None:
        backup = self.one_too_many(random)
        return (lambda: request_deletion(user=self.admin, backup=backup)) if backup else None

    def expiring(self, random: Random) -> Request | None:
        """A day passes for one automatic copy."""
        copy = self.any_of(self.idle_copies().filter(kept_days__isnull=False, stored_at__isnull=False), random)
        if copy is None:
            return None
        Copy.objects.filter(pk=copy.pk).update(stored_at=timezone.now() - timedelta(days=2))
        return lambda: request_expiries(timezone.now())

    def backing_up(self, random: Random) -> Request | None:
        live = self.live
        regions = [region(code) for code in random.sample([VIRGINIA, FRANKFURT], random.randint(0, 2))]
        return (lambda: [request_backup(user=self.admin, cluster=live, regions=regions)]) if live else None

    def canceling(self, random: Random) -> Request | None:
        job = self.any_active_job(random)
        return (lambda: self._cancel(job)) if job else None

    def _cancel(self, job: Job) -> list[Job]:
        cancel_job(user=self.admin, job=job)
        return []

    # What there is to choose from

    def one_too_many(self, random: Random) -> Backup | None:
        crowded = []
        for cluster in self._everywhere:
            existing = list(Backup.objects.existing().filter(cluster=cluster).order_by("pk"))
            crowded += existing if len(existing) >= MOST_BACKUPS else []
        return random.choice(crowded) if crowded else None

    def any_active_job(self, random: Random) -> Job | None:
        jobs = list(Job.objects.active().select_related("project", "copy__backup", "backup").order_by("pk"))
        return random.choice(jobs) if jobs else None

    def idle_copies(self) -> Any:
        busy = Job.objects.filter(state__in=ACTIVE).values("copy")
        return Copy.objects.filter(backup__cluster__in=self._everywhere).exclude(pk__in=busy)

    def any_of(self, copies: Any, random: Random) -> Copy | None:
        found = list(copies.select_related("backup__cluster", "region").order_by("pk"))
        return random.choice(found) if found else None
