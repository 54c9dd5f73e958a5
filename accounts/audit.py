"""The audit log: who did what to which thing, when and from where, and what they were refused.

Services say `record(...)` in the transaction of the change itself, so that neither is ever there without the other. A
refusal is noted where it is met and written down once, when the request has ended, for its own transaction is undone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from .audit_actions import Action, Outcome
from .audit_context import Refusal, Source, current_source, note_refusal
from .audit_models import AuditEntry
from .codes import audit_code
from .errors import PrivilegeMissing, Refused
from .models import Organization, OrganizationMember, Project, User
from .texts import make_plain

log = logging.getLogger(__name__)

THE_SITE = "The site"
# A page that asks every second may go on asking for as long as it is open.
SAME_REFUSAL_FOR = timedelta(minutes=10)
MOST_DETAIL_CHARACTERS = 4_000
LONGEST_ACTOR_NAME = 300

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def record(
    action: Action,
    *,
    user: User | None,
    target: models.Model | None = None,
    project: Project | None = None,
    organization: Organization | None = None,
    outcome: Outcome = Outcome.DONE,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    once: bool = False,
) -> None:
    """Write down that `user`, or with None the site itself, did `action` to `target`.

    Whose log it is follows from `project` or `organization`, or from the target's own. What concerns a person alone, as
    signing in does, is told to every organization they belong to; if that is none, it is nobody's. `details` holds what
    a reader wants to know besides, a few names and numbers and never a secret. With `once` the same is not written
    again within SAME_REFUSAL_FOR: machines go on asking.
    """
    entry = _entry(action, user, target, current_source())
    entry.outcome, entry.reason, entry.details = outcome, make_plain(reason)[:1000], _bounded(details or {})
    organization_id = _place(entry, target, project, organization)
    if once and _was_just_said(entry):
        return
    if organization_id is None:
        person = target if isinstance(target, User) else user
        _save_for(entry, _organizations_of(person) if person else [])
    else:
        _save_for(entry, [organization_id])


def refusals_as(action: Action, *, of: str) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """Say of a service what its `user` wanted when it refuses, and that it was about its argument `of`."""

    def mark(service: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        @wraps(service)
        def ask(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            try:
                return service(*args, **kwargs)
            except (Refused, PermissionDenied) as refusal:
                user, target = kwargs.get("user"), kwargs.get(of)
                if isinstance(user, User) and isinstance(target, models.Model):
                    note_refusal(refusal, user=user, action=action, target=target)
                raise

        return ask

    return mark


def record_refusals(source: Source, *, path: str, code: str = "", was_denied: bool = False) -> None:
    """Write down what was refused to somebody in the request that has just ended, each once.

    `was_denied` says that the answer was 403: only then was a missing privilege what the person was told. Losing an
    entry must not turn a refusal into a server error.
    """
    for refusal in source.refusals:
        if isinstance(refusal.exception, PermissionDenied) and not was_denied:
            continue
        try:
            with transaction.atomic():
                _record_refusal(refusal, source, path=path, code=code)
        except DatabaseError:
            log.exception("A refusal could not be recorded")
    source.refusals.clear()


def _record_refusal(refusal: Refusal, source: Source, *, path: str, code: str) -> None:
    entry = _entry(refusal.action or Action.ACCESS_REFUSED, refusal.user, refusal.target, source)
    if refusal.target is None:
        entry.target_type, entry.target_code = "page", make_plain(code)[:120]
        entry.target_name = make_plain(path)[:300]
    entry.outcome, entry.reason = Outcome.REFUSED, make_plain(str(refusal.exception))[:1000]
    if isinstance(refusal.exception, PrivilegeMissing):
        entry.details = {"privileges": [str(privilege.value) for privilege in refusal.exception.need.privileges]}
    organization_id = _place(entry, refusal.target, refusal.project, refusal.organization)
    if organization_id is None:
        # One organization's owner must not read in their log what there is in another.
        own = _organizations_of(refusal.user)
        organization_id = own[0] if len(own) == 1 else None
    if not _was_just_said(entry):
        _save_for(entry, [] if organization_id is None else [organization_id])


def _entry(action: Action, user: User | None, target: models.Model | None, source: Source) -> AuditEntry:
    return AuditEntry(
        action=action,
        actor=user,
        actor_name=_name_of(user) if user else _nobody(source),
        key_code=source.key_code,
        key_name=make_plain(source.key_name)[:120],
        target_type=target._meta.model_name or "" if target else "",
        target_code=make_plain(_code_of(target))[:120],
        target_name=make_plain(str(target))[:300] if target else "",
        address=source.address,
        request_id=source.request_id,
    )


def _name_of(user: User) -> str:
    """Name and address. The name, which people choose, is never so long that the address is cut off."""
    address = make_plain(user.email)
    room = LONGEST_ACTOR_NAME - len(address) - len(" ()")
    return f"{make_plain(user.name)[:room]} ({address})" if user.name and room > 0 else address


def _code_of(target: models.Model | None) -> str:
    """What people call the target by elsewhere; a thing without a code of its own says which one stands for it."""
    names = (name for name in ("audit_code", "code", "email") if hasattr(target, name))
    return str(getattr(target, next(names, ""), ""))


def _nobody(source: Source) -> str:
    return f"manage.py {source.command}" if source.command else THE_SITE


def _was_just_said(entry: AuditEntry) -> bool:
    return AuditEntry.objects.like(entry, since=timezone.now() - SAME_REFUSAL_FOR).exists()


def _save_for(entry: AuditEntry, organization_ids: list[int]) -> None:
    """The entry once for each of the organizations, or once for nobody's."""
    owners: list[int | None] = [*organization_ids] or [None]
    for organization_id in owners:
        entry.pk, entry._state.adding = None, True
        entry.code = audit_code()
        entry.organization_id = organization_id
        entry.save()


def _place(
    entry: AuditEntry, target: models.Model | None, project: Project | None, organization: Organization | None
) -> int | None:
    """Give the entry its project, if it has one; returns the organization that follows from everything known."""
    if project is None:
        found = target if isinstance(target, Project) else getattr(target, "project", None)
        project = found if isinstance(found, Project) else None
    entry.project = project
    if organization is not None:
        return organization.pk
    if project is not None:
        return project.organization_id
    return target.pk if isinstance(target, Organization) else getattr(target, "organization_id", None)


def _organizations_of(person: User) -> list[int]:
    return list(OrganizationMember.objects.filter(user=person).values_list("organization", flat=True))


def _bounded(details: Mapping[str, Any]) -> dict[str, Any]:
    """`details`, or only their names if they are too much to keep."""
    text = json.dumps(details, cls=DjangoJSONEncoder)
    if len(text) <= MOST_DETAIL_CHARACTERS:
        plain: dict[str, Any] = _make_plain(json.loads(text))
        return plain
    return {"left out": sorted(details)[:50], "characters": len(text)}


def _make_plain(value: Any) -> Any:
    """`value`, which came from JSON, with plain texts in it."""
    if isinstance(value, dict):
        return {make_plain(name): _make_plain(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_make_plain(held) for held in value]
    return make_plain(value) if isinstance(value, str) else value
