from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from accounts.querysets import MemberQuerySet, OrganizationQuerySet, ProjectMemberQuerySet, ProjectQuerySet

from .audit_models import AuditEntry
from .codes import custom_role_code, member_code, organization_code, project_code
from .invitation_models import Invitation
from .key_models import ApiKey
from .once_models import SentForm
from .privileges import OrganizationRole, Privilege, ProjectRole, Restriction
from .signin_models import CacheEntry

__all__ = [
    "ApiKey",
    "AuditEntry",
    "CacheEntry",
    "CustomRole",
    "CustomRolePrivilege",
    "Invitation",
    "Organization",
    "OrganizationMember",
    "Project",
    "ProjectMember",
    "SentForm",
    "User",
]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person who signs in with an e-mail address. What they may do follows from memberships alone."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    # Nobody, but what a key of a project acts as; left out wherever people are listed.
    is_machine = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    # No column: set on the row in memory by whatever lets somebody act with less than all they hold.
    restriction: Restriction | None = None
    # Nor is this: the key with which a program acts as this user.
    acting_key: ApiKey | None = None

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique_in_any_case"),
            # What begins so is no digest of any password.
            models.CheckConstraint(
                condition=models.Q(is_machine=False) | models.Q(password__startswith="!"),  # noqa: S106
                name="machine_has_no_password",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email


class Organization(models.Model):
    code = models.CharField(max_length=40, unique=True, default=organization_code, editable=False)
    name = models.CharField(max_length=120)
    # R9: the longest that a schedule may keep what it makes.
    max_retention_days = models.PositiveSmallIntegerField(default=30)
    # Whoever has no second factor sets one up before anything else is shown (accounts/signin_middleware.py).
    requires_two_factors = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(max_retention_days__gte=1), name="organization_keeps_at_least_a_day"
            )
        ]

    def __str__(self) -> str:
        return self.name


class OrganizationMember(models.Model):
    code = models.CharField(max_length=40, unique=True, default=member_code, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="organization_memberships")
    role = models.CharField(max_length=20, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER)

    objects = MemberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="one_role_per_organization_member")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}"


class Project(models.Model):
    code = models.CharField(max_length=40, unique=True, default=project_code, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="project_name_unique")]

    def __str__(self) -> str:
        return self.name


class CustomRole(models.Model):
    """A named set of privileges that an organization made for itself."""

    code = models.CharField(max_length=40, unique=True, default=custom_role_code, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="custom_roles")
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="custom_role_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def held(self) -> frozenset[Privilege]:
        """No query if the privileges were fetched before."""
        return frozenset(Privilege(row.privilege) for row in self.privileges.all())


class CustomRolePrivilege(models.Model):
    role = models.ForeignKey(CustomRole, on_delete=models.CASCADE, related_name="privileges")
    privilege = models.CharField(max_length=40, choices=Privilege.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "privilege"], name="privilege_once_per_role")]

    def __str__(self) -> str:
        return self.privilege


class ProjectMember(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="project_memberships")
    role = models.CharField(max_length=20, choices=ProjectRole.choices)
    custom_role = models.ForeignKey(CustomRole, null=True, blank=True, on_delete=models.PROTECT, related_name="members")

    objects = ProjectMemberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_role_per_project_member"),
            models.CheckConstraint(
                condition=models.Q(role=ProjectRole.CUSTOM, custom_role__isnull=False)
                | (~models.Q(role=ProjectRole.CUSTOM) & models.Q(custom_role__isnull=True)),
                name="custom_role_named_exactly_when_role_is_custom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role_name}"

    @property
    def role_name(self) -> str:
        return str(self.custom_role or self.get_role_display())
