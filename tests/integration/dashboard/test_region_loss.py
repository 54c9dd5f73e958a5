"""The region-loss page keeps its word: what it says can be restored is what the stores that are left really give."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from accounts.models import Project
from backups.models import Backup, Copy
from backups.states import CopyState, Scope
from clusters.models import Cluster
from dashboard.facts import read_clusters
from dashboard.region_loss import Fate, Verdict, lose_regions
from dataplane import layout
from dataplane.commit import commit, read_manifest
from dataplane.copy import CopyPlan, copy_backup
from dataplane.errors import DataPlaneError
from dataplane.manifest import Manifest
from dataplane.milvus import ClusterEndpoint
from dataplane.milvus_lite import MilvusLiteServer
from dataplane.restore import RestorePlan, restore_backup
from dataplane.verify import verify_backup
from tests.builders import FRANKFURT, OREGON, TOKYO, VIRGINIA, make_backup, make_cluster, make_project, make_store
from tests.integration.dataplane.conftest import back_up, emptied, make_texts, rows_of
from tests.unit.dataplane.builders import (
    CLUSTER,
    always_allowed,
    ignore,
    make_chunk,
    make_entry,
    make_manifest,
    never,
)
from tests.unit.jobs.world import folder

pytestmark = pytest.mark.django_db

REGIONS = (OREGON, VIRGINIA, FRANKFURT, TOKYO)
WHOLE = ("docs", "faq")


@contextmanager
def unreachable(root: Path, lost: Collection[str]) -> Iterator[None]:
    """While it lasts, the folders of these stores are not where they were."""
    for code in lost:
        (root / code).rename(root / f"{code} is gone")
    try:
        yield
    finally:
        for code in lost:
            (root / f"{code} is gone").rename(root / code)


def write_backup(root: Path, cluster: Cluster, backup: Backup, collections: Collection[str]) -> None:
    """Into the cluster's own region, as a backup of these collections. The first chunk is shared by all of them."""
    store, entries = folder(root, cluster.region_id), []
    for name in collections:
        contents = [f"{cluster.code} {name}".encode(), f"{backup.code} {name}".encode()]
        chunks = [make_chunk(content) for content in contents]
        for chunk, content in zip(chunks, contents, strict=True):
            store.write(layout.chunk_key(cluster.code, chunk.sha256), content)
        entries.append(make_entry(chunks, name=name))
    manifest = replace(make_manifest(*entries, backup_id=backup.code), cluster_id=cluster.code)
    commit(store, manifest, may_commit=always_allowed)


def write_copy(root: Path, cluster: str, backup: str, source: str, target: str) -> None:
    copy_backup(
        CopyPlan(cluster, backup, source, target, fence=1),
        source=folder(root, source),
        target=folder(root, target),
        on_progress=ignore,
        should_stop=never,
        may_commit=always_allowed,
    )


def is_sound(root: Path, region: str, cluster: str, backup: str) -> bool:
    """Every byte of it can be read from that store now: a restore would end well."""
    store = folder(root, region)
    try:
        report = verify_backup(cluster_id=cluster, backup_id=backup, store=store, on_progress=ignore, should_stop=never)
    except DataPlaneError:
        return False
    return report.is_sound


def make_layout(random: Random, root: Path, project: Project) -> None:
    """Clusters here and there, backups of the whole and of parts, copies to some regions, and damage in some of them.

    The catalogue learns of it as it does in production: a copy is usable where all of it was read back.
    """
    for _ in range(3):
        cluster = make_cluster(project, region=random.choice(REGIONS))
        for _ in range(random.randint(0, 2)):
            is_whole = random.random() < 0.7
            others = [code for code in REGIONS if code != cluster.region_id and random.random() < 0.4]
            backup = make_backup(
                cluster,
                scope=Scope.CLUSTER if is_whole else Scope.COLLECTION,
                copies=dict.fromkeys(others, CopyState.AVAILABLE),
            )
            write_backup(root, cluster, backup, WHOLE if is_whole else WHOLE[:1])
            for code in others:
                write_copy(root, cluster.code, backup.code, cluster.region_id, code)
    for path in sorted(root.rglob("*.parquet")):
        if random.random() < 0.08:
            path.unlink()
    for copy in Copy.objects.filter(backup__project=project).select_related("backup__cluster"):
        if not is_sound(root, copy.region_id, copy.backup.cluster.code, copy.backup.code):
            Copy.objects.filter(pk=copy.pk).update(state=CopyState.DAMAGED)


def restorable(root: Path, cluster: Cluster) -> dict[str, dict[str, Manifest]]:
    """By backup and region, what can really be read back from the stores that are there; the catalogue is not asked."""
    found: dict[str, dict[str, Manifest]] = {}
    for path in root.glob(f"*/clusters/{cluster.code}/backups/*/manifest.json"):
        region, backup = path.relative_to(root).parts[0], path.parent.name
        if region in REGIONS and is_sound(root, region, cluster.code, backup):
            found.setdefault(backup, {})[region] = read_manifest(folder(root, region), cluster.code, backup)
    return found


def expect_truth(verdict: Verdict, cluster: Cluster, found: Mapping[str, Mapping[str, Manifest]]) -> None:
    whole = [code for code, places in found.items() if len(next(iter(places.values())).collections) == len(WHOLE)]
    # Their numbers grow as they are made.
    best = max(whole or found, key=lambda code: Backup.objects.get(code=code).number, default=None)
    if best is None:
        assert verdict.fate is Fate.LOST
        return
    assert verdict.fate is (Fate.RESTORABLE if whole else Fate.PART)
    assert verdict.backup == Backup.objects.get(code=best).pk
    assert {verdict.region, *verdict.also_in} == set(found[best])
    assert verdict.copies_left == sum(len(places) for places in found.values())


@pytest.mark.parametrize("seed", range(20))
def test_what_is_said_to_be_left_is_what_the_stores_that_are_left_hold(seed, stores_root):
    random, project = Random(seed), make_project()
    for code in REGIONS:
        make_store(project.organization, code, root=stores_root)
    make_layout(random, stores_root, project)
    lost = set(random.sample(REGIONS, random.randint(1, 3)))
    with unreachable(stores_root, lost):
        for verdict in lose_regions(read_clusters([project.pk]), lost):
            cluster = Cluster.objects.get(pk=verdict.cluster.pk)
            found = restorable(stores_root, cluster)
            if cluster.region_id in lost:
                expect_truth(verdict, cluster, found)
            else:
                # It runs on: what is left of its copies is all that is said.
                assert verdict.copies_left == sum(len(places) for places in found.values())
                assert (verdict.fate is Fate.BARE) == (verdict.copies_lost > 0 and not found)


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[tuple[ClusterEndpoint, Any]]:
    with MilvusLiteServer(tmp_path / "milvus") as server:
        endpoint = ClusterEndpoint(server.uri, timeout_seconds=10)
        for client in emptied(endpoint):
            yield endpoint, client


def test_a_cluster_of_a_lost_region_comes_back_from_the_copy_that_is_named(lite, stores_root):
    endpoint, client = lite
    make_texts(client)
    before = rows_of(client, "texts")
    project = make_project()
    for code in REGIONS:
        make_store(project.organization, code, root=stores_root)
    cluster = make_cluster(project, code=CLUSTER)
    old = make_backup(cluster, copies=dict.fromkeys((VIRGINIA, FRANKFURT), CopyState.AVAILABLE))
    new = make_backup(cluster, copies={VIRGINIA: CopyState.AVAILABLE})
    for backup in (old, new):
        back_up(endpoint, folder(stores_root, OREGON), backup_id=backup.code)
        for copy in backup.copies.filter(is_original=False):
            write_copy(stores_root, CLUSTER, backup.code, OREGON, copy.region_id)
    client.drop_collection("texts")
    lost = {OREGON, VIRGINIA}
    with unreachable(stores_root, lost):
        [verdict] = lose_regions(read_clusters([project.pk]), lost)
        assert (verdict.fate, verdict.region, verdict.backup) == (Fate.RESTORABLE, FRANKFURT, old.pk)
        plan = RestorePlan(CLUSTER, old.code, None, cu_size=1, load=True, attempt_id="job-1")
        restore_backup(
            plan,
            store=folder(stores_root, str(verdict.region)),
            endpoint=endpoint,
            on_progress=ignore,
            should_stop=never,
        )
    assert rows_of(client, "texts") == before
