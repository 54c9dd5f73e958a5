"""`python -m tests.torture [--rounds 1000] [--seed N] [--database sqlite|postgres] [--broker redis|rabbitmq]`:
see `make torture`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from tests.postgres import PostgresServer
from tests.rabbitmq_server import RabbitMQServer
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from tests.torture.rounds import Tally

# What is killed loses nothing that it wrote, on a disk or not; and flushing a disk waits for everybody else's writes.
MEMORY = "/dev/shm"
BROKERS: dict[str, type[RedisServer | RabbitMQServer]] = {"redis": RedisServer, "rabbitmq": RabbitMQServer}


def main() -> int:
    parser = argparse.ArgumentParser(description="Lets everything fail at random and counts what that did.")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="Repeats what is asked for and what fails.")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--broker", choices=["none", *BROKERS], default="none", help="What wakes the workers.")
    parser.add_argument("--together", type=int, default=4, help="So many rounds run into each other before a look.")
    parser.add_argument("--without-milvus", action="store_true", help="No backups of a real cluster among the jobs.")
    parser.add_argument("--keep", action="store_true", help="Keep the folder with logs, database and stores.")
    parser.add_argument("--verbose", action="store_true", help="Tell of every request and every fault.")
    wanted = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="torture-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
        if not wanted.keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        server = stack.enter_context(PostgresServer(keeps_commits=True)) if wanted.database == "postgres" else None
        broker = BROKERS[wanted.broker]() if wanted.broker in BROKERS else None
        if broker:
            stack.enter_context(broker)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "VAR_DIR": str(folder),
            "LOCAL_STORES_ROOT": str(folder),
            "DATABASE_URL": server.url if server else "",
            "DATABASE_FILE": str(folder / "torture.sqlite3"),
            "BROKER_URL": broker.url if broker else "",
            "ALLOWED_HOSTS": "127.0.0.1",
            "LOG_LEVEL": "ERROR",
            "JOB_POLL_SECONDS": "0.1",
            # Short, so that a round is; a machine that is busy renews it in time most often.
            "JOB_LEASE_SECONDS": "2",
            # What is taken from its workers so often is the plaything of chance; what crashes before that is our fault.
            "JOB_MAX_ATTEMPTS": "60",
        }
        import django

        django.setup()
        return torture(stack, folder, server, broker, wanted)


def torture(
    stack: ExitStack,
    folder: Path,
    server: PostgresServer | None,
    broker: RedisServer | RabbitMQServer | None,
    wanted: argparse.Namespace,
) -> int:
    from django.core.management import call_command
    from django.db.backends.signals import connection_created

    from jobs import dispatch
    from tests.torture.cluster import live_cluster
    from tests.torture.rounds import Rounds
    from tests.torture.site import Site
    from tests.torture.world import World

    # Short, so that a round is: a message that died with its worker is sent again soon.
    dispatch.FIRST_PATIENCE_SECONDS, dispatch.LONGEST_PATIENCE_SECONDS = 1, 4
    connection_created.connect(_take_time, weak=False)
    call_command("migrate", verbosity=0)
    for name in ("log", "stores"):
        (folder / name).mkdir()
    endpoint = "" if wanted.without_milvus else stack.enter_context(live_cluster(folder / "milvus"))
    seed = SystemRandom().randrange(1_000_000) if wanted.seed is None else wanted.seed
    world = World(folder / "stores", endpoint=endpoint)
    site = stack.enter_context(Site(folder / "log", world.admin, server=server, broker=broker))
    rounds = Rounds(site, world, say if wanted.verbose else lambda line: None)
    began = time.monotonic()
    while rounds.tally.rounds < wanted.rounds:
        together = min(wanted.together, wanted.rounds - rounds.tally.rounds)
        say(f"round {rounds.tally.rounds + 1} of {wanted.rounds}, seed {seed}, {time.monotonic() - began:.0f} s")
        for sentence in rounds.play(seed, together=together).sentences():
            say(f"  {sentence}")
        seed += 1
    rounds.tally.count_endings()
    return summarise(rounds.tally, wanted, folder, time.monotonic() - began)


_HARNESS = os.getpid()


def _take_time(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Of all processes only this one may dawdle in a transaction: it has no lease to lose."""
    if os.getpid() == _HARNESS and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET idle_in_transaction_session_timeout = 0")


def summarise(tally: Tally, wanted: argparse.Namespace, folder: Path, seconds: float) -> int:
    found = tally.findings
    woken = f" and {wanted.broker}" if wanted.broker != "none" else ""
    counts = {name.replace("_", " "): len(sentences) for name, sentences in vars(found).items()}
    say(
        f"{tally.rounds} rounds on {wanted.database}{woken} in {seconds:.0f} s: "
        + ", ".join(f"{count} {name}" for name, count in counts.items())
    )
    say("What was asked and what failed: " + ", ".join(f"{what} {n}" for what, n in sorted(tally.deeds.items())))
    say("What the pages answered: " + ", ".join(f"{n} {what}" for what, n in sorted(tally.pages.items())))
    say("How the jobs ended: " + ", ".join(f"{n} {what}" for what, n in sorted(tally.endings.items())))
    if tally.bad_seeds:
        again = " ".join(map(str, tally.bad_seeds))
        say(
            f"Bad seeds: {again}. Repeat with: make torture SEED={tally.bad_seeds[0]} ROUNDS={wanted.together}"
            f" DATABASE={wanted.database} BROKER={wanted.broker}"
        )
    if wanted.keep:
        say(f"Logs, database and stores: {folder}")
    return 1 if found else 0


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
