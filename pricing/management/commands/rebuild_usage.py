from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pricing.usage import places_of_ledger, rebuild_place

MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Makes the daily usage anew from the ledger, place by place, and says whether it was as the ledger says. Safe "
        "while the site runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Change nothing; end with 1 if the two differ, for supervisors."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        check_only, count, found = options["check"], 0, 0
        for name in places_of_ledger():
            count += 1
            for number, difference in enumerate(rebuild_place(name, check_only=check_only)):
                if not number:
                    found += 1
                if found <= MOST_SHOWN:
                    self.stdout.write(difference)
        if not found:
            self.stdout.write(f"The daily usage of {count:,} places is what the ledger says.")
        elif check_only:
            raise CommandError(
                f"The daily usage of {found:,} of {count:,} places is not what the ledger says. "
                "Run manage.py rebuild_usage to make it anew."
            )
        else:
            self.stdout.write(f"The daily usage of {found:,} of {count:,} places was made anew; the others were right.")
