"""What makes a database a used one, and what is refused before anything is read; the rest needs a real PostgreSQL."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from jobs.database_move import SHIPPED


@pytest.mark.django_db
def test_a_new_database_has_rows_only_where_migrations_ship_some():
    models = apps.get_models(include_auto_created=True)
    assert {model._meta.label for model in models if model._base_manager.exists()} <= SHIPPED


@pytest.mark.skipif(connection.vendor != "sqlite", reason="says what happens where DATABASE_URL is unset")
def test_without_a_postgresql_to_move_to_nothing_is_begun(tmp_path):
    with pytest.raises(CommandError, match="names no PostgreSQL"):
        call_command("copy_database", "--from", str(tmp_path / "some.sqlite3"))
