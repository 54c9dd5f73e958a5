"""Every named way to read clusters and stores.

QuerySets take `Any` for their model: named, the model would be looked up before mypy's Django plugin knows it.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from accounts.access import projects_with
from accounts.models import User
from accounts.privileges import Privilege


class StoreQuerySet(models.QuerySet[Any]):
    def of_organization(self, organization_id: int) -> StoreQuerySet:
        """The stores of one organization with their regions, in one query."""
        return self.filter(organization=organization_id).select_related("region")


class ClusterQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> ClusterQuerySet:
        """Clusters of the projects in which `user` may look at clusters."""
        return self.filter(project__in=projects_with(user, Privilege.CLUSTER_VIEW))

    def existing(self) -> ClusterQuerySet:
        """Clusters that have not been dropped."""
        return self.filter(dropped_at__isnull=True)

    def for_list(self) -> ClusterQuerySet:
        """Everything one row of the cluster list shows, in one query."""
        return self.select_related("region", "project")
