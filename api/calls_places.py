"""Clouds, regions, projects and clusters."""

from __future__ import annotations

from typing import Annotated, Any

from django.db.models import Count, Q
from ninja import Query

from accounts.access import projects_with
from accounts.guard import ANY_PROJECT, ONE_THING, find
from accounts.http import HtmxHttpRequest
from accounts.models import Project
from accounts.privileges import Need, Privilege
from accounts.querysets import ProjectQuerySet
from clusters import services as cluster_services
from clusters.models import Plan, Provider, Region, Store
from jobs import drops

from . import schemas
from .errors import ApiRefused, Code, refusing_with
from .finding import clusters_shown, find_cluster, find_project, find_region, missing_as
from .operation import OURS, Example, Operations
from .paging import PagingQuery, paged, projects_seen
from .present import cluster_out

CLUSTER_FIELDS = {"name": Code.CLUSTER_NAME_TAKEN, "cu_size": Code.BAD_CU_SIZE, "region": Code.BAD_REGION}
CODE_OF_CLOUD = {cloud.value: cloud for cloud in Provider}


def add_calls(calls: Operations) -> None:
    calls.add("GET", "/clouds", answers=list[schemas.Cloud], tag="Places")(list_clouds)
    calls.add(
        "GET", "/regions", answers=list[schemas.RegionOut], tag="Places", example=Example(query={"cloudId": "gcp"})
    )(list_regions)
    calls.add("GET", "/projects", answers=list[schemas.ProjectOut], tag="Places")(list_projects)
    calls.add(
        "GET",
        "/projects/{project_id}",
        answers=schemas.ProjectOut,
        tag="Places",
        needs=Privilege.CLUSTER_VIEW,
        of=ONE_THING,
        example=Example({"project_id": "$project"}),
    )(describe_project)
    calls.add("GET", "/clusters", answers=schemas.ClusterPage, tag="Clusters")(list_clusters)
    calls.add(
        "GET",
        "/clusters/{cluster_id}",
        answers=schemas.ClusterOut,
        tag="Clusters",
        needs=Privilege.CLUSTER_VIEW,
        of=ONE_THING,
        example=Example({"cluster_id": "$cluster"}),
    )(describe_cluster)
    calls.add(
        "POST",
        "/clusters/createDedicated",
        answers=schemas.ClusterCreated,
        tag="Clusters",
        needs=Privilege.CLUSTER_MANAGE,
        of=ANY_PROJECT,
        example=Example(
            body={"projectId": "$project", "clusterName": "docs-2", "regionId": "gcp-us-west1", "cuSize": 1}
        ),
    )(create_cluster)
    calls.add(
        "POST",
        "/backupsite/clusters",
        answers=schemas.ClusterRegistered,
        tag=OURS,
        needs=Privilege.CLUSTER_MANAGE,
        of=ANY_PROJECT,
        example=Example(
            body={
                "projectId": "$project",
                "clusterName": "docs-3",
                "regionId": "gcp-us-west1",
                "endpoint": "$endpoint",
                "token": "root:Milvus",
            }
        ),
    )(register_cluster)
    calls.add(
        "DELETE",
        "/clusters/{cluster_id}/drop",
        answers=schemas.ClusterDropped,
        tag="Clusters",
        needs=Need((Privilege.CLUSTER_MANAGE, Privilege.BACKUP_MANAGE)),
        of=ONE_THING,
        example=Example({"cluster_id": "$cluster"}, body={}),
    )(drop_cluster)


def list_clouds(request: HtmxHttpRequest) -> list[dict[str, Any]]:
    """The cloud providers that have regions here."""
    return [{"cloud_id": cloud.value, "description": cloud.label} for cloud in Provider]


def list_regions(
    request: HtmxHttpRequest, cloud_id: Annotated[str | None, Query(alias="cloudId", max_length=40)] = None
) -> list[dict[str, Any]]:
    """Every region, or those of one cloud. Whether copies can go there depends on the stores of your organization."""
    if cloud_id is not None and cloud_id not in CODE_OF_CLOUD:
        raise ApiRefused(Code.BAD_CLOUD, f"cloudId is one of {', '.join(CODE_OF_CLOUD)}.")
    regions = Region.objects.all()
    return [_region_out(region) for region in (regions.filter(provider=cloud_id) if cloud_id else regions)]


def _region_out(region: Region) -> dict[str, Any]:
    return {
        "cloud_id": region.provider,
        "region_id": region.code,
        "supported_cluster_types": ["Dedicated", "Serverless", "Free"],
        "location": region.location,
        "continent": region.continent,
    }


def _projects() -> ProjectQuerySet:
    listed = Q(clusters__dropped_at__isnull=True, clusters__isnull=False)
    return Project.objects.select_related("organization").annotate(cluster_count=Count("clusters", filter=listed))


def _project_out(project: Project, regions: dict[int, list[str]]) -> dict[str, Any]:
    return {
        "project_id": project.code,
        "project_name": project.name,
        "region_ids": regions.get(project.organization_id, []),
        "instance_count": project.cluster_count,  # type: ignore[attr-defined]
        "create_time": project.created_at,
    }


def _regions_with_stores(projects: list[Project]) -> dict[int, list[str]]:
    owners = {project.organization_id for project in projects}
    found: dict[int, list[str]] = {}
    rows = Store.objects.filter(organization__in=owners).order_by("region").values_list("organization", "region")
    for organization_id, region in rows:
        found.setdefault(organization_id, []).append(region)
    return found


def list_projects(request: HtmxHttpRequest) -> list[dict[str, Any]]:
    """The projects in which the key may look at clusters."""
    mine = projects_with(request.user, Privilege.CLUSTER_VIEW).values("pk")
    projects = list(_projects().filter(pk__in=mine).order_by("created_at", "pk"))
    regions = _regions_with_stores(projects)
    return [_project_out(project, regions) for project in projects]


def describe_project(request: HtmxHttpRequest, project_id: str) -> dict[str, Any]:
    """One project."""
    with missing_as(Code.BAD_PROJECT, "There is no such project."):
        project = find(_projects(), request, code=project_id)
    return _project_out(project, _regions_with_stores([project]))


def list_clusters(
    request: HtmxHttpRequest,
    paging: PagingQuery,
    project_id: Annotated[str | None, Query(alias="projectId", max_length=80)] = None,
) -> dict[str, Any]:
    """Clusters of every project in which the key may look at clusters, newest first."""
    clusters, projects = clusters_shown(), projects_seen(request.user, Privilege.CLUSTER_VIEW)
    if project_id is not None:
        clusters = clusters.filter(project__code=project_id)
    return paged(clusters, paging, "clusters", cluster_out, projects=projects)


def describe_cluster(request: HtmxHttpRequest, cluster_id: str) -> dict[str, Any]:
    """One cluster."""
    return cluster_out(find_cluster(request, cluster_id))


def create_cluster(request: HtmxHttpRequest, body: schemas.CreateCluster) -> dict[str, Any]:
    """Make a new, empty Milvus Lite database, where this installation keeps such.

    Elsewhere register a cluster that is there already: `POST /v2/backupsite/clusters`.
    """
    project, region = find_project(request, body.project_id, Privilege.CLUSTER_MANAGE), find_region(body.region_id)
    with refusing_with(Code.BAD_REQUEST, CLUSTER_FIELDS):
        cluster = cluster_services.add_embedded_cluster(
            user=request.user, project=project, name=body.cluster_name, region=region, cu_size=body.cu_size
        )
    prompt = "A Milvus Lite database is being started. It keeps no users, so there is no password."
    return {"cluster_id": cluster.code, "username": None, "password": None, "prompt": prompt}


def register_cluster(request: HtmxHttpRequest, body: schemas.RegisterCluster) -> dict[str, Any]:
    """Add a cluster that exists already; it must answer at its endpoint."""
    project, region = find_project(request, body.project_id, Privilege.CLUSTER_MANAGE), find_region(body.region_id)
    with refusing_with(Code.BAD_REQUEST, CLUSTER_FIELDS):
        cluster = cluster_services.register_cluster(
            user=request.user,
            project=project,
            name=body.cluster_name,
            plan=Plan(body.plan.lower()),
            region=region,
            cu_size=body.cu_size,
            endpoint=body.endpoint,
            token=body.token,
        )
    return {"cluster_id": cluster.code, "prompt": f"{cluster.name} answered and is registered."}


def drop_cluster(request: HtmxHttpRequest, cluster_id: str) -> dict[str, Any]:
    """Remove a cluster from this site with its automatic backups (R12). Nothing is done to the cluster itself."""
    cluster = find_cluster(request, cluster_id)
    with refusing_with(Code.BAD_CLUSTER):
        drops.drop_cluster(user=request.user, cluster=cluster)
    return {"cluster_id": cluster.code, "prompt": "The cluster is no longer looked after; manual backups are kept."}
