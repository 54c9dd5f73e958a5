import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand

from jobs.worker import run_worker


class Command(BaseCommand):
    help = "Carries out jobs until it is told to stop; SIGTERM hands unfinished jobs back."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        if not run_worker(stopping):
            sys.exit(1)
