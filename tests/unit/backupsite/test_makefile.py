"""How `make` gets its environment, with a Python that only writes down what it is asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.site import ROOT

PYTHON = """#!/bin/sh
echo "$*" >> {calls}
case "$*" in
  *ensurepip*) exit {ensurepip} ;;
  "-m venv "*) mkdir -p {venv}/bin; cp "$0" {venv}/bin/python; [ ! -e {interrupted} ] || exit 130 ;;
  "-m pip --version") [ ! -e {venv}/broken ] ;;
esac
"""


class Machine:
    def __init__(self, folder: Path) -> None:
        self.venv, self.python, self.calls = folder / ".venv", folder / "python3.11", folder / "calls"
        self.interrupted = folder / "interrupted"
        self.calls.touch()
        self.install_python()

    def install_python(self, *, has_ensurepip: bool = True) -> None:
        text = PYTHON.format(
            calls=self.calls, venv=self.venv, interrupted=self.interrupted, ensurepip=0 if has_ensurepip else 1
        )
        self.python.write_text(text)
        self.python.chmod(0o755)

    def make(self) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        command = ["make", "-s", f"VENV={self.venv}", f"PYTHON={self.python}", f"{self.venv}/.runtime"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def count(self, call: str) -> int:
        return sum(line.startswith(call) for line in self.calls.read_text().splitlines())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_environment_is_made_once(machine):
    for _ in range(2):
        answer = machine.make()
        assert answer.returncode == 0, answer.stderr
    assert machine.count("-m venv") == machine.count("-m pip install") == 1


def test_a_python_that_cannot_make_environments_leaves_nothing_and_says_what_to_install(machine):
    machine.install_python(has_ensurepip=False)
    answer = machine.make()
    assert answer.returncode != 0
    assert "sudo apt-get install python3.11-venv" in answer.stdout + answer.stderr
    assert not machine.venv.exists()
    machine.install_python()
    assert machine.make().returncode == 0


def test_a_python_that_is_not_there_is_named(machine):
    machine.python.unlink()
    answer = machine.make()
    assert answer.returncode != 0
    assert f"'{machine.python}' was not found" in answer.stdout + answer.stderr


def test_an_environment_that_was_cut_short_is_made_again(machine):
    machine.interrupted.touch()
    assert machine.make().returncode != 0
    machine.interrupted.unlink()
    (machine.venv / "bin").mkdir(parents=True, exist_ok=True)
    assert machine.make().returncode == 0
    assert machine.count("-m venv") == 2


def test_an_environment_without_pip_is_thrown_away(machine):
    (machine.venv / "bin").mkdir(parents=True)
    (machine.venv / "bin/python").write_text("#!/bin/sh\nexit 1\n")
    (machine.venv / "bin/python").chmod(0o755)
    (machine.venv / "left-over").touch()
    assert machine.make().returncode == 0
    assert not (machine.venv / "left-over").exists()
    assert machine.count("-m pip install") == 1
