"""The audit log's one table."""

from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from .append_only import AppendOnlyModel
from .audit_actions import Outcome, action_choices
from .audit_querysets import AuditEntryQuerySet
from .codes import audit_code


class AuditEntry(AppendOnlyModel):
    """Who did what to which thing, or wanted to. Readable after everything it names is gone."""

    code = models.CharField(max_length=40, unique=True, default=audit_code, editable=False)
    at = models.DateTimeField(default=timezone.now)
    # Null for what concerns nobody's organization, such as a sign-in by a name that nobody has.
    organization = models.ForeignKey(
        "Organization", null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    # Without constraints, for what they point to may go and the entry may not change.
    project = models.ForeignKey(
        "Project", null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    actor = models.ForeignKey(
        "User", null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    actor_name = models.CharField(max_length=300)
    key_code = models.CharField(max_length=40, blank=True)
    key_name = models.CharField(max_length=120, blank=True)
    action = models.CharField(max_length=40, choices=action_choices)
    target_type = models.CharField(max_length=40, blank=True)
    target_code = models.CharField(max_length=120, blank=True)
    target_name = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.DONE)
    reason = models.CharField(max_length=1000, blank=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=32, blank=True)
    details = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)

    objects: ClassVar[Any] = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(condition=models.Q(outcome__in=Outcome.values), name="audit_outcome_is_known")
        ]
        indexes = [
            models.Index(fields=["organization", "at"], name="audit_of_organization"),
            models.Index(fields=["project", "at"], name="audit_of_project"),
            models.Index(fields=["actor", "at"], name="audit_of_actor"),
            models.Index(fields=["organization", "action", "at"], name="audit_of_action"),
            models.Index(fields=["organization", "target_code", "at"], name="audit_of_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.get_action_display()}: {self.target_name}"

    @property
    def shown_details(self) -> list[tuple[str, str]]:
        """The details as a reader sees them: lists in one line, and nothing of what is empty."""
        return [
            (name.replace("_", " "), _words(value)) for name, value in self.details.items() if value not in ("", [], {})
        ]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {held}" for name, held in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
