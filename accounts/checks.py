"""Mistakes in the settings that would show only when somebody types a secret."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from .encryption import check_keys
from .errors import EncryptionKeysUnusable

HINT = (
    'Make a key with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())". '
    "Keep the old keys behind it, separated by commas."
)


def check_encryption_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    try:
        check_keys()
    except EncryptionKeysUnusable as trouble:
        if settings.ENCRYPTION_KEYS:
            return [Error(str(trouble), hint=HINT, id="accounts.E001")]
        return [Warning(str(trouble), hint=HINT, id="accounts.W001")]
    return []
