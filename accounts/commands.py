"""What `manage.py` commands have in common that change something."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from .audit_context import Source, coming_from


class RecordedCommand(BaseCommand):
    """A command whose changes the audit log ascribes to it by name."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        with coming_from(Source(command=type(self).__module__.rpartition(".")[2])):
            return super().execute(*args, **options)
