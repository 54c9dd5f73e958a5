"""Text that is encrypted in the database, and in memory until somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from .errors import EncryptionKeysUnusable, SecretUnreadable

DUMPED = "encrypted:"
"""What a dump has before a ciphertext."""


MOST_REMEMBERED = 500
_revealed: dict[str, None] = {}


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise EncryptionKeysUnusable("ENCRYPTION_KEYS is not set, so no secret can be stored.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        # Without the cause, whose message may show a key.
        raise EncryptionKeysUnusable(
            "ENCRYPTION_KEYS holds something that is no Fernet key, so no secret can be stored."
        ) from None


def check_keys() -> None:
    """Raise EncryptionKeysUnusable unless secrets can be stored."""
    _cipher(tuple(settings.ENCRYPTION_KEYS))


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is decrypted only where it is used, so that one unreadable secret is one thing's trouble.

    Truthy if there is a text. Two secrets are equal if their ciphertexts are, which those of one text never are.
    """

    stored: str = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Secret:
        """`text`, encrypted with the first of ENCRYPTION_KEYS; EncryptionKeysUnusable if there is none."""
        return cls(_cipher(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode() if text else "")

    def __bool__(self) -> bool:
        return bool(self.stored)

    def written_anew(self) -> Secret:
        """The same text, encrypted with the first of ENCRYPTION_KEYS; SecretUnreadable if none of them wrote it."""
        return Secret.of(self.reveal())

    @property
    def is_of_first_key(self) -> bool:
        """Whether the first of ENCRYPTION_KEYS suffices to read it; true of no text."""
        try:
            return not self.stored or bool(_cipher(tuple(settings.ENCRYPTION_KEYS[:1])).decrypt(self.stored.encode()))
        except (InvalidToken, EncryptionKeysUnusable):
            return False

    def reveal(self) -> str:
        """The text, whichever of ENCRYPTION_KEYS wrote it; SecretUnreadable if none of them did."""
        if not self.stored:
            return ""
        try:
            text = _cipher(tuple(settings.ENCRYPTION_KEYS)).decrypt(self.stored.encode()).decode()
        except (InvalidToken, EncryptionKeysUnusable) as error:
            raise SecretUnreadable from error
        _remember(text)
        return text


def revealed_secrets() -> tuple[str, ...]:
    """What this process has decrypted lately, for whoever has to keep it out of a log."""
    return tuple(_revealed)


def _remember(text: str) -> None:
    _revealed.pop(text, None)
    _revealed[text] = None
    while len(_revealed) > MOST_REMEMBERED:
        # Another thread may have been faster.
        _revealed.pop(next(iter(_revealed), ""), None)


def _as_secret(value: Any) -> Any:
    return value if value is None or isinstance(value, Secret) else Secret.of(str(value))


class _SecretAttribute(DeferredAttribute):
    """Makes a Secret of a text the moment it is assigned, so that a row in memory never holds the text itself."""

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = _as_secret(value)


if TYPE_CHECKING:
    _TextField = models.TextField[str | Secret, Secret]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """A text column that holds ciphertext. Rows hold a Secret; a plain text may be assigned.

    A dump (`dumpdata`) holds the ciphertext too, with DUMPED before it; it can be read where the same keys are.
    """

    descriptor_class = _SecretAttribute

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret | None:
        return None if value is None else Secret(value)

    def to_python(self, value: Any) -> Any:
        # Only what reads dumps hands texts to this: what somebody typed is assigned, and is a secret before.
        if isinstance(value, str) and value.startswith(DUMPED):
            return Secret(value.removeprefix(DUMPED))
        return _as_secret(value)

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else _as_secret(value).stored

    def value_to_string(self, obj: models.Model) -> str:
        secret: Secret | None = self.value_from_object(obj)
        return DUMPED + secret.stored if secret else ""
