"""The web server as deploy/ starts it: answers for its health, and on SIGTERM finishes what it has begun."""

from __future__ import annotations

import configparser
import os
import shlex
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.urls import reverse

from accounts.privileges import ProjectRole
from dataplane.child import dying_with_us
from jobs.models import Job
from jobs.states import JobState
from tests.builders import make_job, make_user
from tests.integration.jobs.processes import database_environment
from tests.site import PATIENCE_SECONDS, ROOT, free_port, wait_until
from tests.torture.web import Browser

pytestmark = [
    pytest.mark.usefixtures("committed"),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="holds a request up by SQLite's one write lock"),
]


def unit_command(port: int) -> list[str]:
    """What systemd is told to run, on a port of our own."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(ROOT / "deploy/systemd/backupsite-web.service")
    words = shlex.split(unit["Service"]["ExecStart"])[1:]
    words = [word for word in words if not word.startswith("--bind")]
    return [sys.executable, "-m", "gunicorn", *words, f"--bind=127.0.0.1:{port}"]


def status_of(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return int(answer.status)
    except OSError:
        return None


def test_the_web_server_says_that_it_is_well_and_on_sigterm_answers_what_it_was_asked(tmp_path: Path):
    job = make_job()
    admin, port = make_user(project=job.project, role=ProjectRole.ADMIN), free_port()
    environment = os.environ | database_environment() | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    environment |= {"ALLOWED_HOSTS": "127.0.0.1", "HOME": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            dying_with_us(unit_command(port)), cwd=settings.BASE_DIR, env=environment, stdout=log, stderr=log
        )
    idle = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        base = f"http://127.0.0.1:{port}/health"
        wait_until(lambda: status_of(f"{base}/live/") == 200, "it lives")
        assert status_of(f"{base}/ready/") == 200

        idle.request("GET", "/health/live/")
        idle.getresponse().read()
        browser = Browser(port, admin)
        with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
            other.execute("BEGIN IMMEDIATE")
            question = browser.post(reverse("jobs:job-cancel", args=[job.code]), {})
            # What the server has not begun with, it may leave to the next one.
            wait_until(question.is_read, "it was asked, and waits for the lock")
            server.terminate()
            time.sleep(0.2)
            other.rollback()
        answer = question.answer()
        assert (answer.status, answer.location) == (302, job.get_absolute_url())
        assert Job.objects.get(pk=job.pk).state == JobState.CANCELED
        assert server.wait(PATIENCE_SECONDS) == 0
    finally:
        server.kill()
        server.wait()
        idle.close()
    assert "Traceback" not in (tmp_path / "log").read_text()
