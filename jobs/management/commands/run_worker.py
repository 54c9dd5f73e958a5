import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusters.models import Region
from jobs.worker import run_worker


class Command(BaseCommand):
    help = (
        "Carries out jobs until it is told to stop; SIGTERM hands unfinished jobs back. Looks at the rows by itself, "
        "or is woken by messages where BROKER_URL names a broker."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--region",
            action="append",
            default=[],
            metavar="CODE",
            help="Take only the jobs of this region, such as gcp-europe-west3; may be repeated. Default: all.",
        )

    def handle(self, *args: Any, region: list[str], **options: Any) -> None:
        for code in region:
            if not Region.objects.filter(code=code).exists():
                raise CommandError(f"There is no region called {code}. The Settings page of the site lists them.")
        if settings.BROKER_URL:
            from jobs.celery_app import run_woken_worker

            sys.exit(run_woken_worker(region))
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        if not run_worker(stopping, region):
            sys.exit(1)
