"""The database of all tests, and one that other threads and processes can see into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, connections
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from accounts.append_only import AppendOnlyModel, allow_changes, forbid_changes
from tests.builders import People, make_people

PARAMETERS_ON_A_SERVER = 2

# How long an example takes is the machine's business; a busy one would fail what is right. The examples are the same
# every time, so that what is green stays green: `--hypothesis-profile=default` looks for others.
hypothesis_settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=True
)
hypothesis_settings.load_profile("tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a server (see tests/postgres.py) only what SQLite has not said before: tests that use the database, and of one
    with many parameters the first few.
    """
    if connection.vendor == "sqlite":
        return
    told, chosen = Counter[str](), []
    for item in items:
        test = item.nodeid.partition("[")[0]
        told[test] += 1
        if _uses_rows(item) and told[test] <= PARAMETERS_ON_A_SERVER:
            chosen.append(item)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _uses_rows(item: pytest.Item) -> bool:
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return item.get_closest_marker("django_db") is not None or not {"db", "transactional_db"}.isdisjoint(fixtures)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as in production: locks, WAL and timeouts differ from those of a database in memory."""
    if connection.vendor == "sqlite":
        test: dict[str, Any] = connections.settings["default"].setdefault("TEST", {})
        test["NAME"] = str(tmp_path_factory.mktemp("database") / "tests.sqlite3")


@pytest.fixture(scope="session")
def _shipped_rows(django_db_setup: None, django_db_blocker: Any) -> str:
    """The rows that migrations made, asked for while there are no others."""
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            connection.ops.sql_flush = _delete_rows  # type: ignore[method-assign,assignment]
        shipped: str = connection.creation.serialize_db_to_string()
    return shipped


def _delete_rows(style: Any, tables: list[str], **_: Any) -> list[str]:
    """TRUNCATE makes new files for every table and index, which takes a second; these tables are nearly empty."""
    return [f"DELETE FROM {connection.ops.quote_name(table)};" for table in tables]


@pytest.fixture
def _rows_put_back(_shipped_rows: str, django_db_blocker: Any) -> Iterator[None]:
    """Puts back, when everything else is over, the rows that migrations made."""
    yield
    del connection._test_serialized_contents  # type: ignore[attr-defined]
    with django_db_blocker.unblock():
        connection.creation.deserialize_db_from_string(_shipped_rows)
        # They came with their numbers, of which PostgreSQL's counters know nothing.
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
                cursor.execute(statement)
        with connection.schema_editor() as editor:
            for table in _append_only_tables():
                forbid_changes(editor, table)


@pytest.fixture
def committed(
    _rows_put_back: None, _shipped_rows: str, django_db_serialized_rollback: None, transactional_db: None
) -> Iterator[None]:
    """No transaction around the test: other threads and processes see its rows.

    Afterwards the tables are as the migrations left them: `transactional_db` alone would leave no region and no price.
    """
    yield
    # Emptying all tables comes next. Whoever has the rows to put back is not given those of a new site as well ...
    connection._test_serialized_contents = _shipped_rows  # type: ignore[attr-defined]
    # ... and the tables to which rows are only added refuse to be emptied.
    with connection.schema_editor() as editor:
        for table in _append_only_tables():
            allow_changes(editor, table)


def _append_only_tables() -> list[str]:
    return [model._meta.db_table for model in apps.get_models() if issubclass(model, AppendOnlyModel)]


@pytest.fixture
def people(db: None) -> People:
    """One organization with a person in every role, and a stranger with an organization of their own."""
    return make_people()


@pytest.fixture
def stores_root(tmp_path: Path) -> Path:
    """A folder in which every region can have its store."""
    root = tmp_path / "stores"
    root.mkdir()
    return root
