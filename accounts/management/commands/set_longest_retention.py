from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.commands import RecordedCommand
from accounts.errors import Refused
from accounts.models import Organization
from accounts.services import set_longest_retention


class Command(RecordedCommand):
    help = "Says for how many days schedules of an organization may keep what they make; 30 if nobody says so."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("days", type=int)
        parser.add_argument("--organization", required=True, help="code, or name where only one has it")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["organization"]
        found = list(Organization.objects.filter(code=wanted) or Organization.objects.filter(name__iexact=wanted))
        if len(found) != 1:
            raise CommandError(f"{len(found)} organizations are called {wanted[:100]!r}. Name one, by its code.")
        try:
            set_longest_retention(organization=found[0], days=options["days"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Schedules of {found[0]} may keep what they make for up to {options['days']} days.")
