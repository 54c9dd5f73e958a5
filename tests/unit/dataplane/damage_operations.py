"""Everything that works on stores, on the small world, and every call at which it can be broken off or lied to."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from dataplane import layout
from dataplane.collect import collect_chunks
from dataplane.delete import delete_backup
from dataplane.errors import StoreUnreachable
from dataplane.repair import repair_backup
from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import Crash, FaultyStore, Verb
from dataplane.verify import CheckDepth, verify_backup
from tests.unit.dataplane.builders import CLUSTER, always_allowed, ignore, never
from tests.unit.dataplane.damage_catalogue import CHUNKS, MANIFEST
from tests.unit.dataplane.damage_world import (
    BACKUPS,
    NEAR,
    Snapshot,
    chunk_keys_of,
    copy,
    filled,
    plan,
    world,
)

Call = tuple[Verb, str]
Stores = Mapping[str, ObjectStore]


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    before: dict[str, Snapshot]
    """What each store, by its role, holds before."""
    run: Callable[[Stores], bool]
    """False when it says of itself, without an error, that it did not reach its end."""
    after: Snapshot
    """What `target` holds once it has ended well."""
    keeps: tuple[str, ...]
    """Backups in `target` that restore in full at every moment."""


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    operation: Operation
    role: str
    """Of the store that fails."""
    name: str
    wrap: Callable[[ObjectStore], FaultyStore]
    raises: type[Exception] | None
    """What the store raises; None for one that lies instead."""


@cache
def faults() -> tuple[Fault, ...]:
    """Each call of each operation failing, crashing before or after its effect, torn, and answered with a lie."""
    return tuple(
        fault
        for operation in OPERATIONS
        for role, calls in _calls(operation).items()
        for fault in (*_broken_calls(operation, role, calls), *_lies(operation, role, calls))
    )


def _broken_calls(operation: Operation, role: str, calls: Sequence[Call]) -> Iterator[Fault]:
    counts: Counter[Verb] = Counter()
    for verb, key in calls:
        counts[verb] += 1
        name = f"{verb} {counts[verb]} of {role}"
        # A listing or a read that fails after its work has done nothing more than one that fails before.
        for acts_first in (False, True) if verb in ("write", "delete", "sync") else (False,):
            for kind, error in (("store error", StoreUnreachable), ("crash", Crash)):
                wrap = _breaking(verb, counts[verb], error, acts_first=acts_first)
                yield Fault(kind, operation, role, f"{name}, {'after' if acts_first else 'before'} it", wrap, error)
        if verb == "write":
            yield Fault("torn write", operation, role, f"half of {key}", _tearing(key), Crash)


def _lies(operation: Operation, role: str, calls: Sequence[Call]) -> Iterator[Fault]:
    for verb, key in sorted(set(calls)):
        if verb == "read":
            yield Fault("read lie", operation, role, key, _lying_reader(key), None)
        if verb == "write":
            yield Fault("written wrong", operation, role, key, _lying_writer(key), None)


def _breaking(
    verb: Verb, number: int, error: type[Exception], *, acts_first: bool
) -> Callable[[ObjectStore], FaultyStore]:
    return lambda store: FaultyStore(
        store,
        lambda called, key, count: (called, count) == (verb, number),
        lambda: error("The store was told to fail."),
        acts_first=acts_first,
    )


def _tearing(key: str) -> Callable[[ObjectStore], FaultyStore]:
    return lambda store: FaultyStore(
        store,
        lambda verb, called, number: (verb, called) == ("write", key),
        lambda: Crash("The machine went down in the middle of a write."),
        acts_first=True,
        writes=lambda called, data: data[: len(data) // 2] if called == key else data,
    )


def _lying_reader(key: str) -> Callable[[ObjectStore], FaultyStore]:
    return lambda store: FaultyStore(store, reads=lambda called, data: _flipped(data) if called == key else data)


def _lying_writer(key: str) -> Callable[[ObjectStore], FaultyStore]:
    return lambda store: FaultyStore(store, writes=lambda called, data: _flipped(data) if called == key else data)


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


def _calls(operation: Operation) -> dict[str, list[Call]]:
    """What the unbroken operation asks of each store."""
    watched = {role: FaultyStore(filled(objects)) for role, objects in operation.before.items()}
    operation.run(watched)
    return {role: store.calls for role, store in watched.items()}


def copy_one(stores: Stores) -> bool:
    copy(stores["source"], stores["target"], plan(NEAR))
    return True


def check_fully(stores: Stores) -> bool:
    return _verify(stores, CheckDepth.FULL)


def check_quickly(stores: Stores) -> bool:
    return _verify(stores, CheckDepth.QUICK)


def _verify(stores: Stores, depth: CheckDepth) -> bool:
    return verify_backup(
        cluster_id=CLUSTER,
        backup_id="one",
        store=stores["target"],
        on_progress=ignore,
        should_stop=never,
        depth=depth,
    ).is_sound


def repair(stores: Stores) -> bool:
    return repair_backup(
        cluster_id=CLUSTER,
        backup_id="one",
        target=stores["target"],
        target_region=NEAR,
        sources=[stores["source"]],
        on_progress=ignore,
        should_stop=never,
        may_commit=always_allowed,
    ).is_sound


def delete_one(stores: Stores) -> bool:
    delete_backup(cluster_id=CLUSTER, backup_id="one", store=stores["target"])
    return True


def collect(stores: Stores) -> bool:
    collect_chunks(
        cluster_id=CLUSTER,
        store=stores["target"],
        grace=timedelta(0),
        now=datetime.now(UTC) + timedelta(days=1),
        should_stop=never,
    )
    return True


def _without_one(near: Snapshot) -> Snapshot:
    gone = {*set(chunk_keys_of("one")) - set(chunk_keys_of("two")), MANIFEST, layout.readme_key(CLUSTER, "one")}
    return {key: data for key, data in near.items() if key not in gone}


def _harmed(near: Snapshot) -> Snapshot:
    """One chunk with a wrong first byte, one missing, and the manifest cut in half."""
    harmed = {**near, CHUNKS[0]: b"?" + near[CHUNKS[0]][1:], MANIFEST: near[MANIFEST][: len(near[MANIFEST]) // 2]}
    del harmed[CHUNKS[2]]
    return harmed


def _leftovers() -> Snapshot:
    return {layout.chunk_key(CLUSTER, f"{number:064x}"): b"nobody needs this" for number in range(3)}


_NEAR, _ORIGIN = world().near, world().origin
OPERATIONS = (
    Operation("copy", {"source": _ORIGIN, "target": _without_one(_NEAR)}, copy_one, _NEAR, ("two",)),
    Operation("full check", {"target": _NEAR}, check_fully, _NEAR, BACKUPS),
    Operation("quick check", {"target": _NEAR}, check_quickly, _NEAR, BACKUPS),
    Operation("repair", {"source": _ORIGIN, "target": _harmed(_NEAR)}, repair, _NEAR, ()),
    Operation("delete", {"target": _NEAR}, delete_one, _without_one(_NEAR), ("two",)),
    Operation("collect", {"target": {**_NEAR, **_leftovers()}}, collect, _NEAR, BACKUPS),
)
