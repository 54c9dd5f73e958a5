"""Identifiers of backups."""

from accounts.codes import hex_code


def backup_code(number: int) -> str:
    return hex_code(f"backup{number}_", 15)
