"""Every change to the catalogue. Nobody else assigns the state of a backup or a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.access import require
from accounts.audit import record, refusals_as
from accounts.audit_actions import Action
from accounts.models import User
from accounts.privileges import Privilege
from clusters.models import Cluster, Region
from clusters.rules import check_copy_targets, why_not_backed_up
from clusters.services import region_facts, stores_for

from .codes import backup_code
from .errors import BackupRefused, StaleBackup
from .models import Backup, BackupCollection, Copy
from .states import (
    BACKUP_MOVES,
    COPY_MOVES,
    HOLDS_NOTHING,
    MAY_BE_CHECKED,
    BackupState,
    CopyState,
    Origin,
    Scope,
    is_allowed,
)

if TYPE_CHECKING:
    from dataplane.manifest import Manifest

MAX_NAME_LENGTH = 200


def move_backup(backup: Backup, to: BackupState, **changes: Any) -> None:
    """Move `backup` on, or raise StaleBackup if somebody else moved it first."""
    before = backup.state
    if not is_allowed(BACKUP_MOVES, before, to):
        raise StaleBackup(f"{backup.code}: {before} -> {to}")
    if Backup.objects.filter(pk=backup.pk, state=before).update(state=to, **changes) != 1:
        raise StaleBackup(backup.code)
    backup.refresh_from_db()


def move_copy(copy: Copy, to: CopyState, **changes: Any) -> None:
    """Move `copy` on, or raise StaleBackup if somebody else moved it first."""
    before = copy.state
    if not is_allowed(COPY_MOVES, before, to):
        raise StaleBackup(f"{copy}: {before} -> {to}")
    if Copy.objects.filter(pk=copy.pk, state=before).update(state=to, **changes) != 1:
        raise StaleBackup(str(copy))
    copy.refresh_from_db()


@transaction.atomic
def plan_backup(
    *,
    cluster: Cluster,
    origin: Origin,
    collections: Sequence[tuple[str, str]] | None,
    regions: Sequence[Region],
    created_by: User | None,
    kept_days: int | None = None,
    kept_days_by_region: Mapping[str, int] | None = None,
) -> Backup:
    """Write down a backup with its original and planned copies; nothing is read or moved yet.

    `collections` are (database, name) pairs, None for the whole cluster. Refuses what R1, R2, R3, R8 and R9 forbid,
    a collection or region named twice, and regions without a store.
    """
    if reason := why_not_backed_up(cluster.plan):
        raise BackupRefused(reason)
    check_copy_targets(cluster.plan, region_facts(cluster.region), [region_facts(region) for region in regions])
    check_collections(collections)
    kept_by_region = dict(kept_days_by_region or {})
    _check_retention(origin, kept_days, kept_by_region, regions)
    codes = [cluster.region_id, *(region.code for region in regions)]
    stores = stores_for(cluster.project.organization_id, codes)

    # The row lock makes two plans for one cluster count one after the other.
    Cluster.objects.select_for_update(no_key=True).get(pk=cluster.pk)
    number = (Backup.objects.filter(cluster=cluster).aggregate(last=Max("number"))["last"] or 0) + 1
    scope = Scope.CLUSTER if collections is None else Scope.COLLECTION
    subject = cluster.name if collections is None or len(collections) > 1 else collections[0][1]
    backup = Backup.objects.create(
        code=backup_code(number),
        project=cluster.project,
        cluster=cluster,
        number=number,
        name=f"{subject[: MAX_NAME_LENGTH - 20]}_backup{number}",
        origin=origin,
        scope=scope,
        created_by=created_by,
    )
    BackupCollection.objects.bulk_create(
        BackupCollection(backup=backup, database=database, name=name) for database, name in collections or ()
    )
    Copy.objects.bulk_create(
        Copy(
            backup=backup,
            region_id=code,
            store=stores[code],
            is_original=code == cluster.region_id,
            origin=origin,
            kept_days=kept_days if code == cluster.region_id else kept_by_region.get(code),
        )
        for code in codes
    )
    return backup


@transaction.atomic
def plan_more_copies(backup: Backup, regions: Sequence[Region], kept_days_by_region: Mapping[str, int]) -> list[Copy]:
    """Write down copies of a backup that exists, to `regions` that hold none of it yet; nothing is moved.

    Refuses what R2, R3, R8 and R9 forbid, a region without a store or with a copy, and a backup of which nothing is
    left to copy from.
    """
    cluster = backup.cluster
    if not regions:
        raise BackupRefused("Choose at least one region.", field="regions")
    check_copy_targets(cluster.plan, region_facts(cluster.region), [region_facts(region) for region in regions])
    kept_days = dict(kept_days_by_region)
    _check_retention(Origin(backup.origin), 1 if backup.origin == Origin.AUTO else None, kept_days, regions)
    longest = backup.project.organization.max_retention_days
    for days in kept_days.values():
        if not 1 <= days <= longest:
            raise BackupRefused(
                f"A copy of an automatic backup is kept for 1 to {longest} days, not {days:,}.", field="kept_days"
            )
    # Whoever changes one of these copies waits, or has done so and is seen.
    there = {copy.region_id: copy for copy in backup.copies.select_for_update(of=("self",)).select_related("region")}
    for region in regions:
        if region.code in there:
            copy = there[region.code]
            raise BackupRefused(
                f"{backup.name} has a copy in {region} already; it is {copy.get_state_display().lower()}.",
                field="regions",
            )
    if not any(copy.state == CopyState.AVAILABLE for copy in there.values()):
        raise BackupRefused("No copy of this backup is available, so there is nothing to copy from.")
    stores = stores_for(backup.project.organization_id, [region.code for region in regions])
    return Copy.objects.bulk_create(
        Copy(
            backup=backup,
            region=region,
            store=stores[region.code],
            origin=backup.origin,
            kept_days=kept_days.get(region.code),
        )
        for region in regions
    )


def check_collections(collections: Sequence[tuple[str, str]] | None) -> None:
    """Raise BackupRefused if nothing is chosen, or something twice; None stands for the whole cluster."""
    if collections is None:
        return
    if not collections:
        raise BackupRefused("Choose at least one collection, or back up the whole cluster.", field="collections")
    seen: set[tuple[str, str]] = set()
    for database, name in collections:
        if (database, name) in seen:
            raise BackupRefused(f"{name} was chosen twice. A backup holds it once.", field="collections")
        seen.add((database, name))


def _check_retention(
    origin: Origin, kept_days: int | None, kept_by_region: Mapping[str, int], regions: Sequence[Region]
) -> None:
    if origin == Origin.MANUAL:
        if kept_days is not None or kept_by_region:
            raise BackupRefused("Manual backups and their copies are kept until deleted; they have no retention.")
        return
    if kept_days is None:
        raise BackupRefused("An automatic backup needs a retention for the original.")
    for region in regions:
        if region.code not in kept_by_region:
            raise BackupRefused(f"An automatic backup needs a retention for {region.code}.", field="regions")


@transaction.atomic
def record_contents(backup: Backup, manifest: Manifest) -> None:
    """Write into the catalogue what the manifest says the backup holds."""
    backup.collections.all().delete()
    BackupCollection.objects.bulk_create(
        BackupCollection(
            backup=backup,
            database=entry.database,
            name=entry.name,
            row_count=entry.row_count,
            size_bytes=sum(chunk.size_bytes for chunk in entry.chunks),
            shard_count=entry.shards,
        )
        for entry in manifest.collections
    )
    backup.exclusions = [{"what": exclusion.what, "why": exclusion.why} for exclusion in manifest.exclusions]
    backup.notes = [
        *manifest.notes,
        *(f"{entry.name}: {note}" for entry in manifest.collections for note in entry.notes),
    ]
    backup.save(update_fields=["exclusions", "notes"])


@transaction.atomic
def complete_copy(copy: Copy, *, size_bytes: int) -> None:
    """The bytes lie in the region and every one of them was read back: the copy may be relied on (R15)."""
    move_copy(copy, CopyState.AVAILABLE, size_bytes=size_bytes, verified_at=timezone.now(), reason="", damaged_at=None)


@transaction.atomic
def record_soundness(copy: Copy) -> None:
    """Every byte of an available or damaged copy was read and found sound since `copy` was read from the catalogue.

    Raises StaleBackup, and changes nothing, if somebody met damage in it meanwhile, perhaps where it was read already.
    """
    now = Copy.objects.select_for_update(no_key=True).get(pk=copy.pk)
    if (now.state, now.damaged_at) != (copy.state, copy.damaged_at) or now.state not in MAY_BE_CHECKED:
        raise StaleBackup(f"{copy}: {now.get_state_display()}")
    if now.state == CopyState.DAMAGED:
        move_copy(now, CopyState.AVAILABLE, reason="", damaged_at=None)
    Copy.objects.filter(pk=copy.pk).update(verified_at=timezone.now())


@transaction.atomic
def record_damage(copy: Copy, *, reason: str) -> None:
    """What was thought available gave back wrong bytes: nobody shall rely on it until all of it was proven again.

    Of a copy that is damaged already the newest finding is kept. One being made again or deleted stays as it is.
    """
    # Two jobs may meet the same damage at the same moment; the lock makes one of them see that it was marked.
    Copy.objects.select_for_update(no_key=True).get(pk=copy.pk)
    copy.refresh_from_db()
    found = {"reason": reason[:1000], "damaged_at": timezone.now()}
    if copy.state == CopyState.AVAILABLE:
        move_copy(copy, CopyState.DAMAGED, **found)
    elif copy.state == CopyState.DAMAGED:
        Copy.objects.filter(pk=copy.pk, state=CopyState.DAMAGED).update(**found)


def record_failed_repair(copy: Copy, *, reason: str) -> None:
    """The copy stays damaged; the reason says what to mend."""
    Copy.objects.filter(pk=copy.pk, state=CopyState.DAMAGED).update(reason=reason[:1000])


@transaction.atomic
def abandon_planned_copies(backup: Backup, *, reason: str) -> list[Copy]:
    """End every copy that still waits for the original; returns them (R6)."""
    waiting = list(backup.copies.planned().select_related("region"))
    for copy in waiting:
        move_copy(copy, CopyState.CANCELED, reason=reason[:1000])
    return waiting


@refusals_as(Action.BACKUP_RENAMED, of="backup")
@transaction.atomic
def rename_backup(*, user: User, backup: Backup, name: str) -> None:
    require(user, Privilege.BACKUP_MANAGE, backup.project)
    name = name.strip()
    if not name:
        raise BackupRefused("A backup needs a name.", field="name")
    if len(name) > MAX_NAME_LENGTH:
        raise BackupRefused(
            f"The name has {len(name):,} characters; at most {MAX_NAME_LENGTH} are allowed.", field="name"
        )
    if Backup.objects.existing().filter(project=backup.project_id, name=name).exclude(pk=backup.pk).exists():
        raise BackupRefused(f"There is another backup called {name}; two of one name could be confused.", field="name")
    record(Action.BACKUP_RENAMED, user=user, target=backup, details={"new name": name})
    Backup.objects.filter(pk=backup.pk).update(name=name)
    backup.name = name


def clear_reason(copy: Copy) -> None:
    """Forget why the last attempt failed, because another one begins."""
    copy.reason = ""
    copy.save(update_fields=["reason"])


def record_failed_deletion(copy: Copy, *, reason: str) -> None:
    """The copy stays marked as being deleted, since part of it may be gone; the reason says what to mend."""
    Copy.objects.filter(pk=copy.pk, state=CopyState.DELETING).update(reason=reason[:1000])


@transaction.atomic
def complete_deletion(copy: Copy) -> None:
    """The bytes are proven gone: close the copy, and the backup with the last copy that held it or may yet.

    Copies that came to nothing hold no backup, and without an available one they cannot be made again.
    """
    # Two last copies may be gone at the same moment; the lock makes one of them see that it was the last.
    backup = Backup.objects.select_for_update(no_key=True).get(pk=copy.backup_id)
    move_copy(copy, CopyState.DELETED, deleted_at=timezone.now(), reason="")
    gone = HOLDS_NOTHING if backup.state == BackupState.AVAILABLE else {CopyState.DELETED}
    if backup.state != BackupState.DELETED and not backup.copies.exclude(state__in=gone).exists():
        move_backup(backup, BackupState.DELETED)
