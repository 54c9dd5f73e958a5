"""What goes wrong, each with its recovery some time later."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from django.conf import settings

from tests.torture.site import SCHEDULER, WORKERS, Site
from tests.torture.world import REGIONS, World

Deed = tuple[float, str, Callable[[], object]]
"""When, counted from the beginning of its round in seconds, what, and the deed itself."""

_SHIFTS_SECONDS = (-3600, -5, 5, 3600)
# Between the smallest and the largest chunk.
_ROOM_BYTES = 3_000


def kill_worker(site: Site, world: World, random: Random) -> list[Deed]:
    name = random.choice(WORKERS)
    return [(_moment(random), f"kill -9 {name}", lambda: site.kill(name))]


def kill_both_workers(site: Site, world: World, random: Random) -> list[Deed]:
    return [(_moment(random), f"kill -9 {name}", partial(site.kill, name)) for name in WORKERS]


def kill_scheduler(site: Site, world: World, random: Random) -> list[Deed]:
    return [(_moment(random), "kill -9 scheduler", lambda: site.kill(SCHEDULER))]


def kill_web(site: Site, world: World, random: Random) -> list[Deed]:
    if random.random() < 0.5:
        return [(_moment(random), "kill -9 web", site.kill_web)]
    return [(_moment(random), "kill -9 one of the web's processes", lambda: site.kill_web_process(random))]


def freeze_worker(site: Site, world: World, random: Random) -> list[Deed]:
    """SIGSTOP past the lease: somebody else takes over, and then the sleeper wakes."""
    name, seconds = random.choice(WORKERS), settings.JOB_LEASE_SECONDS + random.uniform(0.2, 1.5)
    return [(_moment(random), f"SIGSTOP {name}", lambda: site.freeze(name, seconds=seconds))]


def lose_store(site: Site, world: World, random: Random) -> list[Deed]:
    """The disk of a region is not mounted for a while."""
    code, begin = random.choice(REGIONS), _moment(random)
    here, away = world.root / code, world.root.parent / f"away-{code}"

    def take() -> None:
        if here.exists():
            here.rename(away)

    def bring() -> None:
        if away.exists():
            away.rename(here)

    end = begin + random.uniform(0.2, 1.5)
    return [(begin, f"{code} is away", take), (end, f"{code} is back", bring)]


def fill_disk(site: Site, world: World, random: Random) -> list[Deed]:
    name, begin = random.choice(WORKERS), _moment(random)
    end = begin + random.uniform(0.2, 1.5)
    return [
        (begin, f"no room for {name}", lambda: site.limit_files(name, _ROOM_BYTES)),
        (end, f"room again for {name}", lambda: site.limit_files(name, -1)),
    ]


def shift_clock(site: Site, world: World, random: Random) -> list[Deed]:
    """The clock of one process is wrong until it is started again."""
    name, shift, begin = random.choice([*WORKERS, SCHEDULER]), random.choice(_SHIFTS_SECONDS), _moment(random)
    end = begin + random.uniform(2.5, 4)
    return [
        (begin, f"{name} has a clock {shift:+} s wrong", lambda: site.kill(name, clock_shift_seconds=shift)),
        (end, f"kill -9 {name}, its clock is right again", lambda: site.kill(name)),
    ]


def restart_database(site: Site, world: World, random: Random) -> list[Deed]:
    return [(_moment(random), "kill -9 PostgreSQL, and start it", site.restart_database)]


def restart_broker(site: Site, world: World, random: Random) -> list[Deed]:
    """Away for a while; Redis loses every message."""
    assert site.broker is not None
    begin = _moment(random)
    end = begin + random.uniform(0.1, 2)
    return [(begin, "kill -9 the broker", site.broker.stop), (end, "start the broker", site.broker.start)]


def choose_faults(site: Site, world: World, random: Random) -> list[Deed]:
    """One to three faults of one round."""
    kinds = [kill_worker, kill_worker, kill_both_workers, kill_scheduler, kill_web, freeze_worker, freeze_worker]
    kinds += [lose_store, lose_store, fill_disk, shift_clock]
    if site.server is not None:
        kinds += [restart_database, restart_database]
    if site.broker is not None:
        kinds += [restart_broker, restart_broker]
    return [deed for kind in random.sample(kinds, random.randint(1, 3)) for deed in kind(site, world, random)]


def _moment(random: Random) -> float:
    return random.uniform(0, 1.5)
