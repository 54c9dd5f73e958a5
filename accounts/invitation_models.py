"""Links by which people come into an organization."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from .codes import invitation_code
from .privileges import OrganizationRole, ProjectRole
from .querysets import InvitationQuerySet


class Invitation(models.Model):
    """One person, known by an address, may join once, with the role that stands here. The link itself is nowhere."""

    code = models.CharField(max_length=40, unique=True, default=invitation_code, editable=False)
    organization = models.ForeignKey("Organization", on_delete=models.CASCADE, related_name="invitations")
    # A role in the organization alone, or in one of its projects too.
    project = models.ForeignKey("Project", null=True, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    organization_role = models.CharField(
        max_length=20, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER
    )
    project_role = models.CharField(max_length=20, choices=ProjectRole.choices, blank=True)
    custom_role = models.ForeignKey("CustomRole", null=True, on_delete=models.PROTECT, related_name="invitations")
    token_hash = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey("User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(project=None) & Q(project_role="")) | (Q(project__isnull=False) & ~Q(project_role="")),
                name="invitation_names_a_project_exactly_with_a_role_in_it",
            ),
            models.CheckConstraint(
                condition=Q(project_role=ProjectRole.CUSTOM, custom_role__isnull=False)
                | (~Q(project_role=ProjectRole.CUSTOM) & Q(custom_role__isnull=True)),
                name="invitation_names_a_custom_role_exactly_for_one",
            ),
            models.CheckConstraint(
                condition=Q(accepted_at=None) | Q(revoked_at=None), name="invitation_is_not_accepted_and_revoked"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def role_name(self) -> str:
        """What whoever accepts will be, in words."""
        roles = [] if self.organization_role == OrganizationRole.MEMBER else [self.get_organization_role_display()]
        if self.project:
            roles.append(f"{self.custom_role or self.get_project_role_display()} in {self.project}")
        return " and ".join(roles) or str(self.get_organization_role_display())
