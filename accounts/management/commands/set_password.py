import os
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from accounts.commands import RecordedCommand
from accounts.errors import sentences_of
from accounts.models import User
from accounts.signin_services import remove_second_factors, set_password


class Command(RecordedCommand):
    help = (
        "Gives somebody who cannot sign in another password, and ends their sessions. Asks for the password, or takes "
        "PERSON_PASSWORD."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--remove-second-factors",
            action="store_true",
            help="leave the password; remove the app, the passkeys and the recovery codes instead",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email__iexact=options["email"], is_machine=False).first()
        if person is None:
            raise CommandError(f"There is nobody with the address {options['email']}.")
        if options["remove_second_factors"]:
            number = remove_second_factors(person=person)
            self.stdout.write(f"{person.email} has no second factor any more ({number} removed).")
            return
        try:
            set_password(person=person, password=os.environ.get("PERSON_PASSWORD") or getpass("Password: "))
        except ValidationError as refusal:
            raise CommandError(sentences_of(refusal)) from refusal
        self.stdout.write(f"{person.email} has another password and is signed out everywhere.")
