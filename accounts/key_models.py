"""The table of API keys."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils import timezone

from .codes import key_code
from .key_querysets import ApiKeyQuerySet
from .privileges import Privilege, Restriction

if TYPE_CHECKING:
    from .models import Organization


class ApiKey(models.Model):
    """Lets a program act as somebody, with less than all they hold. Only a digest of the key itself is kept.

    A person's key acts as that person; a project's key as a user of its own, which is nobody and cannot sign in.
    """

    code = models.CharField(max_length=40, unique=True, default=key_code, editable=False)
    name = models.CharField(max_length=60)
    user = models.ForeignKey("User", on_delete=models.CASCADE, related_name="api_keys")
    # The only project it reaches; a person's key without one reaches all of theirs.
    project = models.ForeignKey("Project", null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    is_of_project = models.BooleanField(default=False)
    privileges = models.JSONField()
    # How the key begins, so that people can tell theirs apart.
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey("User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_address = models.CharField(max_length=45, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_of_project=False) | Q(project__isnull=False), name="project_key_has_its_project"
            ),
            # Each project's key is a user of its own, so that revoking one leaves nothing behind.
            models.UniqueConstraint(fields=["user"], condition=Q(is_of_project=True), name="one_user_per_project_key"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def held(self) -> frozenset[Privilege]:
        """What it was made for; a privilege that no longer exists counts for nothing."""
        return frozenset(Privilege(held) for held in self.privileges if held in Privilege.values)

    @property
    def restriction(self) -> Restriction:
        return Restriction(self.held, self.project_id)

    @property
    def organization(self) -> Organization | None:
        """Whose log tells of it; None for a person's key that reaches all of their organizations."""
        return self.project.organization if self.project else None

    def why_dead(self, now: datetime) -> str:
        """The sentence that refuses it; empty while it may be used."""
        if self.revoked_at is not None:
            return f"The key was revoked at {self.revoked_at:%Y-%m-%d %H:%M} UTC."
        if self.expires_at is not None and self.expires_at <= now:
            return f"The key expired at {self.expires_at:%Y-%m-%d %H:%M} UTC."
        return ""

    @property
    def state(self) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.why_dead(timezone.now()) else "active"
