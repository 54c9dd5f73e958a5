"""Text that is readable in memory and encrypted in the database."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("ENCRYPTION_KEYS is not set: secrets can be neither stored nor read. See README.")
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """`text` encrypted with the first of ENCRYPTION_KEYS; the empty text stays empty."""
    return _cipher(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode() if text else ""


def decrypt(stored: str) -> str:
    """The text behind `encrypt`; any of ENCRYPTION_KEYS may have written it."""
    if not stored:
        return ""
    try:
        return _cipher(tuple(settings.ENCRYPTION_KEYS)).decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured("A stored secret was written with a key that is not in ENCRYPTION_KEYS.") from error


class EncryptedTextField(models.TextField):
    """A text column that holds ciphertext; models and forms see the plain text."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encrypt(str(value))
