"""Every change to clusters and stores, and every look at the real things behind them."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import require, require_in_organization
from accounts.encryption import Secret
from accounts.errors import EncryptionKeysUnusable
from accounts.models import Organization, Project, User
from accounts.privileges import Privilege
from dataplane.errors import DataPlaneError
from dataplane.stores.check import CheckStep, check_store

from .errors import ClusterRefused
from .models import Cluster, Plan, Region, Store
from .rules import RegionFacts, origin_of, why_not_copied


def region_facts(region: Region) -> RegionFacts:
    return RegionFacts(region.code, region.provider, region.get_provider_display(), region.continent)


def register_cluster(
    *,
    user: User,
    project: Project,
    name: str,
    plan: str,
    region: Region,
    cu_size: int,
    endpoint: str = "",
    token: str = "",
    is_embedded: bool = False,
) -> Cluster:
    """Add a cluster to `project`. A remote one must answer first, so that a typing error shows now and not tonight."""
    require(user, Privilege.CLUSTER_MANAGE, project)
    secret = _secret(token, field="token")
    cluster = Cluster(
        project=project,
        name=name,
        plan=plan,
        region=region,
        cu_size=cu_size,
        endpoint=endpoint,
        token=secret,
        is_embedded=is_embedded,
    )
    if not is_embedded:
        _require_connection(cluster)
    _save_cluster(cluster)
    return cluster


def update_cluster(
    *, user: User, cluster: Cluster, name: str, plan: str, cu_size: int, endpoint: str, token: str | None
) -> None:
    """Change what is known of a cluster; its region never changes, because its originals lie there.

    `token=None` keeps the stored one, as long as the address stays: whoever may type an address must not get a token
    sent there that somebody else typed. The empty token removes it.
    """
    require(user, Privilege.CLUSTER_MANAGE, cluster.project)
    cluster.name, cluster.plan, cluster.cu_size = name, plan, cu_size
    if not cluster.is_embedded and (endpoint != cluster.endpoint or token is not None):
        if token is not None:
            cluster.token = _secret(token, field="token")
        elif cluster.token and origin_of(endpoint) != origin_of(cluster.endpoint):
            raise ClusterRefused(
                "Type the token again: it is not sent to a new address by itself.",
                field="token",
            )
        cluster.endpoint = endpoint
        _require_connection(cluster)
    _save_cluster(cluster)


def _secret(text: str, *, field: str) -> Secret:
    try:
        return Secret.of(text)
    except EncryptionKeysUnusable as trouble:
        raise ClusterRefused(
            f"{trouble} Whoever runs this site must set it first; see README.", field=field
        ) from trouble


def _require_connection(cluster: Cluster) -> None:
    from . import live

    try:
        live.check_connection(cluster)
    except DataPlaneError as failure:
        raise ClusterRefused(str(failure), field="endpoint") from failure


def _save_cluster(cluster: Cluster) -> None:
    try:
        with transaction.atomic():
            cluster.save()
    except IntegrityError as clash:
        raise ClusterRefused(f"This project already has a cluster called {cluster.name}.", field="name") from clash


def store_for(organization_id: int, region_code: str) -> Store:
    """Where backups of `organization` go in a region; ClusterRefused when nobody has set a store up there."""
    store = Store.objects.of_organization(organization_id).filter(region=region_code).first()
    if store is None:
        raise ClusterRefused(
            f"No store is set up for {region_code}. An organization owner can add one under Settings > Regions.",
            field="regions",
        )
    return store


def stores_for(organization_id: int, region_codes: Sequence[str]) -> dict[str, Store]:
    return {code: store_for(organization_id, code) for code in region_codes}


def set_store(*, user: User, organization: Organization, region: Region, url: str, options: str | None) -> Store:
    """Say where backups go in `region`; `options=None` keeps the stored credentials.

    A store that already holds copies keeps its URL: moving it would turn every copy there into a claim nobody checked.
    """
    require_in_organization(user, Privilege.CLUSTER_MANAGE, organization)
    store = Store.objects.filter(organization=organization, region=region).first()
    if store is None:
        store = Store(organization=organization, region=region)
    elif store.url != url and store.copies.exclude(state="deleted").exists():
        raise ClusterRefused(
            f"{region.code} already holds copies at {store.url}, so its address cannot change. "
            "Move the files yourself and delete the copies here first, or keep the address.",
            field="url",
        )
    store.url = url
    if options is not None:
        store.options = options
    steps = try_store(store)
    failed = next((step for step in steps if not step.ok), None)
    if failed:
        raise ClusterRefused(f"{failed.what} failed: {failed.detail}", field="url")
    store.save()
    return store


def try_store(store: Store) -> list[CheckStep]:
    """Write, read back, list and delete a small object; returns the steps tried, the last of which may have failed."""
    try:
        steps = check_store(store.open())
    except DataPlaneError as failure:
        steps = [CheckStep(what="Open the store", ok=False, detail=str(failure))]
    store.checked_at = timezone.now()
    store.check_failure = next((f"{step.what}: {step.detail}" for step in steps if not step.ok), "")[:1000]
    if store.pk:
        Store.objects.filter(pk=store.pk).update(checked_at=store.checked_at, check_failure=store.check_failure)
    return steps


def copy_refusal(cluster: Cluster) -> str | None:
    """Why this cluster's backups cannot be copied to other regions, or None if they can."""
    return why_not_copied(cluster.plan, cluster.region.provider)


def can_add_embedded_clusters() -> bool:
    """Whether this installation keeps Milvus Lite databases of its own (the demo does)."""
    return bool(settings.EMBEDDED_CLUSTERS)


def add_embedded_cluster(*, user: User, project: Project, name: str, region: Region, cu_size: int) -> Cluster:
    """A new, empty Milvus Lite database; it answers once the keeper of embedded clusters has started it."""
    if not can_add_embedded_clusters():
        raise ClusterRefused("This installation keeps no clusters of its own. Register an empty cluster instead.")
    return register_cluster(
        user=user,
        project=project,
        name=name,
        plan=Plan.DEDICATED,
        region=region,
        cu_size=cu_size,
        is_embedded=True,
    )
