"""Moves an installation from a SQLite file into an empty PostgreSQL database: every row as it is, or none at all.

Rows are copied as they are stored: nothing is decrypted, no time is set anew, and codes, ids and sessions stay valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import DatabaseError, OperationalError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Collate
from django.utils import timezone

from .errors import DatabaseNotMoved
from .models import Job, Worker

SOURCE = "moved_from"
"""The alias of the SQLite file while it is moved."""
SHIPPED = frozenset(
    {
        "auth.Permission",
        "contenttypes.ContentType",
        "clusters.Region",
        "pricing.PriceSheet",
        "pricing.StoragePrice",
        "pricing.TransferPrice",
    }
)
"""Tables that migrations fill: rows in these make a new database no used one."""
_PATIENCE_SECONDS = 5

Say = Callable[[str], object]


def move_database(path: Path, *, target: BaseDatabaseWrapper, say: Say) -> None:
    """Copy every row of the SQLite file at `path` into `target`, compare all of them, and commit.

    DatabaseNotMoved says why not; then `target` holds no row that it did not hold before. The file is never changed.
    """
    if target.vendor != "postgresql":
        raise DatabaseNotMoved(
            "The rows go where DATABASE_URL says, and it names no PostgreSQL. Set it: postgres://user:password@host/name"
        )
    _prepare_tables(target)
    source = _open(path)
    try:
        # An immediate transaction holds the file's write lock: nobody changes what has been read already.
        with transaction.atomic(using=SOURCE), transaction.atomic(using=target.alias):
            _refuse_unready_source(path, source)
            _lock_empty(target)
            for model in _models():
                say(f"{model._meta.db_table:<32}{_copy_table(model, target):>10,}")
            _settle(target)
            count = sum(_compare_table(model, target) for model in _models())
            say(f"{count:,} rows in {len(_models())} tables were read back from PostgreSQL and are the same.")
    except OperationalError as trouble:
        raise DatabaseNotMoved(
            f"Somebody is still at work on one of the two databases. Stop every process of the site. ({trouble})"
        ) from trouble
    except DatabaseError as trouble:
        raise DatabaseNotMoved(f"PostgreSQL does not take these rows, so none was kept: {trouble}") from trouble
    finally:
        source.close()
        del connections[SOURCE]
        del connections.settings[SOURCE]


def _models() -> list[type[models.Model]]:
    """One for each table, those behind many-to-many fields as well."""
    everything = apps.get_models(include_auto_created=True)
    return [model for model in everything if model._meta.managed and not model._meta.proxy]


def _open(path: Path) -> BaseDatabaseWrapper:
    if not path.is_file():
        raise DatabaseNotMoved(f"There is no file {path}.")
    wanted = {
        "ENGINE": "django.db.backends.sqlite3",
        # Never made where there is none, as SQLite would.
        "NAME": f"{path.resolve().as_uri()}?mode=rw",
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": _PATIENCE_SECONDS},
    }
    connections.settings[SOURCE] = connections.configure_settings({"default": {}, SOURCE: wanted})[SOURCE]
    return connections[SOURCE]


def _prepare_tables(target: BaseDatabaseWrapper) -> None:
    if not target.introspection.table_names():
        call_command("migrate", database=target.alias, interactive=False, verbosity=0)
    executor = MigrationExecutor(target)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise DatabaseNotMoved(
            "The PostgreSQL database has tables, but not those of this code. Name an empty one in DATABASE_URL."
        )


def _refuse_unready_source(path: Path, source: BaseDatabaseWrapper) -> None:
    executor = MigrationExecutor(source)
    if not executor.loader.applied_migrations:
        raise DatabaseNotMoved(f"{path} is not the database of a backupsite.")
    if set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations):
        raise DatabaseNotMoved(f"{path} was written by newer code than this. Use that code.")
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise DatabaseNotMoved(f"{path} is older than this code: run manage.py migrate on it first.")
    if worker := Worker.objects.using(SOURCE).living(timezone.now()).first():
        raise DatabaseNotMoved(f"The worker {worker} is running. Stop every process of the site, then try again.")
    if job := Job.objects.using(SOURCE).held().order_by("pk").first():
        raise DatabaseNotMoved(
            f"{job} is still held by {job.worker}, which ended without handing it back. Run manage.py run_scheduler on "
            "the old database for a minute, stop it, then try again."
        )


def _lock_empty(target: BaseDatabaseWrapper) -> None:
    """Keep everybody else out, make sure that there is nothing to lose, and take away what migrations put there."""
    tables = ", ".join(target.ops.quote_name(model._meta.db_table) for model in _models())
    with target.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        for model in _models():
            if not _rows(model, target.alias).exists():
                continue
            if model._meta.label not in SHIPPED:
                raise DatabaseNotMoved(
                    f"The PostgreSQL database is in use: {model._meta.db_table} has rows. Name an empty one."
                )
            cursor.execute(f"DELETE FROM {target.ops.quote_name(model._meta.db_table)}")  # noqa: S608 - our own table


def _copy_table(model: type[models.Model], target: BaseDatabaseWrapper) -> int:
    """How many rows were copied."""
    fields, count = _fields(model), 0
    quote = target.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
    with target.cursor() as cursor, target.wrap_database_errors, cursor.copy(statement) as stream:
        for row in _values(model, SOURCE):
            stream.write_row([field.get_db_prep_save(value, target) for field, value in zip(fields, row, strict=True)])
            count += 1
    return count


def _settle(target: BaseDatabaseWrapper) -> None:
    """Check every reference now, and let new rows get ids behind those that are there."""
    with target.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in target.ops.sequence_reset_sql(no_style(), _models()):
            cursor.execute(statement)


def _compare_table(model: type[models.Model], target: BaseDatabaseWrapper) -> int:
    """How many rows are the same on both sides; all of them, or DatabaseNotMoved."""
    count = 0
    for ours, theirs in zip_longest(_values(model, SOURCE), _values(model, target.alias)):
        if ours != theirs:
            raise DatabaseNotMoved(
                f"{model._meta.db_table} came out different at row {count + 1}, so nothing was kept. "
                f"Its id there is {(ours or theirs)[0]}."
            )
        count += 1
    return count


def _values(model: type[models.Model], alias: str) -> Iterator[tuple[Any, ...]]:
    """Every row, in the order of its key; of text, in that of its bytes, which SQLite takes anyhow."""
    key = model._meta.pk
    is_text = isinstance(key, models.CharField | models.TextField) and alias != SOURCE
    order = Collate(key.attname, "C") if is_text else key.attname
    names = [field.attname for field in _fields(model)]
    return _rows(model, alias).order_by(order).values_list(*names).iterator()


def _rows(model: type[models.Model], alias: str) -> models.QuerySet[Any]:
    return model._base_manager.using(alias)


def _fields(model: type[models.Model]) -> Sequence[models.Field[Any, Any]]:
    """The columns, the key first."""
    fields = [field for field in model._meta.local_concrete_fields if not field.generated]
    return sorted(fields, key=lambda field: not field.primary_key)
