"""The ways this room says no."""

from accounts.errors import Refused


class BackupRefused(Refused):
    """A rule about backups or copies said no."""


class StaleBackup(Exception):
    """Somebody else moved this backup or copy first."""
