"""Who has a second factor, and who is asked for one."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import QuerySet

from .models import Organization, OrganizationMember, User

# The parts of an authenticator's data that are encrypted: the key of an app, the seed of recovery codes.
ENCRYPTED = ("secret", "seed")
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


def encrypt_again() -> int:
    """Write what apps and recovery codes are made of with the first of ENCRYPTION_KEYS; how many rows changed.

    SecretUnreadable for a row that none of the keys can read, and then nothing is changed.
    """
    adapter, number = get_adapter(), 0
    with transaction.atomic():
        for row in Authenticator.objects.select_for_update().order_by("pk"):
            secrets = {name: adapter.decrypt(row.data[name]) for name in ENCRYPTED if name in row.data}
            if secrets:
                row.data |= {name: adapter.encrypt(text) for name, text in secrets.items()}
                row.save(update_fields=["data"])
                number += 1
    return number
