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

    def reveal(self) -> str:
        """The text, whichever of ENCRYPTION_KEYS wrote it; SecretUnreadable if none of them did."""
        if not self.stored:
            return ""
        try:
            return _cipher(tuple(settings.ENCRYPTION_KEYS)).decrypt(self.stored.encode()).decode()
        except (InvalidToken, EncryptionKeysUnusable) as error:
            raise SecretUnreadable from error


class _SecretAttribute(DeferredAttribute):
    """Makes a Secret of a text the moment it is assigned, so that a row in memory never holds the text itself."""

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = self.field.to_python(value)


if TYPE_CHECKING:
    _TextField = models.TextField[str | Secret, Secret]
else:
    _TextField = models.TextField


class EncryptedTextField(_TextField):
    """A text column that holds ciphertext. Rows hold a Secret; a plain text may be assigned."""

    descriptor_class = _SecretAttribute

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Secret | None:
        return None if value is None else Secret(value)

    def to_python(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Secret) else Secret.of(str(value))

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else self.to_python(value).stored

    def value_to_string(self, obj: models.Model) -> str:
        secret: Secret | None = self.value_from_object(obj)
        return secret.reveal() if secret else ""
