import os
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from accounts.commands import RecordedCommand
from accounts.errors import OrganizationExists, Refused, sentences_of
from accounts.services import found_organization


class Command(RecordedCommand):
    help = "Makes an organization, its first project and its owner. Asks for the password, or takes OWNER_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--organization", required=True)
        parser.add_argument("--project", default="Default project")
        parser.add_argument("--another", action="store_true", help="also where an organization has this name already")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("OWNER_PASSWORD") or getpass("Password: ")
        try:
            project = found_organization(
                name=options["organization"],
                project_name=options["project"],
                email=options["email"],
                password=password,
                may_share_name=options["another"],
            )
        except OrganizationExists as refusal:
            raise CommandError(f"{refusal} Add --another if you mean a second one.") from refusal
        except (Refused, ValidationError) as refusal:
            raise CommandError(sentences_of(refusal)) from refusal
        self.stdout.write(f"{options['email']} owns {project.organization} with the project {project}.")
