"""The settings as an operator's environment makes them, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.site import ROOT, clean_environment

SHOW = """
import json
from backupsite import settings as s
print(json.dumps({
    "database": str(s.DATABASES["default"]["NAME"]),
    "hsts": [s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD],
}))
"""


def load(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env=clean_environment(SECRET_KEY="x" * 60, **environment),
        capture_output=True,
        text=True,
        check=False,
    )


def settings_with(**environment: str) -> dict[str, Any]:
    answer = load(**environment)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("name", ["plain", "a#b", "a?b", "a%20b", "with space", "a&b=c"])
def test_the_database_lies_in_the_folder_that_was_named(tmp_path: Path, name: str):
    assert settings_with(VAR_DIR=str(tmp_path / name))["database"] == str(tmp_path / name / "backupsite.sqlite3")


@pytest.mark.parametrize("url", ["postgres://user:very-secret@db/backups", "sqlite:///elsewhere.sqlite3"])
def test_another_database_is_refused_instead_of_ignored(tmp_path: Path, url: str):
    answer = load(VAR_DIR=str(tmp_path), DATABASE_URL=url)
    assert answer.returncode != 0
    assert "DATABASE_URL is set, but this version keeps everything in SQLite" in answer.stderr
    assert "very-secret" not in answer.stderr


def test_https_binds_this_host_alone_unless_its_siblings_are_meant(tmp_path: Path):
    assert settings_with(VAR_DIR=str(tmp_path))["hsts"] == [31_536_000, False, False]
    wide = settings_with(VAR_DIR=str(tmp_path), HSTS_INCLUDE_SUBDOMAINS="true", HSTS_PRELOAD="true")
    assert wide["hsts"] == [31_536_000, True, True]
    assert settings_with(VAR_DIR=str(tmp_path), HTTPS="false")["hsts"] == [0, False, False]
