import os
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.errors import Refused
from accounts.services import found_organization


class Command(BaseCommand):
    help = "Makes an organization, its first project and its owner. Asks for the password, or takes OWNER_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--organization", required=True)
        parser.add_argument("--project", default="Default project")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("OWNER_PASSWORD") or getpass("Password: ")
        try:
            project = found_organization(
                name=options["organization"],
                project_name=options["project"],
                email=options["email"],
                password=password,
            )
        except (Refused, ValidationError) as refusal:
            sentences = refusal.messages if isinstance(refusal, ValidationError) else [str(refusal)]
            raise CommandError(" ".join(sentences)) from refusal
        self.stdout.write(f"{options['email']} owns {project.organization} with the project {project}.")
