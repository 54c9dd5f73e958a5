"""Writing every stored secret anew with the first of ENCRYPTION_KEYS, so that the keys behind it can be dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import models, transaction

from .audit import record
from .audit_actions import Action
from .encryption import EncryptedTextField, Secret, check_keys
from .errors import SecretUnreadable

BATCH = 200
# Texts that django-allauth keeps inside of a JSON column, encrypted by our adapter.
SECRET_NAMES = frozenset({"secret", "seed", "migrated_codes"})


@dataclass
class Rotated:
    """What became of the secrets of one column."""

    label: str
    written: int = 0
    current: int = 0
    unreadable: int = 0


def rotate_secrets(*, say: Callable[[Rotated], object]) -> list[Rotated]:
    """Write anew whatever an older key wrote, in small transactions; `say` gets each column when it is done.

    Safe to end at any moment and to run again, and while the site is at work: a row is locked while it is read and
    written. EncryptionKeysUnusable if there is no first key. What no key reads stays as it is, and is counted.
    """
    check_keys()
    done = []
    for model, field in _columns():
        rotated = Rotated(f"{model._meta.label}.{field.name}")
        _rotate(model, field, rotated)
        say(rotated)
        done.append(rotated)
    record(Action.SECRETS_ROTATED, user=None, details={rotated.label: rotated.written for rotated in done})
    return done


def _columns() -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField) or (model is Authenticator and field.name == "data"):
                yield model, field


def _rotate(model: type[models.Model], field: models.Field[Any, Any], rotated: Rotated) -> None:
    last = None
    while True:
        with transaction.atomic():
            rows = model._default_manager.select_for_update().order_by("pk")
            batch = list((rows if last is None else rows.filter(pk__gt=last))[:BATCH])
            if not batch:
                return
            for row in batch:
                before = getattr(row, field.attname)
                after = _anew(before, rotated)
                if after is not before:
                    # Of the whole row this column alone: others may have been changed meanwhile.
                    model._default_manager.filter(pk=row.pk).update(**{field.attname: after})
            last = batch[-1].pk


def _anew(value: Any, rotated: Rotated) -> Any:
    """`value` written with the first key; the very same object where nothing is to be done."""
    if isinstance(value, Secret):
        return _secret_anew(value, rotated)
    if not isinstance(value, dict):
        return value
    changed = {}
    for name, held in value.items():
        if name in SECRET_NAMES and held:
            texts = held if isinstance(held, list) else [held]
            fresh = [_secret_anew(Secret(str(text)), rotated).stored for text in texts]
            if fresh != texts:
                changed[name] = fresh if isinstance(held, list) else fresh[0]
    return {**value, **changed} if changed else value


def _secret_anew(secret: Secret, rotated: Rotated) -> Secret:
    if secret.is_of_first_key:
        rotated.current += bool(secret)
        return secret
    try:
        fresh = secret.written_anew()
    except SecretUnreadable:
        rotated.unreadable += 1
        return secret
    rotated.written += 1
    return fresh


def count_left() -> int:
    """How many secrets the first key does not read; 0 means that the others can be dropped."""
    left = 0
    for model, field in _columns():
        for value in model._default_manager.values_list(field.attname, flat=True).iterator(chunk_size=BATCH):
            left += sum(not secret.is_of_first_key for secret in _secrets_in(value))
    return left


def _secrets_in(value: Any) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, dict):
        for name, held in value.items():
            if name in SECRET_NAMES and held:
                yield from (Secret(str(text)) for text in (held if isinstance(held, list) else [held]))
