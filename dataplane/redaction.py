"""Takes secrets out of what other people's programs say, before anybody keeps or shows it. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
SHORTEST = 4
"""What is shorter stands in every other word, and guards nothing."""
SHORTEST_PART = 8
"""Of a part: the password that a fresh Milvus comes with is the name of the program."""

_SHAPES = (
    # What stands before the @ of an address.
    (re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", re.IGNORECASE), rf"\g<before>{MASK}@"),
    (re.compile(r"(?P<before>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\g<before>{MASK}"),
    # Our own keys, those of AWS and of Google's service accounts.
    (re.compile(r"\bbks_[\w-]{20,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), MASK),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    # Signed addresses, and whatever calls itself a secret.
    (
        re.compile(
            r"(?P<before>\b[\w-]*(?:secret|passw(?:or)?d|token|signature|account_key|access_key|sas_key|[?&]sig)"
            r"[\w-]*[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]{4,}",
            re.IGNORECASE,
        ),
        rf"\g<before>{MASK}",
    ),
)


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with each of `secrets`, as it is, as URLs spell it and in base64, and whatever looks like one, masked."""
    for secret in sorted({*secrets}, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            for spelled in _spellings(secret):
                text = text.replace(spelled, MASK)
    for shape, masked in _SHAPES:
        text = shape.sub(masked, text)
    return text


def parts_of(secret: str) -> tuple[str, ...]:
    """`secret` and what is secret within it: the password of user:password, and the values of NAME=value lines."""
    parts = [secret]
    lines = [line for line in secret.splitlines() if "=" in line]
    if lines:
        # The name of a region is no secret, and stands in many sentences.
        parts += [line.partition("=")[2].strip() for line in lines if _SECRET_NAME.search(line.partition("=")[0])]
    elif ":" in secret:
        parts.append(secret.partition(":")[2])
    return (secret, *(part for part in parts[1:] if len(part) >= SHORTEST_PART))


_SECRET_NAME = re.compile(r"key|secret|token|password|credential|sas", re.IGNORECASE)


def _spellings(secret: str) -> set[str]:
    return {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}
