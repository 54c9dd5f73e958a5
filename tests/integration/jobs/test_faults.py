"""Two dozen rounds of what `make torture` does for as long as one likes."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.site import ROOT


def test_nothing_is_lost_doubled_stuck_or_falsely_available_while_everything_fails():
    command = [sys.executable, "-m", "tests.torture", "--rounds=24", "--together=24", "--without-milvus", "--seed=24"]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "24 rounds on sqlite" in answer.stdout
    assert "0 lost, 0 doubled, 0 stuck, 0 falsely available, 0 crashed" in answer.stdout
