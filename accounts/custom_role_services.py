"""An organization's own roles: sets of privileges that it names itself."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from .access import privileges_in_organization, require_in_organization
from .audit import record, refusals_as
from .audit_actions import Action
from .errors import Refused
from .models import CustomRole, CustomRolePrivilege, Invitation, Organization, ProjectMember, User
from .privileges import Privilege, with_implied
from .services import checked_name


class CustomRoleRefused(Refused):
    """A custom role cannot be so, or cannot go."""


@refusals_as(Action.CUSTOM_ROLE_CREATED, of="organization")
@transaction.atomic
def create_custom_role(
    *, user: User, organization: Organization, name: str, privileges: Collection[Privilege]
) -> CustomRole:
    """A new role for every project of `organization`. CustomRoleRefused for a name that is taken, for no privilege, and
    for one that `user` does not hold.
    """
    _check(user, organization, privileges)
    name = _free_name(organization, name)
    role = CustomRole.objects.create(organization=organization, name=name)
    _set_privileges(role, privileges)
    record(Action.CUSTOM_ROLE_CREATED, user=user, target=role, details={"privileges": sorted(privileges)})
    return role


@refusals_as(Action.CUSTOM_ROLE_CHANGED, of="role")
@transaction.atomic
def change_custom_role(*, user: User, role: CustomRole, name: str, privileges: Collection[Privilege]) -> None:
    """Another name or other privileges, at once for everybody who holds it; errors as in `create_custom_role`."""
    _check(user, role.organization, privileges)
    _check(user, role.organization, role.held)
    name = _free_name(role.organization, name, but=role)
    before = {"name": role.name, "privileges": sorted(role.held)}
    role.name = name
    role.save(update_fields=["name"])
    role.privileges.all().delete()
    _set_privileges(role, privileges)
    details = {"name": name, "privileges": sorted(privileges), "before": before}
    record(Action.CUSTOM_ROLE_CHANGED, user=user, target=role, details=details)


@refusals_as(Action.CUSTOM_ROLE_DELETED, of="role")
@transaction.atomic
def delete_custom_role(*, user: User, role: CustomRole) -> None:
    """CustomRoleRefused as long as somebody holds it, or is invited to."""
    require_in_organization(user, Privilege.MEMBER_MANAGE, role.organization)
    # Whoever gives it at this moment waits, and then finds it gone.
    CustomRole.objects.select_for_update().get(pk=role.pk)
    if ProjectMember.objects.filter(custom_role=role).exists():
        raise CustomRoleRefused(f"{role} is held by somebody. Give them another role first.")
    if Invitation.objects.filter(custom_role=role, accepted_at=None, revoked_at=None).exists():
        raise CustomRoleRefused(f"Somebody is invited as {role}. Withdraw the invitation first.")
    Invitation.objects.filter(custom_role=role).delete()
    record(Action.CUSTOM_ROLE_DELETED, user=user, target=role, details={"privileges": sorted(role.held)})
    role.delete()


def _check(user: User, organization: Organization, privileges: Collection[Privilege]) -> None:
    require_in_organization(user, Privilege.MEMBER_MANAGE, organization)
    if not privileges:
        raise CustomRoleRefused("Choose at least one privilege.", field="privileges")
    missing = with_implied(frozenset(privileges)) - privileges_in_organization(user, organization)
    if missing:
        names = ", ".join(f"“{privilege.value}”" for privilege in sorted(missing))
        raise CustomRoleRefused(f"Nobody gives more than they hold: you do not hold {names}.", field="privileges")


def _free_name(organization: Organization, name: str, *, but: CustomRole | None = None) -> str:
    name = checked_name(name, "A custom role")
    taken = CustomRole.objects.filter(organization=organization, name__iexact=name)
    if (taken.exclude(pk=but.pk) if but else taken).exists():
        raise CustomRoleRefused(f"There is already a custom role called {name}.", field="name")
    return name


def _set_privileges(role: CustomRole, privileges: Collection[Privilege]) -> None:
    CustomRolePrivilege.objects.bulk_create(
        CustomRolePrivilege(role=role, privilege=privilege) for privilege in sorted(set(privileges))
    )
