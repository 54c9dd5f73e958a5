from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.beat import SILENT_SECONDS, silent_seconds


class Command(BaseCommand):
    help = "Ends with 0 while a scheduler of this host lives and reaches the database, else with 1; for supervisors."

    def handle(self, *args: Any, **options: Any) -> None:
        seconds = silent_seconds()
        if seconds is None:
            raise CommandError("No scheduler runs on this host.")
        if seconds > SILENT_SECONDS:
            raise CommandError(f"The scheduler of this host completed its last round {seconds:.0f} s ago.")
        self.stdout.write(f"The scheduler completed a round {seconds:.0f} s ago.")
