"""Copying a backup between two folders: ours beside the fastest plain copy, cp and rclone.

python -m benchmarks.copy_stores [--quick] [--load "8 MiB"|"64 KiB"] [--rounds N] [--folder FOLDER]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import stored_backup
from benchmarks.measure import Load, flush, print_ratio, print_table, race
from benchmarks.plain_copy import copy_folder
from dataplane.pool import LOCAL_THREADS
from dataplane.stores.local import LocalStore

LOADS = (Load("8 MiB", 256, 8 * 1024**2), Load("64 KiB", 20_000, 64 * 1024))
QUICK_LOADS = (Load("8 MiB", 32, 8 * 1024**2), Load("64 KiB", 2_000, 64 * 1024))
RCLONE = Path(sys.executable).with_name("rclone")
RCLONE_GOALS = {"8 MiB": 2.0, "64 KiB": 1.2}


class UnflushedStore(LocalStore):
    """Leaves it to the kernel when bytes reach the disk, as plain copies do."""

    def begin_flush(self, descriptor: int) -> None:
        """Nothing is begun."""

    def sync(self) -> None:
        """Nothing is flushed."""


def ours(source: Path, target: Path, kind: type[LocalStore]) -> None:
    target.mkdir()
    stored_backup.copy(kind(source), kind(target))


def cp_and_sync(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-r", source, target], check=True)
    flush(target)


def rclone(source: Path, target: Path) -> None:
    subprocess.run([RCLONE, "copy", "--config", "", "--quiet", source, target], check=True)


def run(load: Load, folder: Path, *, rounds: int) -> None:
    source = folder / "source"
    source.mkdir()
    stored_backup.store_backup(LocalStore(source), load)
    copies: dict[str, Callable[[Path, Path], None]] = {
        "ours, flushed": partial(ours, kind=LocalStore),
        "ours, not flushed": partial(ours, kind=UnflushedStore),
        "plain, flushed": partial(copy_folder, threads=LOCAL_THREADS, is_durable=True),
        "plain, not flushed": partial(copy_folder, threads=LOCAL_THREADS, is_durable=False),
        "plain, 2 threads, not flushed": partial(copy_folder, threads=2, is_durable=False),
        "cp -r, sync -f": cp_and_sync,
        "rclone copy with its check": rclone,
    }
    last: list[Path] = []

    def settle() -> None:
        """What the turn before left is gone and on disk, so that nobody pays for another."""
        while last:
            shutil.rmtree(last.pop())
        flush(folder)

    def contender(name: str, turn: int) -> None:
        target = folder / f"target-{turn}"
        last.append(target)
        copies[name](source, target)

    timings = race({name: partial(contender, name) for name in copies}, rounds=rounds, settle=settle)
    settle()
    print_table(load, timings)
    plain = min((timings["plain, not flushed"], timings["plain, 2 threads, not flushed"]), key=lambda t: t.wall_seconds)
    print_ratio("ours / plain, not flushed", timings["ours, not flushed"], plain, goal=0.9)
    print_ratio("ours / plain, flushed", timings["ours, flushed"], timings["plain, flushed"], goal=0.9)
    print_ratio(
        "ours, not flushed / rclone with its check",
        timings["ours, not flushed"],
        timings["rclone copy with its check"],
        goal=RCLONE_GOALS[load.name],
    )
    print_ratio("ours, flushed / cp -r, sync -f", timings["ours, flushed"], timings["cp -r, sync -f"], goal=0.6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="32 x 8 MiB and 2,000 x 64 KiB")
    parser.add_argument("--load", choices=[load.name for load in LOADS], help="only this one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write (default: the folder for temporary files)")
    arguments = parser.parse_args()
    for load in QUICK_LOADS if arguments.quick else LOADS:
        if arguments.load in (None, load.name):
            with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.folder) as folder:
                run(load, Path(folder), rounds=arguments.rounds)


if __name__ == "__main__":
    main()
