"""How a line of the log looks, and what never stands in one."""

from __future__ import annotations

import logging

from accounts.encryption import revealed_secrets
from dataplane.redaction import parts_of, without_secrets


class SafeFormatter(logging.Formatter):
    """Masks what looks like a secret, and whatever this process has decrypted, tracebacks included.

    Our own messages hold none; but libraries put what they were given into their errors and their debugging lines.
    """

    def format(self, record: logging.LogRecord) -> str:
        secrets = [part for secret in revealed_secrets() for part in parts_of(secret)]
        return without_secrets(super().format(record), secrets)
