"""Writes the demo: passwords first, then all rows at once, then the clusters' data, and last that it is complete."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import time
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from django.conf import settings
from django.db import transaction

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
from clusters.models import Cluster, Region
from clusters.services import register_cluster, set_store
from dataplane.milvus import DEFAULT_DATABASE, DEFAULT_PARTITION, ClusterEndpoint, CollectionRef
from dataplane.milvus import Cluster as MilvusCluster
from dataplane.milvus_lite import MilvusLiteServer
from jobs.schedule_services import ScheduleRequest, create_schedule
from jobs.schedule_states import ScheduleKind

from .contents import CLUSTERS, ClusterContents, DemoCollection
from .notes import DemoCluster, DemoNotes, loading_path, notes_path, read_notes, write_notes

ROWS_PER_INSERT = 1_000


def load_demo(*, url: str = "") -> bool:
    """Load the demo into an empty database, or finish a load that was interrupted; False if there is nothing to do.

    `url` is where the site will be served, for demo.json.

    No page may be served and no keeper may run meanwhile: an unfinished collection is dropped and loaded again.
    """
    loading, complete = loading_path(settings.VAR_DIR), notes_path(settings.VAR_DIR)
    notes = read_notes(loading)
    if not (User.objects.exists() or Organization.objects.exists()):
        # Passwords first: the database keeps hashes only, so rows without this file would lock everybody out.
        notes = DemoNotes.with_new_passwords()
        write_notes(loading, notes)
        _create_rows(notes)
    if notes is None:
        return False
    _fill_clusters()
    rows = Cluster.objects.order_by("pk")
    clusters = [DemoCluster(id=row.code, name=row.name, plan=row.plan, region=row.region_id) for row in rows]
    write_notes(complete, replace(notes, url=url, clusters=tuple(clusters)))
    loading.unlink()
    return True


@transaction.atomic
def _create_rows(notes: DemoNotes) -> None:
    organization = Organization.objects.create(name="Acme")
    project = Project.objects.create(organization=organization, name="Search")
    people = {user.role: User.objects.create_user(user.email, user.password) for user in notes.users}
    for role, person in people.items():
        OrganizationMember.objects.create(
            organization=organization,
            user=person,
            role=OrganizationRole.OWNER if role == "owner" else OrganizationRole.MEMBER,
        )
    operator = CustomRole.objects.create(organization=organization, name="Backup operator")
    for privilege in (Privilege.BACKUP_MANAGE, Privilege.CLUSTER_VIEW):
        CustomRolePrivilege.objects.create(role=operator, privilege=privilege)
    ProjectMember.objects.create(project=project, user=people["project admin"], role=ProjectRole.ADMIN)
    ProjectMember.objects.create(project=project, user=people["viewer"], role=ProjectRole.VIEWER)
    ProjectMember.objects.create(
        project=project, user=people["backup operator"], role=ProjectRole.CUSTOM, custom_role=operator
    )
    regions = Region.objects.in_bulk()
    for contents in CLUSTERS:
        register_cluster(
            user=people["owner"],
            project=project,
            name=contents.name,
            plan=contents.plan,
            region=regions[contents.region],
            cu_size=contents.cu_size,
            is_embedded=True,
        )
    for region in regions.values():
        folder = Path(settings.VAR_DIR) / "stores" / region.code
        folder.mkdir(parents=True, exist_ok=True)
        set_store(user=people["owner"], organization=organization, region=region, url=folder.as_uri(), options=None)
    _create_schedule(project, people["project admin"])


def _create_schedule(project: Project, admin: User) -> None:
    """One to look at and to switch on. Switched on it would make a backup at once, beside which nobody can make theirs
    by hand, and that is what a visitor does first."""
    create_schedule(
        user=admin,
        cluster=Cluster.objects.get(project=project, name=CLUSTERS[0].name),
        request=ScheduleRequest(
            name="nightly",
            kind=ScheduleKind.BASIC,
            time_zone="America/Los_Angeles",
            days=frozenset(range(1, 8)),
            window_start=time(1),
            kept_days=7,
            kept_days_by_region={"gcp-europe-west3": 30},
        ),
        is_enabled=False,
    )


def _fill_clusters() -> None:
    data_dirs = {row.name: row.data_dir for row in Cluster.objects.filter(is_embedded=True)}
    servers = [MilvusLiteServer(data_dirs[contents.name]) for contents in CLUSTERS]
    # The pool outlives the servers, which would die with the threads that started them.
    with ThreadPoolExecutor(max_workers=len(servers)) as pool:
        try:
            # All before the first client: a fork while gRPC runs in this process can hang the child.
            list(pool.map(MilvusLiteServer.start, servers))
            list(pool.map(_fill, CLUSTERS, servers))
        finally:
            list(pool.map(MilvusLiteServer.stop, servers))


def _fill(contents: ClusterContents, server: MilvusLiteServer) -> None:
    with MilvusCluster(ClusterEndpoint(uri=server.uri)) as cluster:
        for collection in contents.collections:
            _load_collection(cluster, collection)


def _load_collection(cluster: MilvusCluster, collection: DemoCollection) -> None:
    ref = CollectionRef(DEFAULT_DATABASE, collection.name)
    cluster.drop(ref)
    cluster.create(ref, collection.schema, shards=1, consistency_level="", properties={})
    for partition in collection.partitions:
        cluster.create_partition(ref, partition)
    by_partition = sorted(collection.rows(), key=itemgetter(0))
    for partition, pairs in groupby(by_partition, key=itemgetter(0)):
        rows = [row for _, row in pairs]
        for start in range(0, len(rows), ROWS_PER_INSERT):
            cluster.insert(ref, rows[start : start + ROWS_PER_INSERT], partition=partition or DEFAULT_PARTITION)
    cluster.flush(ref)
    for index in collection.indexes:
        cluster.create_index(ref, index)
