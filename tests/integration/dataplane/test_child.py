"""Children of a parent that is killed, with real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataplane.child import dying_with_us

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")

_PARENT = """
import subprocess, sys, time
from dataplane.child import dying_with_us
child = subprocess.Popen(dying_with_us(["sleep", "600"]))
print(child.pid, flush=True)
time.sleep(600)
"""


def is_sleeping(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep\0")
    except FileNotFoundError:
        return False


def wait_until(is_true, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_child_becomes_its_program_and_does_not_outlive_a_killed_parent():
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert wait_until(lambda: is_sleeping(child))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert wait_until(lambda: not is_sleeping(child))


def test_a_child_whose_parent_is_gone_before_it_asks_does_not_start_its_program():
    command = dying_with_us(["sleep", "600"])
    command[command.index(str(os.getpid()))] = "1"  # as if we had been replaced by init
    assert subprocess.run(command, timeout=60).returncode == 1
