"""Rooms import only rooms below them: the table of the style guide, checked over every import there is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What each room may import besides itself. A longer name overrules the shorter one it begins with.
MAY_IMPORT: dict[str, set[str]] = {
    "dataplane": set(),
    "accounts": set(),
    "pricing": {"accounts"},
    "clusters": {"accounts", "dataplane"},
    "backups": {"clusters", "accounts", "dataplane"},
    "jobs": {"backups", "clusters", "pricing", "accounts", "dataplane"},
    "dashboard": {"jobs", "backups", "clusters", "pricing", "accounts"},
    # The demo fills real databases; the pages beside it may not.
    "dashboard.demo": {"jobs", "backups", "clusters", "pricing", "accounts", "dataplane"},
    "api": {"jobs", "backups", "clusters", "pricing", "accounts"},
    "backupsite": {"api", "dashboard", "jobs", "backups", "clusters", "pricing", "accounts", "dataplane"},
}
ROOMS = frozenset(name for name in MAY_IMPORT if "." not in name)
# The wall: on this side of it nobody has heard of Django.
FORBIDDEN_PACKAGES = {"dataplane": {"django", "django_htmx"}}


def imported_modules(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of every import in `source`, those inside functions and `if TYPE_CHECKING` included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, module


def climbing_imports(source: str, path: Path) -> list[str]:
    """One line for every import in the file at `path` (relative to the root) that its room may not make."""
    package = ".".join(path.parent.parts)
    room = path.parts[0]
    rules = max((name for name in MAY_IMPORT if f"{package}.".startswith(f"{name}.")), key=len)
    allowed = MAY_IMPORT[rules] | {room}
    found = []
    for line, module in imported_modules(source, package):
        top = module.partition(".")[0]
        if (top in ROOMS and top not in allowed) or top in FORBIDDEN_PACKAGES.get(room, ()):
            found.append(f"{path}:{line} imports {module}")
    return found


def files_of(room: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(room for room in ROOMS if (ROOT / room).is_dir()))
def test_no_import_climbs_the_table(room):
    files = files_of(room)
    assert files
    assert [line for path in files for line in climbing_imports((ROOT / path).read_text(), path)] == []


def test_every_package_at_the_top_is_a_room_of_the_table():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests", "benchmarks"} <= ROOMS


def test_every_room_says_in_its_docstring_what_it_is():
    rooms = [room for room in ROOMS if (ROOT / room).is_dir()]
    assert [room for room in rooms if not ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))] == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("clusters/models.py", "from jobs.models import Job"),
        ("clusters/models.py", "import backups.services"),
        ("clusters/services.py", "def late():\n    from backups.models import Copy"),
        ("backups/models.py", "if TYPE_CHECKING:\n    from jobs.models import Job"),
        ("pricing/calculator.py", "from clusters.models import Region"),
        ("accounts/models.py", "from clusters import models"),
        ("jobs/views.py", "from dashboard.figures import storage_figure"),
        ("jobs/management/commands/run.py", "from backupsite import settings"),
        ("dashboard/views.py", "from dataplane.milvus import Cluster"),
        ("dataplane/stores/s3.py", "from accounts.models import User"),
        ("dataplane/copy.py", "from django.conf import settings"),
    ],
)
def test_a_climbing_import_is_found(path, source):
    [found] = climbing_imports(source, Path(path))
    assert found.startswith(f"{path}:{len(source.splitlines())} imports ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("jobs/work.py", "from dataplane.copy import copy_backup\nfrom backups.models import Copy"),
        ("jobs/work.py", "from .models import Job\nfrom . import services\nimport jobs.states"),
        ("dashboard/demo/load.py", "from dataplane.milvus import Cluster\nfrom ..views import overview"),
        ("pricing/models.py", "from django.db import models"),
        ("clusters/live.py", "import jobserver"),
    ],
)
def test_an_import_that_stays_in_the_room_or_goes_down_is_fine(path, source):
    assert climbing_imports(source, Path(path)) == []


def test_a_relative_import_is_read_as_the_module_it_means():
    source = "from .models import Job\nfrom . import services\nfrom ...clusters import live"
    assert [module for _, module in imported_modules(source, "rooms.jobs.demo")] == [
        "rooms.jobs.demo.models",
        "rooms.jobs.demo",
        "rooms.clusters",
    ]
