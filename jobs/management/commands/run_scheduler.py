import signal
import threading
import time
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from jobs.beat import beat, fall_silent
from jobs.firing import fire_due
from jobs.retention import request_expiries
from jobs.upkeep import keep_up, keep_usage_up
from jobs.worker import log, sweep

PERIOD_SECONDS = 2.0
# Days are what retention is counted in; looking for what is over every few seconds would help nobody.
EXPIRY_PERIOD_SECONDS = 30.0
UPKEEP_PERIOD_SECONDS = 3600.0
USAGE_PERIOD_SECONDS = 60.0


class Command(BaseCommand):
    help = (
        "Does what is due: starts scheduled backups, ends copies whose retention is over, and gives the jobs of "
        "workers that died to the others. Any number may run."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        looked_at = -EXPIRY_PERIOD_SECONDS
        kept_up_at = -UPKEEP_PERIOD_SECONDS
        metered_at = -USAGE_PERIOD_SECONDS
        while not stopping.is_set():
            try:
                sweep()
                if time.monotonic() - kept_up_at >= UPKEEP_PERIOD_SECONDS:
                    keep_up(timezone.now())
                    kept_up_at = time.monotonic()
                if time.monotonic() - metered_at >= USAGE_PERIOD_SECONDS:
                    keep_usage_up(timezone.now())
                    metered_at = time.monotonic()
                fire_due(timezone.now())
                if time.monotonic() - looked_at >= EXPIRY_PERIOD_SECONDS:
                    request_expiries(timezone.now())
                    looked_at = time.monotonic()
                beat()
            except DatabaseError as trouble:
                log.warning("The database does not answer, trying again: %s", trouble)
                close_old_connections()
            stopping.wait(PERIOD_SECONDS)
        fall_silent()
