import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from clusters.keeper import keep_embedded_clusters


class Command(BaseCommand):
    help = "Runs a Milvus Lite server for every embedded cluster until it is told to stop. Run exactly one."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        keep_embedded_clusters(stopping)
