"""Copying a backup between the buckets of two S3 servers (`rclone serve s3`): ours beside rclone itself.

python -m benchmarks.copy_buckets [--quick] [--load "8 MiB"|"64 KiB"] [--rounds N] [--folder FOLDER]

Two servers, as two regions are: neither side can leave the work to one of them. `rclone serve s3` ignores much of S3,
so this tells of speed only. In one pair each side proves its copy as it does by itself, which is not the same: we hash
what passes, rclone compares the MD5 that each server tells. In the last pair both read back what was stored. rclone
does not sign the bodies it sends, and the store's option `unsigned_payload` lets us do the same.
"""

import argparse
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import stored_backup
from benchmarks.copy_stores import RCLONE
from benchmarks.measure import Contender, Load, flush, print_ratio, print_table, race
from dataplane import layout
from dataplane.stores.bucket import BucketStore
from tests.unit.dataplane.builders import CLUSTER

LOADS = (Load("8 MiB", 64, 8 * 1024**2), Load("64 KiB", 4_000, 64 * 1024))
QUICK_LOADS = (Load("8 MiB", 16, 8 * 1024**2), Load("64 KiB", 500, 64 * 1024))
OURS, OURS_UNSIGNED, OURS_READ_BACK = "ours", "ours, bodies not signed", "ours, read back"
RCLONES, RCLONES_READ_BACK = "rclone copy with its check", "rclone copy, check --download"
KEY, SECRET = "benchmark", "benchmark-secret"


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """The address of a server whose buckets are the folders in `folder`."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    command: list[str | Path] = [
        RCLONE,
        "serve",
        "s3",
        "--config",
        "",
        "--quiet",
        "--addr",
        address,
        "--auth-key",
        f"{KEY},{SECRET}",
    ]
    server = subprocess.Popen([*command, folder])
    try:
        wait_for(address)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(100):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"No S3 server answers at {address}.")


def bucket(endpoint: str, name: str, **more: str) -> BucketStore:
    options = {"endpoint": endpoint, "access_key_id": KEY, "secret_access_key": SECRET, "region": "us-east-1"}
    options |= more
    return BucketStore(f"s3://{name}", options=options)


def rclone_path(endpoint: str, name: str) -> str:
    return f':s3,provider=Rclone,endpoint="{endpoint}",access_key_id={KEY},secret_access_key={SECRET}:{name}'


def run(load: Load, folder: Path, *, rounds: int) -> None:
    west, frankfurt = folder / "west", folder / "frankfurt"
    (west / "source").mkdir(parents=True)
    # Before the server starts: it does not look for new buckets, and stumbles when two requests make the same folder.
    for turn in range(1, 5 * rounds + 1):
        for first_two_hex in range(256):
            chunks = frankfurt / f"target-{turn}" / layout.chunks_prefix(CLUSTER)
            (chunks / f"{first_two_hex:02x}").mkdir(parents=True)
    with s3_server(west) as west_url, s3_server(frankfurt) as frankfurt_url:
        stored_backup.store_backup(bucket(west_url, "source"), load)

        def ours(turn: int) -> None:
            stored_backup.copy(bucket(west_url, "source"), bucket(frankfurt_url, f"target-{turn}"))

        def ours_unsigned(turn: int) -> None:
            frankfurt_bucket = bucket(frankfurt_url, f"target-{turn}", unsigned_payload="true")
            stored_backup.copy(bucket(west_url, "source"), frankfurt_bucket)

        def rclone(turn: int, *commands: str) -> None:
            places = rclone_path(west_url, "source"), rclone_path(frankfurt_url, f"target-{turn}")
            for command in commands:
                subprocess.run([RCLONE, *command.split(), "--config", "", "--quiet", *places], check=True)

        def ours_read_back(turn: int) -> None:
            ours(turn)
            stored_backup.read_back(bucket(frankfurt_url, f"target-{turn}"))

        contenders: dict[str, Contender] = {
            OURS: ours,
            OURS_UNSIGNED: ours_unsigned,
            RCLONES: lambda turn: rclone(turn, "copy"),
            OURS_READ_BACK: ours_read_back,
            # Not the folders of backups, for the target's README and manifest tell of their way here.
            RCLONES_READ_BACK: lambda turn: rclone(turn, "copy", "check --download --exclude **/backups/**"),
        }
        timings = race(contenders, rounds=rounds, settle=partial(flush, folder))
    print_table(load, timings)
    for first, second in ((OURS, RCLONES), (OURS_UNSIGNED, RCLONES), (OURS_READ_BACK, RCLONES_READ_BACK)):
        print_ratio(f"{first} / {second}", timings[first], timings[second], goal=1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 x 8 MiB and 500 x 64 KiB")
    parser.add_argument("--load", choices=[load.name for load in LOADS], help="only this one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the servers write (default: the folder for temporary files)")
    arguments = parser.parse_args()
    for load in QUICK_LOADS if arguments.quick else LOADS:
        if arguments.load in (None, load.name):
            with tempfile.TemporaryDirectory(prefix="benchmark-", dir=arguments.folder) as folder:
                run(load, Path(folder), rounds=arguments.rounds)


if __name__ == "__main__":
    main()
