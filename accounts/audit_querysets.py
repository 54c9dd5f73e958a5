"""Every named way to read the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from .append_only import AppendOnlyQuerySet

if TYPE_CHECKING:
    from .audit_models import AuditEntry
    from .models import Organization, Project


class AuditEntryQuerySet(AppendOnlyQuerySet):
    def of_organization(self, organization: Organization) -> AuditEntryQuerySet:
        """Everything in `organization`, in all of its projects too."""
        return self.filter(organization=organization)

    def of_project(self, project: Project) -> AuditEntryQuerySet:
        return self.filter(project=project)

    def for_list(self) -> AuditEntryQuerySet:
        """Everything one row of the log shows, in one query; the newest first."""
        return self.select_related("project").order_by("-at", "-pk")

    def by_person(self, text: str) -> AuditEntryQuerySet:
        """What was done by those whose name or address holds `text`, or by the site itself if it is called so."""
        from .models import User

        people = User.objects.filter(Q(email__icontains=text) | Q(name__icontains=text)).values("pk")
        return self.filter(Q(actor__in=people) | Q(actor=None, actor_name__icontains=text))

    def between(self, start: datetime | None, end: datetime | None) -> AuditEntryQuerySet:
        """From `start` until `end`; None leaves that side open."""
        rows = self.filter(at__gte=start) if start else self
        return rows.filter(at__lte=end) if end else rows

    def older_than(self, entry: AuditEntry) -> AuditEntryQuerySet:
        return self.filter(Q(at__lt=entry.at) | Q(pk__lt=entry.pk), at__lte=entry.at)

    def newer_than(self, entry: AuditEntry) -> AuditEntryQuerySet:
        return self.filter(Q(at__gt=entry.at) | Q(pk__gt=entry.pk), at__gte=entry.at)

    def like(self, entry: AuditEntry, *, since: datetime) -> AuditEntryQuerySet:
        """What says the same as `entry` of the same person, as a page that asks every second would have it said."""
        names = ("action", "target_type", "target_code", "target_name", "outcome", "reason", "key_code", "address")
        same: dict[str, Any] = {name: getattr(entry, name) for name in names}
        return self.filter(actor=entry.actor_id, at__gte=since, **same)
