import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs.models import Worker


class Command(BaseCommand):
    help = "Ends with 0 while a worker of this host lives and reaches the database, else with 1; for supervisors."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--anywhere", action="store_true", help="A worker on any host will do.")

    def handle(self, *args: Any, anywhere: bool, **options: Any) -> None:
        workers = Worker.objects.all() if anywhere else Worker.objects.filter(host=socket.gethostname())
        where = "" if anywhere else " on this host"
        newest = workers.order_by("-seen_at").first()
        if newest is None:
            raise CommandError(f"No worker has been seen{where}.")
        if not newest.is_living:
            raise CommandError(f"{newest} was seen last at {newest.seen_at:%Y-%m-%d %H:%M:%S} UTC.")
        seconds = (timezone.now() - newest.seen_at).total_seconds()
        self.stdout.write(f"{newest} was seen {seconds:.0f} s ago.")
