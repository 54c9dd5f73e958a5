"""Questions that are put into SQL once and asked many times: for a claim that costs more than the answer does."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Field, QuerySet
from django.db.models.sql.compiler import SQLCompiler


class Gap(Expression):
    """Stands in a queryset for a value that is named only when the question is asked."""

    def __init__(self, name: str, output_field: Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return "%s", [self]


class Question:
    """What `queryset`, with its gaps, asks for, in the SQL of this process's database.

    One that locks rows is prepared and asked within a transaction.
    """

    def __init__(self, queryset: QuerySet[Any]) -> None:
        self._manager = queryset.model._base_manager
        self._sql, self._parameters = queryset.query.get_compiler(connection=connection).as_sql()

    def ask(self, **values: Any) -> list[Any]:
        """Instances of the model, with `values` in the gaps."""
        parameters = [
            part.output_field.get_db_prep_value(values[part.name], connection) if isinstance(part, Gap) else part
            for part in self._parameters
        ]
        return list(self._manager.raw(self._sql, parameters))

    def first(self, **values: Any) -> Any:
        """The first of them, or None."""
        return next(iter(self.ask(**values)), None)
