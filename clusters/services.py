"""Every change to clusters and stores, and every look at the real things behind them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.access import require, require_in_organization
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.encryption import Secret
from accounts.errors import EncryptionKeysUnusable
from accounts.models import Organization, Project, User
from accounts.privileges import Privilege, any_of
from dataplane.errors import DataPlaneError, StoreDenied
from dataplane.stores.check import CheckStep, check_store

from . import live
from .errors import ClusterRefused
from .models import Cluster, Plan, Region, Store
from .reach import folder_of
from .rules import RegionFacts, check_cu_size, check_endpoint, check_name, origin_of, why_not_copied
from .store_options import moved_options

if TYPE_CHECKING:
    from dataplane.milvus import CollectionRef

log = logging.getLogger(__name__)


def region_facts(region: Region) -> RegionFacts:
    return RegionFacts(region.code, region.provider, region.get_provider_display(), region.continent)


@refusals_as(Action.CLUSTER_ADDED, of="project")
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
    check_name(name)
    check_cu_size(cu_size)
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
    with transaction.atomic():
        _save_cluster(cluster)
        record(Action.CLUSTER_ADDED, user=user, target=cluster, details={"region": region.code, "plan": plan})
    return cluster


@refusals_as(Action.CLUSTER_CHANGED, of="cluster")
def update_cluster(
    *, user: User, cluster: Cluster, name: str, plan: str, cu_size: int, endpoint: str, token: str | None
) -> None:
    """Change what is known of a cluster; its region never changes, because its originals lie there.

    `token=None` keeps the stored one, as long as the address stays: whoever may type an address must not get a token
    sent there that somebody else typed. The empty token removes it.
    """
    require(user, Privilege.CLUSTER_MANAGE, cluster.project)
    check_name(name)
    check_cu_size(cu_size)
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
    with transaction.atomic():
        changed = _changed(cluster)
        _save_cluster(cluster)
        record(Action.CLUSTER_CHANGED, user=user, target=cluster, details={"changed": changed})


def _changed(cluster: Cluster) -> list[str]:
    """The names of what differs from the row as it is stored."""
    stored = Cluster.objects.get(pk=cluster.pk)
    names = ("name", "plan", "cu_size", "endpoint", "token")
    return [name for name in names if getattr(stored, name) != getattr(cluster, name)]


def _secret(text: str, *, field: str) -> Secret:
    try:
        return Secret.of(text)
    except EncryptionKeysUnusable as trouble:
        raise ClusterRefused(
            f"{trouble} Whoever runs this site must set it first; see README.", field=field
        ) from trouble


def _require_connection(cluster: Cluster) -> None:
    check_endpoint(cluster.endpoint)
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


def mark_dropped(cluster: Cluster) -> None:
    """The cluster is not ours to look after any more: nobody connects to it again, so its token is forgotten.

    Nothing is deleted in the cluster itself. What becomes of its backups is said by `jobs.drops.drop_cluster`.
    """
    cluster.dropped_at, cluster.token = timezone.now(), Secret.of("")
    cluster.save(update_fields=["dropped_at", "token"])


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


@refusals_as(Action.STORE_SAVED, of="organization")
def set_store(*, user: User, organization: Organization, region: Region, url: str, options: str | None) -> Store:
    """Say where backups go in `region`; `options=None` keeps the stored ones.

    Saved only after a test object was written, read back and deleted there. A store that already holds copies keeps its
    place: moving it would turn every copy there into a claim nobody checked.
    """
    require_in_organization(user, Privilege.CLUSTER_MANAGE, organization)
    rows = Store.objects.filter(organization=organization, region=region)
    before = rows.first()
    wanted = Store(organization=organization, region=region, url=url)
    if options is not None:
        wanted.options = _secret(options, field="options")
    elif before:
        wanted.options = before.options
    _require_same_place(before, wanted)
    _require_own_folder(wanted)
    failed = next((step for step in try_store(wanted) if not step.ok), None)
    if failed:
        raise ClusterRefused(f"{failed.what} failed: {failed.detail}", field="url")
    with transaction.atomic():
        # The test may have taken seconds: copies may have arrived, or somebody may have saved something else.
        now = rows.select_for_update().first()
        _require_same_place(now, wanted)
        if _address_of(now) != _address_of(before):
            raise ClusterRefused("Somebody changed this store meanwhile. Look at it again before you save.")
        wanted.pk, wanted.checked_at = now.pk if now else None, timezone.now()
        wanted.save()
        moved = [name for name, old in _parts_of(now).items() if old != getattr(wanted, name)]
        record(Action.STORE_SAVED, user=user, target=wanted, details={"changed": moved})
    return wanted


def _parts_of(store: Store | None) -> dict[str, object]:
    return {"url": store.url if store else None, "options": store.options if store else None}


def _require_own_folder(wanted: Store) -> None:
    """ClusterRefused if it is a folder in, around or equal to that of another organization's store.

    Buckets have credentials that keep strangers apart; folders have none.
    """
    others = Store.objects.exclude(organization=wanted.organization_id).filter(url__startswith="file:")
    folder = folder_of(wanted.url)
    if folder and any(_overlap(folder, folder_of(store.url)) for store in others.only("url")):
        raise ClusterRefused("This folder cannot be used. Choose one that is for your organization alone.", field="url")


def _overlap(one: Path, other: Path | None) -> bool:
    return other is not None and (one.is_relative_to(other) or other.is_relative_to(one))


def _address_of(store: Store | None) -> tuple[str, Secret] | None:
    return (store.url, store.options) if store else None


def _require_same_place(stored: Store | None, wanted: Store) -> None:
    """ClusterRefused if `wanted` would move a store that holds copies."""
    if stored is None or not stored.copies.exclude(state="deleted").exists():
        return
    moved = ["address"] if wanted.url != stored.url else []
    try:
        moved += moved_options(stored.read_options(), wanted.read_options())
    except StoreDenied:
        log.warning("Nobody can say any more where the old options of %s led; new ones are taken", stored)
    if moved:
        raise ClusterRefused(
            f"{stored.region_id} already holds copies at {stored.url}, so its place cannot change "
            f"({', '.join(moved)}). Move the files yourself and delete the copies here first, or keep the place.",
            field="url" if "address" in moved else "options",
        )


def try_store(store: Store) -> list[CheckStep]:
    """Write, read back, list and delete a small object; returns the steps tried, the last of which may have failed."""
    try:
        return check_store(store.open())
    except DataPlaneError as failure:
        return [CheckStep(what="Open the store", ok=False, detail=str(failure))]


@refusals_as(Action.STORE_TESTED, of="store")
def check_stored(*, user: User, store: Store) -> list[CheckStep]:
    """`try_store`, with the outcome written down for the list of stores."""
    require_in_organization(user, Privilege.CLUSTER_MANAGE, store.organization)
    steps = try_store(store)
    store.checked_at = timezone.now()
    store.check_failure = next((f"{step.what}: {step.detail}" for step in steps if not step.ok), "")[:1000]
    # Only while it is the store that was tried: somebody may have saved another address meanwhile.
    tried = Store.objects.filter(pk=store.pk, url=store.url, options=store.options)
    with transaction.atomic():
        tried.update(checked_at=store.checked_at, check_failure=store.check_failure)
        record(Action.STORE_TESTED, user=user, target=store, details={"failed": bool(store.check_failure)})
    return steps


@refusals_as(Action.COLLECTION_LOADED, of="cluster")
def load_collection(*, user: User, cluster: Cluster, collection: CollectionRef) -> None:
    """Have a collection searchable, which takes memory of the cluster; raises what `live.load_collection` does."""
    require(user, any_of(Privilege.CLUSTER_MANAGE, Privilege.BACKUP_MANAGE), cluster.project)
    live.load_collection(cluster, collection)
    record(Action.COLLECTION_LOADED, user=user, target=cluster, details={"collection": _name_of(collection)})


@refusals_as(Action.COLLECTION_DELETED, of="cluster")
def delete_collection(*, user: User, cluster: Cluster, collection: CollectionRef) -> None:
    """Delete a collection in the live cluster; raises what `live.drop_collection` does."""
    require(user, Privilege.CLUSTER_MANAGE, cluster.project)
    live.drop_collection(cluster, collection)
    record(Action.COLLECTION_DELETED, user=user, target=cluster, details={"collection": _name_of(collection)})


def _name_of(collection: CollectionRef) -> str:
    return f"{collection.database}.{collection.name}"


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
