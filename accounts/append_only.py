"""Tables to which rows are only ever added: the database itself refuses to change or remove what is there.

SQLite drops triggers when a migration makes a table anew, as almost every change of a column does there: a migration
that changes such a table calls `forbid_changes` again at its end.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_FUNCTION = "refuse_change_of_append_only_table"


class RowsStay(Exception):
    """Somebody wanted to change or remove what was written for good: our bug."""


def forbid_changes(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Have the database refuse to change, remove or replace rows of `table`. Safe to repeat."""
    allow_changes(schema_editor, table)
    refusal = f"{table} is append-only"
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            f"CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$"
        )
        schema_editor.execute(
            f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_FUNCTION}()"
        )
        return
    # INSERT OR REPLACE removes the rows that are in its way, and asks no trigger of theirs.
    same = [" AND ".join(f"{name} = NEW.{name}" for name in names) for names in _names_of_rows(schema_editor, table)]
    is_taken = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {condition})" for condition in same)  # noqa: S608
    taken = f"INSERT ON {table} WHEN {is_taken}"
    for event, what in (("update", f"UPDATE ON {table}"), ("delete", f"DELETE ON {table}"), ("replace", taken)):
        schema_editor.execute(
            f"CREATE TRIGGER {table}_stays_{event} BEFORE {what} BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


def _names_of_rows(schema_editor: BaseDatabaseSchemaEditor, table: str) -> list[list[str]]:
    """Every set of columns of which no two rows have the same."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table).values()
    return sorted(found["columns"] for found in constraints if found["unique"] or found["primary_key"])


def allow_changes(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Take `forbid_changes` back: for migrations that are undone, and for tests that empty every table."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_stays ON {table}")
        return
    for event in ("update", "delete", "replace"):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_stays_{event}")


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Refuses, before the database has to, whatever would change or remove rows."""

    def update(self, **kwargs: Any) -> int:
        raise RowsStay(self.model.__name__)

    def delete(self) -> tuple[int, dict[str, int]]:
        raise RowsStay(self.model.__name__)

    def _raw_delete(self, using: str | None) -> int:
        raise RowsStay(self.model.__name__)

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        raise RowsStay(self.model.__name__)


class AppendOnlyModel(models.Model):
    """A row is written once. Its table still has to be given to `forbid_changes` by a migration."""

    objects: ClassVar[Any] = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise RowsStay(type(self).__name__)
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise RowsStay(type(self).__name__)
