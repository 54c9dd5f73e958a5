"""Every change to who belongs where, and with which role."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from .access import require, require_in_organization
from .audit import record, refusals_as
from .audit_actions import Action
from .grants import Grant, GrantRefused, check_grant, check_organization_role
from .models import Invitation, Organization, OrganizationMember, Project, ProjectMember, User
from .privileges import OrganizationRole, Privilege


@refusals_as(Action.ROLE_GIVEN, of="member")
@transaction.atomic
def change_organization_role(*, user: User, member: OrganizationMember, role: OrganizationRole) -> None:
    """Give a member another role in the whole organization; GrantRefused for more than `user` holds, and for the last
    owner.
    """
    require_in_organization(user, Privilege.MEMBER_MANAGE, member.organization)
    check_organization_role(user, role, member.organization)
    member = _locked(member)
    if role == member.role:
        return
    check_organization_role(user, OrganizationRole(member.role), member.organization)
    check_an_owner_stays(member)
    details = {"role": role, "before": member.role}
    member.role = role
    member.save(update_fields=["role"])
    record(Action.ROLE_GIVEN, user=user, target=member.user, organization=member.organization, details=details)


@refusals_as(Action.MEMBER_REMOVED, of="member")
@transaction.atomic
def remove_member(*, user: User, member: OrganizationMember) -> None:
    """Take somebody out of the organization and all of its projects; what they have open shows them nothing more.

    Links that would bring them back are withdrawn.
    """
    require_in_organization(user, Privilege.MEMBER_MANAGE, member.organization)
    member = _locked(member)
    check_organization_role(user, OrganizationRole(member.role), member.organization)
    check_an_owner_stays(member)
    ProjectMember.objects.filter(user=member.user, project__organization=member.organization).delete()
    record(Action.MEMBER_REMOVED, user=user, target=member.user, organization=member.organization)
    _withdraw_invitations(user, member, member.organization)
    member.delete()


@refusals_as(Action.ROLE_GIVEN, of="member")
@transaction.atomic
def give_project_role(*, user: User, project: Project, member: OrganizationMember, grant: Grant) -> None:
    """Give a member of the organization a role in `project`, in place of the one they have there.

    GrantRefused where either holds more than `user` does.
    """
    require(user, Privilege.MEMBER_MANAGE, project)
    if member.organization_id != project.organization_id:
        raise GrantRefused(f"Choose a member of {project.organization}.", field="member")
    check_grant(user, grant, project)
    before = _check_present_role(user, project, member)
    ProjectMember.objects.update_or_create(
        project=project, user=member.user, defaults={"role": grant.role, "custom_role": grant.custom_role}
    )
    details = {"role": grant.name} | ({"before": before.role_name} if before else {})
    record(Action.ROLE_GIVEN, user=user, target=member.user, project=project, details=details)


@refusals_as(Action.MEMBER_REMOVED, of="member")
@transaction.atomic
def remove_from_project(*, user: User, project: Project, member: OrganizationMember) -> None:
    """Take somebody's role in `project` away; they stay in the organization. Links to the role are withdrawn."""
    require(user, Privilege.MEMBER_MANAGE, project)
    before = _check_present_role(user, project, member)
    if before is not None:
        before.delete()
        record(
            Action.MEMBER_REMOVED, user=user, target=member.user, project=project, details={"role": before.role_name}
        )
    _withdraw_invitations(user, member, project)


def _withdraw_invitations(user: User, member: OrganizationMember, place: Organization | Project) -> None:
    """Somebody may have been given two links, and have used one: the other one must not undo that they were removed."""
    now = timezone.now()
    where = {"organization": place} if isinstance(place, Organization) else {"project": place}
    invitations = Invitation.objects.open(now).filter(email=member.user.email.lower(), **where)
    for invitation in invitations:
        record(Action.INVITATION_REVOKED, user=user, target=invitation, organization=member.organization)
    invitations.update(revoked_at=now)


def _check_present_role(user: User, project: Project, member: OrganizationMember) -> ProjectMember | None:
    """The role that `member` has in `project`, locked; GrantRefused if it holds more than `user` does."""
    rows = ProjectMember.objects.select_for_update(of=("self",)).select_related("custom_role")
    present: ProjectMember | None = rows.filter(project=project, user=member.user).first()
    if present is not None:
        check_grant(user, Grant.of(present), project)
    return present


def _locked(member: OrganizationMember) -> OrganizationMember:
    """The row as it is now. Two who remove the last two owners at once would each find another one still there."""
    Organization.objects.select_for_update().get(pk=member.organization_id)
    return OrganizationMember.objects.select_related("user", "organization").get(pk=member.pk)


def check_an_owner_stays(member: OrganizationMember) -> None:
    """GrantRefused if without `member` the organization would have no owner who can sign in."""
    if member.role != OrganizationRole.OWNER:
        return
    others = OrganizationMember.objects.filter(
        organization=member.organization, role=OrganizationRole.OWNER, user__is_active=True
    ).exclude(pk=member.pk)
    if not others.exists():
        raise GrantRefused(
            f"{member.user} is the only owner of {member.organization}. Make somebody else an owner first.",
            field="role",
        )
