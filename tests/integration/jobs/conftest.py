"""What the tests with worker processes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def worker_log(tmp_path: Path) -> Iterator[Path]:
    """Where the processes of a test write; shown when it fails."""
    logs = tmp_path / "log"
    logs.mkdir()
    yield logs
    for path in sorted(logs.iterdir()):
        print(f"--- {path.name}\n{path.read_text(errors='replace')}")  # noqa: T201 - pytest shows it on failure
