from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from dashboard.demo.load import load_demo


class Command(BaseCommand):
    help = "Fills an empty installation with the demo: people, clusters with data, a local folder as store per region."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="", help="Where the site will be served; written into demo.json.")

    def handle(self, *args: Any, **options: Any) -> None:
        if load_demo(url=options["url"]):
            self.stdout.write("The demo is loaded; demo.json holds the logins.")
        else:
            self.stdout.write("This installation already has people and data: nothing was loaded.")
