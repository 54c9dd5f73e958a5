"""API keys: making one, taking it back, and who acts with one. What a key is allowed is said by accounts.access."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from .access import privileges_in, require
from .audit import record, refusals_as
from .audit_actions import Action, Outcome
from .audit_context import current_source
from .errors import Refused
from .models import ApiKey, OrganizationMember, Project, ProjectMember, User
from .privileges import Privilege, ProjectRole, with_implied
from .texts import is_one_plain_line

# Tells scanners of repositories, and people who find one, what it is.
TOKEN_PREFIX = "bks_"  # noqa: S105
SHOWN_CHARACTERS = 10
LONGEST_NAME = 60
MOST_DAYS = 3_650
MOST_LIVING_KEYS = 50
# Machines call often; the list of keys needs no more than this.
SEEN_EVERY = timedelta(minutes=1)


class KeyExists(Refused):
    """A form was sent twice: its key has been made, and is not shown again."""


@dataclass(frozen=True)
class NewKey:
    key: ApiKey
    token: str
    """The key itself, for this one moment."""

    def __repr__(self) -> str:
        return f"NewKey({self.key!r})"


@refusals_as(Action.KEY_MADE, of="user")
@transaction.atomic
def make_personal_key(
    *,
    user: User,
    name: str,
    privileges: Collection[Privilege],
    days: int | None,
    project: Project | None = None,
    code: str = "",
) -> NewKey:
    """A key that acts as `user`, with `privileges` as far as they hold them, in all of their projects or in one.

    `days` is None for one that does not expire. `code`, if given, is what the key shall be called by: asked twice with
    the same one, this refuses with KeyExists.
    """
    if user.restriction is not None:  # it would make one that may do more than itself, or lives longer
        raise Refused("Only people make keys, not keys.")
    if project is not None and not privileges_in(user, project):
        raise Refused("Choose one of your projects.", field="project")
    key = ApiKey(user=user, project=project, created_by=user)
    return _make(key, name, privileges, days, code)


@refusals_as(Action.KEY_MADE, of="project")
@transaction.atomic
def make_project_key(
    *,
    user: User,
    project: Project,
    name: str,
    privileges: Collection[Privilege],
    days: int | None,
    code: str = "",
) -> NewKey:
    """A key that belongs to `project` and stays when whoever made it leaves.

    It acts as a user of its own. Refused if it were given what `user` does not hold there.
    """
    require(user, Privilege.MEMBER_MANAGE, project)
    beyond = set(privileges) - privileges_in(user, project)
    if beyond:
        names = ", ".join(sorted(f"“{privilege}”" for privilege in beyond))
        raise Refused(f"You cannot give what you do not hold in {project}: {names}.", field="privileges")
    key = ApiKey(project=project, is_of_project=True, created_by=user)
    key.user = User.objects.create(
        email=f"{key.code}@keys.invalid",
        name=f"key {name.strip()} of {project}"[:120],
        password=make_password(None),
        is_machine=True,
    )
    OrganizationMember.objects.create(organization=project.organization, user=key.user)
    # The restriction leaves of this what the key was made for.
    ProjectMember.objects.create(project=project, user=key.user, role=ProjectRole.ADMIN)
    return _make(key, name, privileges, days, code)


def _make(key: ApiKey, name: str, privileges: Collection[Privilege], days: int | None, code: str) -> NewKey:
    key.name = name.strip()
    if not 1 <= len(key.name) <= LONGEST_NAME:
        raise Refused(f"A key needs a name of 1 to {LONGEST_NAME} characters.", field="name")
    if not is_one_plain_line(key.name):
        raise Refused("A name is one line, without characters that nobody sees.", field="name")
    if not privileges:
        raise Refused("Choose at least one privilege: a key without any can do nothing.", field="privileges")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Refused(f"A key lasts 1 to {MOST_DAYS:,} days, or until it is revoked.", field="days")
    same_holder = {"project": key.project} if key.is_of_project else {"user": key.user}
    living = ApiKey.objects.filter(is_of_project=key.is_of_project, revoked_at=None, **same_holder)
    if living.count() >= MOST_LIVING_KEYS:
        raise Refused(f"There are {MOST_LIVING_KEYS} keys already. Revoke those that nobody needs.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    key.privileges = sorted(with_implied(frozenset(privileges)))
    key.prefix, key.digest = token[:SHOWN_CHARACTERS], _digest(token)
    key.expires_at = timezone.now() + timedelta(days=days) if days else None
    key.code = code or key.code
    try:
        with transaction.atomic():
            key.save()
    except IntegrityError as clash:
        raise KeyExists("This key was made already, and is not shown again. Revoke it if you lost it.") from clash
    ends = f"{key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "when revoked"
    details = {"privileges": key.privileges, "ends": ends}
    record(Action.KEY_MADE, user=key.created_by, target=key, project=key.project, details=details)
    return NewKey(key, token)


@refusals_as(Action.KEY_REVOKED, of="key")
@transaction.atomic
def revoke_key(*, user: User, key: ApiKey) -> None:
    """Let `key` end now; nothing happens to one that was revoked before.

    People revoke their own; a project's are revoked by whoever manages its members.
    """
    if key.is_of_project and key.project is not None:
        require(user, Privilege.MEMBER_MANAGE, key.project)
    elif key.user_id != user.pk:
        raise Refused("Only the person whose key this is can revoke it.")
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        record(Action.KEY_REVOKED, user=user, target=key, project=key.project)
        if key.is_of_project:
            key.user.organization_memberships.all().delete()
            key.user.project_memberships.all().delete()
            User.objects.filter(pk=key.user_id).update(is_active=False)
    key.refresh_from_db()


def authenticate(token: str) -> User | None:
    """Whoever acts with `token`, restricted to what its key was made for; None if no living key is that one.

    Why not is told by the audit log alone. The one returned carries the key as `acting_key`.
    """
    digest = _digest(token)
    # What is compared is a digest, of which nobody who guesses can steer a character; the rest takes the same time.
    key = ApiKey.objects.filter(digest=digest).select_related("user", "project__organization").first()
    if key is None or not hmac.compare_digest(key.digest, digest):
        _refuse(None, "No key is this one.")
        return None
    reason = key.why_dead(timezone.now())
    if not reason and not key.user.is_active:
        reason = "The account of whose key this is was closed."
    if not reason and not key.user.organization_memberships.exists():
        reason = "Whoever this key belongs to is in no organization any more."
    if reason:
        _refuse(key, reason)
        return None
    _note_use(key)
    user = key.user
    user.restriction, user.acting_key = key.restriction, key
    source = current_source()
    source.key_code, source.key_name = key.code, key.name
    return user


def authenticate_request(request: HttpRequest) -> User | None:
    """Whoever acts with the key in `Authorization: Bearer …`; None without one, or if it is none that lives."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    return authenticate(token.strip()[:200])


def _digest(token: str) -> str:
    """Of 256 random bits, which need no salt and no slow digest: nobody can try them all."""
    return hashlib.sha256(token.encode()).hexdigest()


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - SEEN_EVERY:
        # The condition spares the row what another process has just written.
        due = ApiKey.objects.filter(pk=key.pk).not_used_since(now - SEEN_EVERY)
        due.update(last_used_at=now, last_address=current_source().address)


def _refuse(key: ApiKey | None, reason: str) -> None:
    record(
        Action.KEY_REFUSED,
        user=key.user if key else None,
        target=key,
        project=key.project if key else None,
        outcome=Outcome.REFUSED,
        reason=reason,
        once=True,
    )
