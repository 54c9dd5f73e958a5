"""Backups: made, listed, described, deleted; and what they can be restored to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from django.db.models import QuerySet
from ninja import Query

from accounts.guard import ONE_THING
from accounts.http import HtmxHttpRequest
from accounts.models import User
from accounts.privileges import Privilege
from backups.models import Backup, Copy
from backups.states import Origin, Scope
from clusters.models import Cluster, Plan, Region
from clusters.rules import why_not_backed_up
from jobs.errors import JobRefused
from jobs.models import Job
from jobs.restores import CollectionToRestore, RestoreRequest
from jobs.services import (
    request_backup,
    request_copies,
    request_deletion,
    request_restore,
    request_restore_to_new_cluster,
)

from . import schemas
from .errors import ApiRefused, Code, refusing_with
from .finding import find_backup, find_cluster, find_project, find_region, find_target_cluster
from .operation import OURS, Example, Operations
from .paging import PagingQuery, paged, projects_seen
from .present import LISTED, backup_detail, backup_out
from .repeats import find_repeated_backup, find_repeated_restore, one_at_a_time

BACKUP_FIELDS = {"regions": Code.BAD_REGION, "collections": Code.BACKUP_REFUSED, "kept_days": Code.BAD_RETENTION}
RESTORE_FIELDS = {"cu_size": Code.BAD_CU_SIZE, "name": Code.CLUSTER_NAME_TAKEN, "target": Code.BAD_CLUSTER}
ONE_BACKUP = {"cluster_id": "$cluster", "backup_id": "$backup"}


def add_calls(calls: Operations) -> None:
    calls.add(
        "POST",
        "/clusters/{cluster_id}/backups/create",
        answers=schemas.BackupCreated,
        tag="Backups",
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example(
            {"cluster_id": "$cluster"},
            body={"backupType": "CLUSTER", "crossRegionCopies": [{"regionId": "gcp-us-east4"}]},
        ),
    )(create_backup)
    calls.add(
        "GET",
        "/backups",
        answers=schemas.BackupPage,
        tag="Backups",
        example=Example(query={"clusterId": "$cluster", "creationMethod": "MANUAL"}),
    )(list_backups)
    calls.add(
        "GET",
        "/clusters/{cluster_id}/backups/{backup_id}",
        answers=schemas.BackupDetail,
        tag="Backups",
        needs=Privilege.BACKUP_VIEW,
        of=ONE_THING,
        example=Example(ONE_BACKUP),
    )(describe_backup)
    calls.add(
        "DELETE",
        "/clusters/{cluster_id}/backups/{backup_id}",
        answers=schemas.BackupDeleted,
        tag="Backups",
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example(ONE_BACKUP, body={}),
    )(delete_backup)
    calls.add(
        "POST",
        "/backupsite/clusters/{cluster_id}/backups/{backup_id}/copies",
        answers=schemas.JobsStarted,
        tag=OURS,
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example(ONE_BACKUP, body={"copies": [{"regionId": "gcp-europe-west3"}]}),
    )(copy_backup)
    calls.add(
        "POST",
        "/clusters/{cluster_id}/backups/{backup_id}/restoreCluster",
        answers=schemas.ClusterRestored,
        tag="Restores",
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example(
            ONE_BACKUP,
            body={"projectId": "$project", "clusterName": "restored", "cuSize": 1, "collectionStatus": "KEEP"},
        ),
    )(restore_cluster)
    calls.add(
        "POST",
        "/clusters/{cluster_id}/backups/{backup_id}/restoreCollection",
        answers=schemas.JobStarted,
        tag="Restores",
        needs=Privilege.BACKUP_MANAGE,
        of=ONE_THING,
        example=Example(
            ONE_BACKUP,
            body={
                "destClusterId": "$cluster",
                "dbCollections": [
                    {
                        "dbName": "default",
                        "destDbName": "default",
                        "collections": [
                            {
                                "collectionName": "articles",
                                "destCollectionName": "articles_restored",
                                "destCollectionStatus": "LOADED",
                            }
                        ],
                    }
                ],
            },
        ),
    )(restore_collection)


def copy_backup(request: HtmxHttpRequest, cluster_id: str, backup_id: str, body: schemas.CopyBackup) -> dict[str, Any]:
    """Copy a backup that exists to more regions. Copies of an automatic backup say for how many days each is kept."""
    backup = find_backup(request, cluster_id, backup_id)
    regions = [find_region(copy.region_id) for copy in body.copies]
    kept = {copy.region_id: copy.retention_days for copy in body.copies if copy.retention_days is not None}
    with refusing_with(Code.BACKUP_REFUSED, BACKUP_FIELDS):
        jobs = request_copies(user=request.user, backup=backup, regions=regions, kept_days_by_region=kept)
    return {"job_ids": [job.code for job in jobs]}


def create_backup(request: HtmxHttpRequest, cluster_id: str, body: schemas.CreateBackup) -> dict[str, Any]:
    """Make a backup now, with copies to the regions that `crossRegionCopies` names; all are kept until deleted.

    Made again within two minutes by the same key, the same call answers with the same backup.
    """
    cluster = find_cluster(request, cluster_id)
    require_dedicated(cluster)
    collections = _collections(body)
    regions = [find_region(target.region_id) for target in body.cross_region_copies or ()]
    job = find_repeated_backup(user=request.user, cluster=cluster, collections=collections, regions=regions)
    if job is None:
        job = _request_backup(request.user, cluster, collections, regions)
    return {"backup_id": job.backup.code, "backup_name": job.backup.name, "job_id": job.code}


def _request_backup(
    user: User, cluster: Cluster, collections: list[tuple[str, str]] | None, regions: Sequence[Region]
) -> Job:
    with refusing_with(Code.BACKUP_REFUSED, BACKUP_FIELDS):
        try:
            return request_backup(user=user, cluster=cluster, collections=collections, regions=regions)
        except JobRefused:
            # A repeated call that overtook the first one's answer is refused as a second backup (R10).
            twin = find_repeated_backup(user=user, cluster=cluster, collections=collections, regions=regions)
            if twin is None:
                raise
            return twin


def require_dedicated(cluster: Cluster) -> None:
    if reason := why_not_backed_up(cluster.plan):
        raise ApiRefused(Code.NOT_FOR_FREE if cluster.plan == Plan.FREE else Code.NOT_FOR_SERVERLESS, reason)


def _collections(body: schemas.CreateBackup) -> list[tuple[str, str]] | None:
    if body.backup_type == schemas.BackupType.CLUSTER:
        return None
    chosen = [(part.db_name, name) for part in body.db_collections or () for name in part.collection_names]
    if not chosen:
        raise ApiRefused(Code.BAD_BACKUP_TYPE, "A backup of collections names them in dbCollections.")
    return chosen


def list_backups(
    request: HtmxHttpRequest, paging: PagingQuery, filters: Annotated[schemas.BackupFilters, Query(...)]
) -> dict[str, Any]:
    """Backups that can be restored from or are being made, newest first."""
    backups = Backup.objects.filter(state__in=LISTED).for_list().select_related("project")
    projects = projects_seen(request.user, Privilege.BACKUP_VIEW)
    return paged(_filtered(backups, filters), paging, "backups", backup_out, projects=projects)


def _filtered(backups: QuerySet[Backup], filters: schemas.BackupFilters) -> QuerySet[Backup]:
    start, end = filters.start or filters.start_time, filters.end or filters.end_time
    for moment in (start, end):
        if moment is not None and moment.tzinfo is None:
            raise ApiRefused(Code.BAD_TIME, "A time needs its zone, such as 2026-11-23T08:00:00Z.")
    if start and end and start > end:
        raise ApiRefused(Code.BAD_RANGE, "start comes after end.")
    by_scope = {schemas.BackupType.CLUSTER: Scope.CLUSTER, schemas.BackupType.COLLECTION: Scope.COLLECTION}
    by_method = {schemas.CreationMethod.AUTO: Origin.AUTO, schemas.CreationMethod.MANUAL: Origin.MANUAL}
    asked = {
        "project__code": filters.project_id,
        "cluster__code": filters.cluster_id,
        "scope": by_scope[filters.backup_type] if filters.backup_type else None,
        "origin": by_method[filters.creation_method] if filters.creation_method else None,
        "created_at__gte": start,
        "created_at__lte": end,
    }
    return backups.filter(**{name: value for name, value in asked.items() if value is not None})


def describe_backup(request: HtmxHttpRequest, cluster_id: str, backup_id: str) -> dict[str, Any]:
    """One backup with its collections and, ours, every region that holds a copy."""
    return backup_detail(find_backup(request, cluster_id, backup_id))


def delete_backup(request: HtmxHttpRequest, cluster_id: str, backup_id: str) -> dict[str, Any]:
    """Delete a backup with its copies in every region."""
    backup = find_backup(request, cluster_id, backup_id)
    with refusing_with(Code.BACKUP_REFUSED):
        request_deletion(user=request.user, backup=backup)
    return {"backup_id": backup.code, "backup_name": backup.name}


def _best_copy(backup: Backup) -> Copy:
    source = backup.copies.select_related("region", "backup__project").best_source()
    if source is None:
        raise ApiRefused(Code.CLUSTER_RESTORE_REFUSED, f"No copy of {backup.name} is available to restore from.")
    return source


def restore_cluster(
    request: HtmxHttpRequest, cluster_id: str, backup_id: str, body: schemas.RestoreCluster
) -> dict[str, Any]:
    """Restore everything into a new cluster, where this installation can make one.

    The new cluster is a Milvus Lite database, which keeps no users: there is no password to tell.
    """
    backup = find_backup(request, cluster_id, backup_id)
    project = find_project(request, body.project_id, Privilege.CLUSTER_MANAGE)
    copy, load = _best_copy(backup), body.collection_status in {"KEEP", "LOADED"}
    held = backup.collections.values_list("database", "name")
    meant = RestoreRequest.same_names(held, cu_size=body.cu_size, load=load).to_json() | {"makes_cluster": True}
    with refusing_with(Code.CLUSTER_RESTORE_REFUSED, RESTORE_FIELDS), one_at_a_time(copy):
        named = {"cluster__project": project, "cluster__name": body.cluster_name}
        job = find_repeated_restore(user=request.user, copy=copy, parameters=meant, **named)
        job = job or request_restore_to_new_cluster(
            user=request.user,
            copy=copy,
            project=project,
            name=body.cluster_name,
            cu_size=body.cu_size,
            load=load,
        )
    return {"cluster_id": job.cluster.code, "username": None, "password": None, "job_id": job.code}


def restore_collection(
    request: HtmxHttpRequest, cluster_id: str, backup_id: str, body: schemas.RestoreCollections
) -> dict[str, Any]:
    """Restore collections into an existing cluster; all of them, unloaded, where `dbCollections` is left out."""
    backup = find_backup(request, cluster_id, backup_id)
    target = find_target_cluster(request, body.dest_cluster_id)
    copy, meant = _best_copy(backup), _meant(backup, body, target)
    with refusing_with(Code.COLLECTION_RESTORE_REFUSED, RESTORE_FIELDS), one_at_a_time(copy):
        job = find_repeated_restore(user=request.user, copy=copy, parameters=meant.to_json(), cluster=target)
        job = job or request_restore(user=request.user, copy=copy, request=meant, target=target)
    return {"job_id": job.code}


def _meant(backup: Backup, body: schemas.RestoreCollections, target: Cluster) -> RestoreRequest:
    if not body.db_collections:
        held = backup.collections.values_list("database", "name")
        return RestoreRequest.same_names(held, cu_size=target.cu_size, load=False)
    rows, loads = [], set()
    for part in body.db_collections:
        database = schemas.database_of(part.db_name)
        if part.dest_db_name and schemas.database_of(part.dest_db_name) != database:
            raise ApiRefused(
                Code.COLLECTION_RESTORE_REFUSED,
                f"Collections are restored into the database they came from; {database} cannot become "
                f"{part.dest_db_name}.",
            )
        for one in part.collections or _all_of(backup, database):
            new_name = one.dest_collection_name or one.target_collection_name or one.collection_name
            rows.append(CollectionToRestore(database, one.collection_name, new_name))
            loads.add((one.dest_collection_status or one.target_collection_status) == "LOADED")
    if len(loads) > 1:
        raise ApiRefused(Code.BAD_TARGET_STATUS, "Collections of one call are all LOADED or all UNLOADED.")
    return RestoreRequest(tuple(rows), cu_size=target.cu_size, load=loads == {True})


def _all_of(backup: Backup, database: str) -> list[schemas.RestoredCollection]:
    names = backup.collections.filter(database=database).values_list("name", flat=True)
    return [schemas.RestoredCollection(collection_name=name) for name in names]
