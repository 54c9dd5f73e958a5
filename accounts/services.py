"""Every change to people and organizations that touches more than one row."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.db import transaction

from .errors import Refused
from .models import Organization, OrganizationMember, Project, ProjectMember, User
from .privileges import OrganizationRole, ProjectRole


@transaction.atomic
def found_organization(*, name: str, project_name: str, email: str, password: str, owner_name: str = "") -> Project:
    """A new organization with its first project and its owner, who is also the project's admin.

    ValidationError for a weak password; Refused if the e-mail address is taken.
    """
    if User.objects.filter(email__iexact=email).exists():
        raise Refused(f"There is already a person with the address {email}.", field="email")
    validate_password(password, User(email=email, name=owner_name))
    owner = User.objects.create_user(email, password, name=owner_name)
    organization = Organization.objects.create(name=name)
    project = Project.objects.create(organization=organization, name=project_name)
    OrganizationMember.objects.create(organization=organization, user=owner, role=OrganizationRole.OWNER)
    ProjectMember.objects.create(project=project, user=owner, role=ProjectRole.ADMIN)
    return project
