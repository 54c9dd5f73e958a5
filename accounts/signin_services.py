"""Every change to how people sign in that is not django-allauth's own."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.db import transaction

from .access import require_in_organization
from .audit import record, refusals_as
from .audit_actions import Action
from .errors import Refused
from .models import Organization, OrganizationMember, User
from .privileges import Privilege
from .second_factors import has_second_factor


@transaction.atomic
def set_password(*, person: User, password: str) -> None:
    """Give somebody another password, which ends their sessions. ValidationError for a weak one."""
    validate_password(password, person)
    person.set_password(password)
    person.save(update_fields=["password"])
    _end_all(person)
    record(Action.PASSWORD_CHANGED, user=None, target=person)


@transaction.atomic
def remove_second_factors(*, person: User) -> int:
    """For who has lost the phone and the recovery codes: how many authenticators were removed. Ends their sessions."""
    factors = Authenticator.objects.filter(user=person)
    number = factors.exclude(type=Authenticator.Type.RECOVERY_CODES).count()
    factors.delete()
    _end_all(person)
    record(Action.FACTOR_REMOVED, user=None, target=person, details={"factor": "all of them"})
    return number


@transaction.atomic
def end_session(*, user: User, session: UserSession) -> None:
    """End one of one's own sessions: whoever holds it is signed out with their next request."""
    if session.user_id != user.pk:
        raise Refused("Only the person whose session this is can end it so.")
    session.end()
    record(Action.SESSION_ENDED, user=user, target=user, details={"address": session.ip})


@refusals_as(Action.SESSION_ENDED, of="member")
@transaction.atomic
def end_sessions_of(*, user: User, member: OrganizationMember) -> int:
    """Sign a member of the organization out everywhere; how many sessions that ended.

    Who belongs to other organizations too is signed out of those as well: there is one account.
    """
    require_in_organization(user, Privilege.MEMBER_MANAGE, member.organization)
    number = _end_all(member.user)
    record(
        Action.SESSION_ENDED,
        user=user,
        target=member.user,
        organization=member.organization,
        details={"sessions": number},
    )
    return number


@refusals_as(Action.ORGANIZATION_CHANGED, of="organization")
@transaction.atomic
def require_two_factors(*, user: User, organization: Organization, is_required: bool) -> None:
    """Ask two factors of every member, from their next request on, or stop asking. Keys are not affected.

    Refused for somebody who has none: they would lock themselves out of the page that takes it back.
    """
    require_in_organization(user, Privilege.MEMBER_MANAGE, organization)
    if is_required and not has_second_factor(user):
        raise Refused("Set up a second factor for yourself first, so that you see what you ask of the others.")
    if organization.requires_two_factors == is_required:
        return
    organization.requires_two_factors = is_required
    organization.save(update_fields=["requires_two_factors"])
    record(
        Action.ORGANIZATION_CHANGED,
        user=user,
        target=organization,
        details={"two factors": "required" if is_required else "not required"},
    )


def _end_all(person: User) -> int:
    sessions = list(UserSession.objects.filter(user=person))
    for session in sessions:
        session.end()
    return len(sessions)
