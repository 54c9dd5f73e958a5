"""How a supervisor hears whether the scheduler of its host lives."""

from __future__ import annotations

import os
import re
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from jobs.beat import SILENT_SECONDS, beat, beat_path, fall_silent


@pytest.fixture(autouse=True)
def var_dir(settings, tmp_path):
    settings.VAR_DIR = tmp_path


def test_a_scheduler_that_has_looked_around_lives_until_it_stops_or_is_silent():
    with pytest.raises(CommandError, match="No scheduler runs"):
        call_command("scheduler_health")
    beat()
    said = StringIO()
    call_command("scheduler_health", stdout=said)
    assert re.search(r"completed a round \d+ s ago", said.getvalue())

    silent_since = time.time() - SILENT_SECONDS - 5
    os.utime(beat_path(), (silent_since, silent_since))
    with pytest.raises(CommandError, match=r"completed its last round \d+ s ago"):
        call_command("scheduler_health")

    beat()
    fall_silent()
    with pytest.raises(CommandError, match="No scheduler runs"):
        call_command("scheduler_health")


def test_a_folder_that_cannot_be_written_stops_no_scheduler(settings, tmp_path):
    settings.VAR_DIR = tmp_path / "absent"
    beat()
    fall_silent()
