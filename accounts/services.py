"""Every change to people and organizations that touches more than one row."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from .audit import record
from .audit_actions import Action
from .errors import OrganizationExists, Refused
from .member_services import check_an_owner_stays
from .models import CustomRole, CustomRolePrivilege, Organization, OrganizationMember, Project, ProjectMember, User
from .privileges import OrganizationRole, Privilege, ProjectRole
from .texts import is_one_plain_line

LONGEST_NAME = 120
# Ten years: what is to stay longer is better made by hand, and kept until somebody deletes it.
LONGEST_RETENTION_DAYS = 3_650


@transaction.atomic
def found_organization(
    *, name: str, project_name: str, email: str, password: str, owner_name: str = "", may_share_name: bool = False
) -> Project:
    """A new organization with its first project and its owner, who is also the project's admin.

    ValidationError for a weak password; Refused if the e-mail address is none or taken, or a name is empty or too
    long; OrganizationExists if there is one of this name and `may_share_name` is not set.
    """
    name, project_name = checked_name(name, "An organization"), checked_name(project_name, "A project")
    namesake = Organization.objects.filter(name__iexact=name).first()
    if namesake and not may_share_name:
        raise OrganizationExists(namesake.name)
    if User.objects.filter(email__iexact=email).exists():
        raise Refused(f"There is already a person with the address {email}.", field="email")
    owner = create_person(email, password, owner_name)
    organization = Organization.objects.create(name=name)
    project = Project.objects.create(organization=organization, name=project_name)
    OrganizationMember.objects.create(organization=organization, user=owner, role=OrganizationRole.OWNER)
    ProjectMember.objects.create(project=project, user=owner, role=ProjectRole.ADMIN)
    record(Action.ORGANIZATION_FOUNDED, user=None, target=organization, details={"owner": email})
    return project


@transaction.atomic
def set_organization_role(
    *, organization: Organization, email: str, role: OrganizationRole, password: str | None = None
) -> User:
    """Give somebody a role in the whole organization, in place of the one they had there.

    Who is not known yet is made with `password`. ValidationError for a weak one; Refused for no e-mail address, and for
    the only owner.
    """
    person = _find_or_create_person(email, password)
    present = OrganizationMember.objects.select_for_update().filter(organization=organization, user=person).first()
    if present is not None and role != OrganizationRole.OWNER:
        check_an_owner_stays(present)
    OrganizationMember.objects.update_or_create(organization=organization, user=person, defaults={"role": role})
    record(Action.ROLE_GIVEN, user=None, target=person, organization=organization, details={"role": role})
    return person


@transaction.atomic
def set_project_role(
    *,
    project: Project,
    email: str,
    role: ProjectRole,
    custom_role: str = "",
    privileges: Collection[Privilege] = (),
    password: str | None = None,
) -> User:
    """Give somebody a role in `project`, in place of the one they had there, and membership of its organization.

    With ProjectRole.CUSTOM, `custom_role` names one of the organization's custom roles, or a new one with
    `privileges`. Who is not known yet is made with `password`; errors are those of `set_organization_role`, and
    Refused for a custom role that is not there or has other privileges.
    """
    if role != ProjectRole.CUSTOM and (custom_role or privileges):
        raise Refused("A custom role and its privileges can be named only with the role custom.", field="role")
    named = _custom_role(project.organization, custom_role, privileges) if role == ProjectRole.CUSTOM else None
    person = _find_or_create_person(email, password)
    OrganizationMember.objects.get_or_create(organization=project.organization, user=person)
    ProjectMember.objects.update_or_create(project=project, user=person, defaults={"role": role, "custom_role": named})
    details = {"role": role, "custom role": custom_role} if named else {"role": role}
    record(Action.ROLE_GIVEN, user=None, target=person, project=project, details=details)
    return person


@transaction.atomic
def set_longest_retention(*, organization: Organization, days: int) -> None:
    """Say how long schedules of `organization` may keep what they make (R9). What they keep longer already stays so."""
    if not 1 <= days <= LONGEST_RETENTION_DAYS:
        raise Refused(f"A retention is 1 to {LONGEST_RETENTION_DAYS:,} days long, not {days:,}.", field="days")
    details = {"longest retention": days, "before": organization.max_retention_days}
    record(Action.ORGANIZATION_CHANGED, user=None, target=organization, details=details)
    organization.max_retention_days = days
    organization.save(update_fields=["max_retention_days"])


def _custom_role(organization: Organization, name: str, privileges: Collection[Privilege]) -> CustomRole:
    if not name.strip():
        raise Refused("Name the custom role.", field="custom_role")
    name = checked_name(name, "A custom role")
    found = CustomRole.objects.filter(organization=organization, name=name).first()
    if found is None:
        if not privileges:
            raise Refused(
                f"{organization} has no custom role called {name} yet. Name its privileges too.", field="privileges"
            )
        found = CustomRole.objects.create(organization=organization, name=name)
        CustomRolePrivilege.objects.bulk_create(
            CustomRolePrivilege(role=found, privilege=privilege) for privilege in set(privileges)
        )
    elif privileges and set(privileges) != set(found.privileges.values_list("privilege", flat=True)):
        # Changing it here would change what all of its holders may do.
        raise Refused(f"The custom role {name} has other privileges. Choose another name.", field="privileges")
    return found


def _find_or_create_person(email: str, password: str | None) -> User:
    found = User.objects.filter(email__iexact=email).first()
    return found or create_person(email, password)


def create_person(email: str, password: str | None, name: str = "") -> User:
    try:
        User._meta.get_field("email").clean(email, None)
    except ValidationError as error:
        raise Refused(f"{email[:100]!r} is not an e-mail address.", field="email") from error
    name = checked_name(name, "A person") if name else ""
    validate_password(password or "", User(email=email, name=name))
    return User.objects.create_user(email, password, name=name)


def checked_name(name: str, what: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused(f"{what} needs a name of 1 to {LONGEST_NAME} characters.", field="name")
    if not is_one_plain_line(name):
        raise Refused("A name is one line, without characters that nobody sees.", field="name")
    return name
