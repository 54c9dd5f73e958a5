"""Pages that belong to no room."""

from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from accounts.guard import open_to_all

_TEXT = "text/plain"


@open_to_all("Supervisors ask; the answer is one word.")
@require_GET
def health_live(request: HttpRequest) -> HttpResponse:
    """For supervisors: 200 while this process answers, whatever became of the database."""
    return HttpResponse("ok\n", content_type=_TEXT)


@open_to_all("Load balancers ask; the answer names nothing.")
@require_GET
def health_ready(request: HttpRequest) -> HttpResponse:
    """For load balancers and the start-up: 200 once the database answers and has the tables that this code expects."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        _check_tables()
    except (DatabaseError, _TablesMissing) as trouble:
        # The words of a driver name hosts and accounts; the log has them.
        reason = str(trouble) if isinstance(trouble, _TablesMissing) else "The database does not answer."
        return HttpResponse(f"{reason}\n", content_type=_TEXT, status=503)
    return HttpResponse("ok\n", content_type=_TEXT)


class _TablesMissing(Exception):
    """The database is older than the code."""


@cache
def _check_tables() -> None:
    """Asked until it is true, then never again: an exception is not kept."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise _TablesMissing("The database is older than this code: run manage.py migrate.")
