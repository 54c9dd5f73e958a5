from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from jobs.database_move import move_database
from jobs.errors import DatabaseNotMoved


class Command(BaseCommand):
    help = (
        "Moves an installation from SQLite to PostgreSQL: copies every row of a SQLite file into the empty database "
        "that DATABASE_URL names, compares all of them, and keeps all or none. Stop every process of the site first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="source", type=Path, required=True, metavar="FILE", help="The SQLite file.")

    def handle(self, *args: Any, source: Path, **options: Any) -> None:
        try:
            move_database(source, target=connection, say=self.stdout.write)
        except DatabaseNotMoved as reason:
            raise CommandError(str(reason)) from reason
        self.stdout.write(
            "Start the site with this DATABASE_URL and the same ENCRYPTION_KEYS and SECRET_KEY. "
            f"{source} was not changed; put it away, so that nobody starts the site with it again."
        )
