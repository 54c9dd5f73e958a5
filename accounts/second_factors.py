"""Who has a second factor, and who is asked for one."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from .models import Organization, OrganizationMember, User

# Recovery codes alone are none: they come with one of these and go with the last.
SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def factors_of(user: Any) -> QuerySet[Authenticator]:
    """The second factors of a person, or of whoever an outer query speaks of."""
    return Authenticator.objects.filter(user=user, type__in=SECOND_FACTORS)


def has_second_factor(user: User) -> bool:
    return factors_of(user).exists()


def organizations_that_ask(user: User) -> list[Organization]:
    """Those of the user's organizations that want two factors of everybody."""
    memberships = OrganizationMember.objects.filter(user=user, organization__requires_two_factors=True)
    return [membership.organization for membership in memberships.select_related("organization")]


def lacks_required_factor(user: User) -> bool:
    """Whether `user` may do nothing before they have set up a second factor; one query for most people."""
    asked = OrganizationMember.objects.filter(user=user, organization__requires_two_factors=True).exists()
    return asked and not has_second_factor(user)
