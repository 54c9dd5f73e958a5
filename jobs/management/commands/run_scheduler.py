import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from jobs.worker import log, sweep

PERIOD_SECONDS = 2.0


class Command(BaseCommand):
    help = "Does what is due: gives the jobs of workers that died to the others. Any number may run."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        while not stopping.wait(PERIOD_SECONDS):
            try:
                sweep()
            except DatabaseError as trouble:
                log.warning("The database does not answer, trying again: %s", trouble)
                close_old_connections()
