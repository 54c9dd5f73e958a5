"""Inviting people by a link that works once, and accepting it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from .access import require, require_in_organization
from .audit import record, refusals_as
from .audit_actions import Action
from .errors import PrivilegeMissing, Refused
from .grants import Grant, check_grant, check_organization_role
from .models import Invitation, Organization, OrganizationMember, Project, ProjectMember, User
from .privileges import OrganizationRole, Privilege, ProjectRole
from .services import create_person

GOOD_FOR = timedelta(days=7)


class InvitationRefused(Refused):
    """Nobody can be invited so, or the invitation is not good any more."""


@dataclass(frozen=True)
class Offer:
    """What somebody is invited to: a role in the organization, and perhaps one in a project of it."""

    organization: Organization
    organization_role: OrganizationRole = OrganizationRole.MEMBER
    project: Project | None = None
    grant: Grant | None = None


@refusals_as(Action.PERSON_INVITED, of="organization")
@transaction.atomic
def invite(*, user: User, organization: Organization, email: str, offer: Offer) -> tuple[Invitation, str]:
    """An invitation for `email` with the secret part of its link, which is known to nobody afterwards.

    Earlier ones for the same address and place end. InvitationRefused for somebody who is there already; GrantRefused
    for more than `user` holds.
    """
    _check_offer(user, offer)
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvitationRefused(f"{email[:100]!r} is not an e-mail address.", field="email") from error
    if OrganizationMember.objects.filter(organization=organization, user__email__iexact=email).exists():
        raise InvitationRefused(f"{email} is already a member of {organization}.", field="email")
    now, token = timezone.now(), secrets.token_urlsafe(32)
    earlier = Invitation.objects.open(now).filter(organization=organization, project=offer.project, email=email)
    earlier.update(revoked_at=now)
    grant = offer.grant
    invitation = Invitation.objects.create(
        organization=organization,
        project=offer.project,
        email=email,
        organization_role=offer.organization_role,
        project_role=grant.role if grant else "",
        custom_role=grant.custom_role if grant else None,
        token_hash=hash_token(token),
        created_by=user,
        expires_at=now + GOOD_FOR,
    )
    record(
        Action.PERSON_INVITED,
        user=user,
        target=invitation,
        project=offer.project,
        organization=organization,
        details={"role": invitation.role_name},
    )
    return invitation, token


@refusals_as(Action.INVITATION_REVOKED, of="invitation")
@transaction.atomic
def revoke_invitation(*, user: User, invitation: Invitation) -> None:
    """Let the link of `invitation` work no longer; nothing happens to one that has been accepted."""
    if invitation.project:
        require(user, Privilege.MEMBER_MANAGE, invitation.project)
    else:
        require_in_organization(user, Privilege.MEMBER_MANAGE, invitation.organization)
    if Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None).update(revoked_at=timezone.now()):
        record(Action.INVITATION_REVOKED, user=user, target=invitation, organization=invitation.organization)


def find_invitation(token_hash: str) -> Invitation | None:
    """The invitation whose link somebody followed, if it is still good."""
    rows = Invitation.objects.open(timezone.now()).select_related(
        "organization", "project", "custom_role", "created_by"
    )
    found: Invitation | None = rows.filter(token_hash=token_hash).first()
    return found if found and _is_still_given(found) else None


@transaction.atomic
def join(*, user: User, invitation: Invitation) -> None:
    """`user`, who has the address that was invited, accepts; InvitationRefused if it is not good any more."""
    if user.email.lower() != invitation.email:
        raise InvitationRefused(f"This invitation is for {invitation.email}, and you are signed in as {user.email}.")
    _accept(invitation, user)


@transaction.atomic
def join_as_new_person(*, invitation: Invitation, name: str, password: str) -> User:
    """Make the person that was invited, with a name and password of their choice; ValidationError for a weak one."""
    if User.objects.filter(email__iexact=invitation.email).exists():
        raise InvitationRefused(f"There is already a person with the address {invitation.email}. Sign in first.")
    user = create_person(invitation.email, password, name)
    _accept(invitation, user)
    return user


def hash_token(token: str) -> str:
    """What is stored of a link. Without salt, for 256 random bits are guessed by nobody."""
    return hashlib.sha256(token.encode()).hexdigest()


def _accept(invitation: Invitation, user: User) -> None:
    now = timezone.now()
    # Whoever removes this person at the same moment comes before, and withdraws the invitation, or after, and removes.
    Organization.objects.select_for_update().get(pk=invitation.organization_id)
    # The WHERE clause is the lock: of two who follow the link at once, one finds it used.
    if not Invitation.objects.open(now).filter(pk=invitation.pk).update(accepted_at=now):
        raise InvitationRefused("This invitation has been used or withdrawn. Ask for another one.")
    if not _is_still_given(invitation):
        raise InvitationRefused("Whoever invited you may not do so any more. Ask somebody else for an invitation.")
    OrganizationMember.objects.get_or_create(
        organization=invitation.organization, user=user, defaults={"role": invitation.organization_role}
    )
    if invitation.project:
        ProjectMember.objects.get_or_create(
            project=invitation.project,
            user=user,
            defaults={"role": invitation.project_role, "custom_role": invitation.custom_role},
        )
    details = {"role": invitation.role_name, "invitation": invitation.code}
    record(Action.INVITATION_ACCEPTED, user=user, target=user, organization=invitation.organization, details=details)


def _is_still_given(invitation: Invitation) -> bool:
    """Whether whoever invited may still give what they offered: people leave, and roles change what they hold."""
    if invitation.created_by is None:
        return False
    try:
        _check_offer(invitation.created_by, _offer_of(invitation))
    except (Refused, PrivilegeMissing):
        return False
    return True


def _offer_of(invitation: Invitation) -> Offer:
    grant = None
    if invitation.project:
        grant = Grant(ProjectRole(invitation.project_role), invitation.custom_role)
    return Offer(invitation.organization, OrganizationRole(invitation.organization_role), invitation.project, grant)


def _check_offer(user: User, offer: Offer) -> None:
    if offer.project and offer.project.organization_id != offer.organization.pk:
        raise InvitationRefused(f"Choose a project of {offer.organization}.")
    if offer.project and offer.grant:
        require(user, Privilege.MEMBER_MANAGE, offer.project)
        check_grant(user, offer.grant, offer.project)
    if not offer.project or offer.organization_role != OrganizationRole.MEMBER:
        require_in_organization(user, Privilege.MEMBER_MANAGE, offer.organization)
        check_organization_role(user, offer.organization_role, offer.organization)
