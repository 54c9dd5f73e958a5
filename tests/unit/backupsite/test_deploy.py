"""What stands in deploy/ is true: files parse, commands and settings exist, and nothing secret goes into the image."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.urls import resolve

from jobs.celery_app import app
from tests.site import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
# Those of libraries and of systemd's own accounts.
SETTINGS_OF_OTHERS = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def unit_of(path: Path) -> ConfigParser:
    unit = ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    return unit


def managed(text: str) -> list[tuple[str, list[str]]]:
    """(command, its arguments) of everything that is given to manage.py in `text`."""
    lines = re.findall(r"manage\.py ([a-z_]+)([^`\n;]*)", text)
    return [(name, [word for word in rest.split() if word.startswith("--")]) for name, rest in lines]


def test_every_command_and_option_that_is_named_exists(services):
    said = managed((DEPLOY / "README.md").read_text()) + managed((ROOT / "README.md").read_text())
    said += [command for path in UNITS for command in managed(unit_of(path)["Service"]["ExecStart"])]
    for service in services.values():
        for words in (service.get("command", []), service.get("healthcheck", {}).get("test", [])):
            said += managed(" ".join(words))
    assert {"run_worker", "run_scheduler", "worker_health", "migrate", "create_owner"} <= {name for name, _ in said}
    for name, options in said:
        assert name in get_commands(), name
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        known = {option for action in parser._actions for option in action.option_strings}
        assert {option.partition("=")[0] for option in options} <= known, (name, options)


def test_every_setting_that_is_given_is_read(services):
    read = set(re.findall(r'env\.\w+\("(\w+)"', (ROOT / "backupsite/settings.py").read_text()))
    given = {name for service in services.values() for name in service.get("environment", {})}
    given |= set(re.findall(r"^    ([A-Z_]+)=", (DEPLOY / "README.md").read_text(), re.MULTILINE))
    assert {"DATABASE_URL_FILE", "BROKER_URL", "SECRET_KEY"} <= given
    assert {name.removesuffix("_FILE") for name in given} - SETTINGS_OF_OTHERS <= read


def test_every_process_of_the_site_is_there_and_waits_for_what_it_needs(services):
    assert set(services) == {"prepare", "web", "worker", "scheduler", "postgres", "redis"}
    for name in ("web", "worker", "scheduler"):
        assert services[name]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
    assert [path.stem for path in UNITS] == [
        "backupsite-scheduler",
        "backupsite-web",
        "backupsite-worker",
        "backupsite-worker@",
    ]


def test_the_secrets_that_are_mounted_are_those_that_the_guide_makes(services):
    text = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounted = {name for service in services.values() for name in service.get("secrets", [])}
    assert mounted == set(text["secrets"])
    guide = (DEPLOY / "README.md").read_text()
    for name, secret in text["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}
        assert f"> {name}\n" in guide


def test_the_addresses_that_are_asked_for_health_exist(services):
    asked = re.findall(r"/health/[a-z]*/?", (DEPLOY / "README.md").read_text())
    asked += re.findall(r"/health/[a-z]*/?", " ".join(services["web"]["healthcheck"]["test"]))
    assert {resolve(path).url_name for path in asked} == {"health", "health-live", "health-ready"}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_our_programs_again_when_they_end(path):
    service = unit_of(path)["Service"]
    program = shlex.split(service["ExecStart"])[0]
    assert Path(program).parent == Path("/srv/backupsite/.venv/bin")
    assert Path(program).name in {"python", "gunicorn"}
    assert (service["Restart"], service["User"]) == ("always", "backupsite")


def test_the_image_takes_files_that_exist_and_leaves_keys_and_data_out():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    sources = [line.split()[1] for line in lines if line.startswith("COPY ")]
    assert sources
    assert all((ROOT / source).exists() for source in sources)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {"var", ".git", ".venv", "deploy"} <= set(ignored)


def test_celery_finds_the_application_where_the_guide_says():
    assert "celery -A backupsite worker" in (DEPLOY / "README.md").read_text()
    from backupsite import celery

    assert celery.app is app
    assert app.conf.worker_pool == "threads"
