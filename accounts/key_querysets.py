"""Every named way to read API keys."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q

if TYPE_CHECKING:
    from .models import Project, User


class ApiKeyQuerySet(models.QuerySet[Any]):
    def of_person(self, user: User) -> ApiKeyQuerySet:
        """The keys that act as `user`, the living first."""
        return self.filter(user=user, is_of_project=False)._for_list()

    def of_project(self, project: Project) -> ApiKeyQuerySet:
        """The project's own keys, the living first; those that people made for themselves are theirs alone."""
        return self.filter(project=project, is_of_project=True)._for_list()

    def not_used_since(self, moment: datetime) -> ApiKeyQuerySet:
        return self.filter(Q(last_used_at=None) | Q(last_used_at__lt=moment))

    def _for_list(self) -> ApiKeyQuerySet:
        rows = self.select_related("project__organization", "created_by")
        return rows.order_by(F("revoked_at").asc(nulls_first=True), "-created_at", "-pk")
