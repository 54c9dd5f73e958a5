"""The identifiers people, URLs, stores and logs use for a thing; row numbers never leave the database."""

import secrets
import string

_LETTERS = string.ascii_lowercase + string.digits


def hex_code(prefix: str, length: int) -> str:
    """`prefix` and `length` random hexadecimal digits, e.g. `in01-1f0c…`."""
    return prefix + secrets.token_hex((length + 1) // 2)[:length]


def letter_code(prefix: str, length: int) -> str:
    """`prefix` and `length` random lower-case letters and digits, e.g. `job-04u4…`."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


def organization_code() -> str:
    return hex_code("org-", 22)


def project_code() -> str:
    return hex_code("proj-", 22)


def key_code() -> str:
    return hex_code("key-", 22)


def audit_code() -> str:
    return hex_code("audit-", 22)


def member_code() -> str:
    return hex_code("mem-", 22)


def custom_role_code() -> str:
    return hex_code("role-", 22)


def invitation_code() -> str:
    return hex_code("inv-", 22)
