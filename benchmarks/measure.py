"""Running contenders in turn, and telling how they did."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Load:
    """What is copied."""

    name: str
    object_count: int
    object_bytes: int

    @property
    def size_bytes(self) -> int:
        return self.object_count * self.object_bytes


@dataclass(frozen=True, slots=True)
class Timing:
    wall_seconds: float
    cpu_seconds: float
    """Of this process and the ones it waited for: what other work on the machine changes least."""


Contender = Callable[[int], None]
"""Does the work once; the number is different at every call, to name a fresh target after."""


def race(contenders: Mapping[str, Contender], *, rounds: int, settle: Callable[[], None]) -> dict[str, Timing]:
    """The medians of every contender. The order turns round after each round; `settle()` runs untimed before each."""
    seen: dict[str, list[Timing]] = {name: [] for name in contenders}
    turn = 0
    for number in range(rounds):
        for name in list(contenders) if number % 2 == 0 else reversed(list(contenders)):
            settle()
            turn += 1
            seen[name].append(timed(contenders[name], turn))
    return {
        name: Timing(median(t.wall_seconds for t in timings), median(t.cpu_seconds for t in timings))
        for name, timings in seen.items()
    }


def timed(contender: Contender, turn: int) -> Timing:
    wall_seconds, cpu_seconds = time.perf_counter(), _cpu_seconds()
    contender(turn)
    return Timing(time.perf_counter() - wall_seconds, _cpu_seconds() - cpu_seconds)


def _cpu_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def print_table(load: Load, timings: Mapping[str, Timing]) -> None:
    print(f"\n{load.name}: {load.object_count} objects, {load.size_bytes / 1e6:,.0f} MB")
    print(f"{'':32}{'MB/s':>8}{'objects/s':>12}{'seconds':>10}{'CPU s':>8}")
    for name, timing in timings.items():
        rate = load.size_bytes / 1e6 / timing.wall_seconds
        objects = load.object_count / timing.wall_seconds
        print(f"{name:32}{rate:8,.0f}{objects:12,.0f}{timing.wall_seconds:10.2f}{timing.cpu_seconds:8.2f}")


def print_ratio(what: str, ours: Timing, theirs: Timing, *, goal: float) -> None:
    """How many times as fast ours is, by the clock and by the CPU it needs."""
    ratio = theirs.wall_seconds / ours.wall_seconds
    by_cpu = theirs.cpu_seconds / ours.cpu_seconds
    verdict = "reached" if ratio >= goal else "MISSED"
    print(f"{what:48}{ratio:6.2f}   goal {goal:.1f} {verdict:8} (by CPU {by_cpu:.2f})")


def flush(folder: Path) -> None:
    """Everything written to the file system of `folder` is on disk, as `sync -f` does it."""
    subprocess.run(["sync", "-f", folder], check=True)
