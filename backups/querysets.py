"""Every named way to read the catalogue.

QuerySets take `Any` for their model: named, the model would be looked up before mypy's Django plugin knows it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Prefetch, Q, When

from accounts.access import projects_with
from accounts.models import User
from accounts.privileges import Privilege

from .states import BROKEN, COMING, MAY_BE_CHECKED, BackupState, CopyState, Scope

if TYPE_CHECKING:
    from backups.models import Copy

_PLACE = ("backup__cluster_id", "region_id")


class BackupQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> BackupQuerySet:
        """Backups of the projects in which `user` may look at backups."""
        return self.filter(project__in=projects_with(user, Privilege.BACKUP_VIEW))

    def existing(self) -> BackupQuerySet:
        return self.exclude(state=BackupState.DELETED)

    def existing_by_state(self) -> list[BackupQuerySet]:
        """The same, a list for each state: so an index leads past however many have been deleted."""
        return [self.filter(state=state) for state in BackupState if state != BackupState.DELETED]

    def failed_with_none_since(self) -> BackupQuerySet:
        """Failed backups of clusters that still exist and have had no backup that succeeded since."""
        from backups.models import Backup

        newer = Backup.objects.filter(
            cluster=OuterRef("cluster"), number__gt=OuterRef("number"), state=BackupState.AVAILABLE
        )
        return self.filter(~Exists(newer), state=BackupState.FAILED, cluster__dropped_at__isnull=True)

    def for_list(self) -> BackupQuerySet:
        """Everything one row of a backup list shows, in two queries however many rows."""
        from backups.models import Copy

        copies = Copy.objects.select_related("region").exclude(state=CopyState.DELETED)
        return self.select_related("cluster__region", "created_by").prefetch_related(
            Prefetch("copies", queryset=copies)
        )


class CopyQuerySet(models.QuerySet[Any]):
    def available(self) -> CopyQuerySet:
        """Copies that were proven and can be restored from."""
        return self.filter(state=CopyState.AVAILABLE)

    def best_source(self) -> Copy | None:
        """The available copy to copy from: the original, else the one proven last."""
        return self.available().select_related("store").order_by("-is_original", "-verified_at").first()

    def relied_on_beside(self, copy: Copy) -> CopyQuerySet:
        """Copies in the same store and of the same cluster as `copy` that are thought sound: their chunks must stay."""
        return self.available().filter(store=copy.store_id, backup__cluster=copy.backup.cluster_id).exclude(pk=copy.pk)

    def lying_in(self, store_id: int, cluster_id: int) -> CopyQuerySet:
        """Copies of the cluster that lie in the store, sound or damaged."""
        return self.filter(store=store_id, backup__cluster=cluster_id, state__in=MAY_BE_CHECKED)

    def expired(self, now: datetime) -> CopyQuerySet:
        """Copies that exist and whose retention is over, found by an index of them; one that never held bytes counts
        from the beginning of its backup."""
        from backups.models import Copy

        expiring = Copy.objects.filter(kept_days__isnull=False, deleted_at__isnull=True).order_by()
        over = Q(pk__in=[])
        # A question for each retention there is: in one, SQLite would use the index for none of them.
        for days in filter(None, set(expiring.values_list("kept_days", flat=True).distinct())):
            of_so_many, since = expiring.filter(kept_days=days), now - timedelta(days=days)
            over |= Q(pk__in=of_so_many.filter(stored_at__lte=since).values("pk"))
            over |= Q(pk__in=of_so_many.filter(stored_at=None, backup__created_at__lte=since).values("pk"))
        return self.filter(over)

    def held_past_retention(self) -> CopyQuerySet:
        """Copies that stay although their days are over, with the reason written down."""
        return self.exclude(held_reason="").filter(state__in=[CopyState.AVAILABLE, CopyState.DAMAGED])

    def damaged_beside(self, copy: Copy) -> CopyQuerySet:
        """Damaged copies in the same store and of the same cluster as `copy`: they may share what was mended in it."""
        beside = self.filter(store=copy.store_id, backup__cluster=copy.backup.cluster_id, state=CopyState.DAMAGED)
        return beside.exclude(pk=copy.pk)

    def may_repair(self, copy: Copy) -> CopyQuerySet:
        """Copies from whose stores `copy` may be repaired, the likeliest first: any that hold chunks of its cluster.

        A damaged one may still hold just the chunk that is wanted: what it gives is proven by its digest.
        """
        elsewhere = self.filter(backup__cluster=copy.backup.cluster_id, state__in=MAY_BE_CHECKED)
        is_of_it = Case(When(backup=copy.backup_id, then=0), default=1)
        is_damaged = Case(When(state=CopyState.DAMAGED, then=1), default=0)
        return elsewhere.exclude(store=copy.store_id).order_by(is_of_it, is_damaged, "-is_original", "-pk")

    def missing_or_damaged(self) -> CopyQuerySet:
        """Copies of available backups that failed or are damaged now; a failed backup has none worth naming."""
        broken = self.filter(state__in=[CopyState.FAILED, CopyState.DAMAGED], backup__state=BackupState.AVAILABLE)
        return broken.filter(deleted_at__isnull=True)  # Said for the index: nothing deleted is in these states.

    def planned(self) -> CopyQuerySet:
        return self.filter(state=CopyState.PLANNED)

    def visible_to(self, user: User, privilege: Privilege) -> CopyQuerySet:
        return self.filter(backup__project__in=projects_with(user, privilege))

    def usable_by_place(self) -> models.QuerySet[Any, tuple[Any, ...]]:
        """(cluster, region, number of usable copies, the newest backup of the whole cluster and of chosen collections)
        of each place that has any; from an index of the copies that exist by their state."""
        whole, part = Q(backup__scope=Scope.CLUSTER), Q(backup__scope=Scope.COLLECTION)
        newest = {"whole": Max("backup_id", filter=whole), "part": Max("backup_id", filter=part)}
        there = self.available().filter(deleted_at__isnull=True).order_by().values(*_PLACE)
        return there.annotate(usable=Count("pk"), **newest).values_list(*_PLACE, "usable", *newest)

    def unusable_by_place(self) -> models.QuerySet[Any, tuple[Any, ...]]:
        """(cluster, region, the newest backup with a copy on its way there and with a broken one), found likewise."""
        newest = {
            "coming": Max("backup_id", filter=Q(state__in=COMING)),
            "broken": Max("backup_id", filter=Q(state__in=BROKEN)),
        }
        there = self.filter(state__in=[*COMING, *BROKEN], deleted_at__isnull=True).order_by().values(*_PLACE)
        return there.annotate(**newest).values_list(*_PLACE, *newest)

    def for_facts(self) -> CopyQuerySet:
        """Copies with all that a page says of them, in one query."""
        return self.select_related("region", "store", "source_region", "backup__project", "backup__cluster__region")

    def unmetered(self) -> list[CopyQuerySet]:
        """Copies of which the ledger does not know all: what they sent, that they are kept, that they are gone.

        Each list is found by an index of its own.
        """
        return [
            self.filter(sent_bytes__gt=F("metered_bytes")),
            self.filter(verified_at__isnull=False, kept_noted_at__isnull=True),
            self.filter(deleted_at__isnull=False, kept_noted_at__isnull=False, gone_noted_at__isnull=True),
        ]

    def that_cost(self) -> CopyQuerySet:
        """Copies whose bytes ever lay in a store or travelled, with all that their price depends on, in one query."""
        return self.filter(Q(stored_at__isnull=False) | Q(sent_bytes__gt=0)).select_related(
            "region", "source_region", "backup__cluster__region", "backup__project"
        )
