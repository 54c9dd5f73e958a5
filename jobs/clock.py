"""The clock that leases are kept by."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils import timezone


def lease_time() -> datetime:
    """The database server's time, where there is a server: machines whose clocks differ still agree on who is late.

    SQLite has one machine, and its clock.
    """
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now
