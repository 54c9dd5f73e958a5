import os
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from accounts.commands import RecordedCommand
from accounts.errors import Refused, sentences_of
from accounts.models import Organization, Project, User
from accounts.privileges import OrganizationRole, Privilege, ProjectRole
from accounts.services import set_organization_role, set_project_role

_OF_THE_ORGANIZATION = (OrganizationRole.OWNER.value, OrganizationRole.BILLING_ADMIN.value)


class Command(RecordedCommand):
    help = (
        "Gives somebody a role in a project, or in the whole organization (owner, billing_admin), in place of the one "
        "they had there. Makes whoever is not known yet; asks for the password, or takes PERSON_PASSWORD."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--organization", required=True, help="name or code")
        parser.add_argument("--project", help="name or code; for roles in a project")
        parser.add_argument("--role", required=True, choices=[*_OF_THE_ORGANIZATION, *ProjectRole.values])
        parser.add_argument("--custom-role", default="", help="with --role custom: its name")
        parser.add_argument(
            "--privileges", nargs="+", default=[], choices=Privilege.values, help="of a custom role that is new"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        email, role = options["email"], options["role"]
        organization = _find_organization(options["organization"])
        password = None
        if not User.objects.filter(email__iexact=email).exists():
            password = os.environ.get("PERSON_PASSWORD") or getpass("Password: ")
        place: Organization | Project
        try:
            if role in _OF_THE_ORGANIZATION:
                place = organization
                set_organization_role(
                    organization=organization, email=email, role=OrganizationRole(role), password=password
                )
            else:
                place = _find_project(organization, options["project"])
                set_project_role(
                    project=place,
                    email=email,
                    role=ProjectRole(role),
                    custom_role=options["custom_role"],
                    privileges=[Privilege(held) for held in options["privileges"]],
                    password=password,
                )
        except (Refused, ValidationError) as refusal:
            raise CommandError(sentences_of(refusal)) from refusal
        self.stdout.write(f"{email} is now {options['custom_role'] or role} in {place}.")


def _find_organization(name: str) -> Organization:
    found = list(Organization.objects.filter(code=name) or Organization.objects.filter(name=name))
    if not found:
        raise CommandError(f"There is no organization called {name}. create_owner makes one.")
    if len(found) > 1:
        codes = ", ".join(organization.code for organization in found)
        raise CommandError(f"Several organizations are called {name}. Give the code of one: {codes}.")
    return found[0]


def _find_project(organization: Organization, name: str | None) -> Project:
    if not name:
        raise CommandError("Name the project in which this role is meant: --project.")
    projects: Any = organization.projects
    found: Project | None = projects.filter(code=name).first() or projects.filter(name=name).first()
    if found is None:
        raise CommandError(f"{organization} has no project called {name}.")
    return found
