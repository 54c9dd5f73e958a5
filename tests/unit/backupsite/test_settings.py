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
database = s.DATABASES["default"]
print(json.dumps({
    "engine": database["ENGINE"],
    "database": str(database["NAME"]),
    "server": [database.get(name) for name in ("USER", "PASSWORD", "HOST", "PORT")],
    "options": database["OPTIONS"],
    "networks": [str(network) for network in s.ALLOWED_NETWORKS],
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


def test_a_postgresql_database_is_named_by_its_address():
    found = settings_with(DATABASE_URL="postgres://ada:p%40ss@db.example.com:5433/backups?sslmode=require")
    assert found["engine"] == "django.db.backends.postgresql"
    assert (found["database"], found["server"]) == ("backups", ["ada", "p@ss", "db.example.com", 5433])
    assert (found["options"]["sslmode"], found["options"]["connect_timeout"]) == ("require", 5)
    assert found["options"]["options"] == "-c idle_in_transaction_session_timeout=15s"


def test_an_address_may_come_from_a_file_that_ends_with_a_line_break(tmp_path: Path):
    file = tmp_path / "url"
    file.write_text("postgres://ada@db.example.com/backups\n")
    assert settings_with(DATABASE_URL_FILE=str(file))["database"] == "backups"


@pytest.mark.parametrize("url", ["mysql://user:very-secret@db/backups", "sqlite:///elsewhere", "very-secret"])
def test_another_database_is_refused_instead_of_ignored(url: str):
    answer = load(DATABASE_URL=url)
    assert answer.returncode != 0
    assert "DATABASE_URL must look like postgres://user:password@host:5432/name." in answer.stderr
    assert "very-secret" not in answer.stderr


def test_a_broker_of_an_unknown_kind_is_refused():
    answer = load(BROKER_URL="sqs://very-secret@")
    assert answer.returncode != 0
    assert "BROKER_URL must begin with redis://" in answer.stderr
    assert "very-secret" not in answer.stderr


def test_https_binds_this_host_alone_unless_its_siblings_are_meant(tmp_path: Path):
    assert settings_with(VAR_DIR=str(tmp_path))["hsts"] == [31_536_000, False, False]
    wide = settings_with(VAR_DIR=str(tmp_path), HSTS_INCLUDE_SUBDOMAINS="true", HSTS_PRELOAD="true")
    assert wide["hsts"] == [31_536_000, True, True]
    assert settings_with(VAR_DIR=str(tmp_path), HTTPS="false")["hsts"] == [0, False, False]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"OIDC_ISSUER": "https://id.example.com"}, "OIDC_ISSUER and OIDC_CLIENT_ID are needed together"),
        ({"OIDC_CLIENT_ID": "backupsite"}, "OIDC_ISSUER and OIDC_CLIENT_ID are needed together"),
        ({"OIDC_ISSUER": "http://id.example.com", "OIDC_CLIENT_ID": "x"}, "OIDC_ISSUER must begin with https://"),
        (
            {"OIDC_ISSUER": "http://localhost.example.com", "OIDC_CLIENT_ID": "x"},
            "OIDC_ISSUER must begin with https://",
        ),
    ],
)
def test_a_provider_that_anybody_could_play_is_refused(environment: dict[str, str], sentence: str):
    answer = load(**environment, OIDC_CLIENT_SECRET="very-secret")
    assert answer.returncode != 0
    assert sentence in answer.stderr
    assert "very-secret" not in answer.stderr


def test_networks_that_are_none_stop_the_start_up_and_none_at_all_is_a_choice():
    answer = load(ALLOWED_NETWORKS="10.0.0.0/8,everywhere")
    assert answer.returncode != 0
    assert "ALLOWED_NETWORKS must be networks such as 10.0.0.0/8" in answer.stderr
    assert settings_with(ALLOWED_NETWORKS="")["networks"] == []
    assert settings_with()["networks"] == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
