"""Every way in which what lies in a store can be wrong, made from the small world by rule, not by hand."""

import hashlib
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from typing import Any

from dataplane import layout
from dataplane.manifest import FORMAT
from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import flip_bit, swap, truncate
from tests.unit.dataplane.builders import CLUSTER
from tests.unit.dataplane.damage_world import chunk_keys_of, world

MANIFEST = layout.manifest_key(CLUSTER, "one")
OTHER_MANIFEST = layout.manifest_key(CLUSTER, "two")
README = layout.readme_key(CLUSTER, "one")
CHUNKS = chunk_keys_of("one")

Path = tuple[str | int, ...]
"""The way to a value in a manifest."""


@dataclass(frozen=True, slots=True)
class Damage:
    kind: str
    name: str
    inflict: Callable[[ObjectStore], None]
    harmed: tuple[str, ...]
    """Keys of backup `one` that a full check must name; empty when the damage does it no harm."""


@cache
def damages() -> tuple[Damage, ...]:
    return (
        *_bit_flips(), *_truncations(), *_missing(), *_swapped(), *_longer(), *_extra(), *_foreign_manifests(),
        *_wrong_schemas(),
    )  # fmt: skip


def _bit_flips() -> Iterator[Damage]:
    places = {
        **{key: _spread(len(world().near[key]) * 8, 12) for key in CHUNKS},
        MANIFEST: _spread(len(world().near[MANIFEST]) * 8, 60),
        README: [0, -1],
    }
    for key, bits in places.items():
        for bit in bits:
            yield _damage("bit flip", f"{_short(key)} bit {bit}", key, partial(flip_bit, key=key, bit=bit))


def _truncations() -> Iterator[Damage]:
    for key in (*CHUNKS, MANIFEST, README):
        size_bytes = len(world().near[key])
        # The manifest is the torn one: also cut within each of its last lines, where JSON may look nearly whole.
        near_end = range(-12, 0) if key == MANIFEST else (-1,)
        for kept in (0, 1, size_bytes // 4, size_bytes // 2, *near_end):
            if key == MANIFEST and kept == -1:
                continue  # the last byte is a line break: without it the JSON is the same
            kind = "torn manifest" if key == MANIFEST else "truncation"
            yield _damage(kind, f"{_short(key)} at {kept}", key, partial(truncate, key=key, size_bytes=kept))


def _missing() -> Iterator[Damage]:
    for key in (*CHUNKS, MANIFEST, README):
        yield _damage("missing", _short(key), key, partial(_delete, key=key))


def _swapped() -> Iterator[Damage]:
    for first, second in combinations((*CHUNKS, MANIFEST), 2):
        name = f"{_short(first)} and {_short(second)}"
        yield Damage("swapped", name, partial(swap, first=first, second=second), _first_seen(first, second))
    yield Damage("swapped", "manifest and README", partial(swap, first=MANIFEST, second=README), (MANIFEST,))
    yield Damage(
        "swapped", "manifests of two backups", partial(swap, first=MANIFEST, second=OTHER_MANIFEST), (MANIFEST,)
    )


def _longer() -> Iterator[Damage]:
    for key in (*CHUNKS, MANIFEST, README):
        for more in (b"\0", b"x" * 500):
            yield _damage("longer", f"{_short(key)} by {len(more)}", key, partial(_append, key=key, more=more))


def _extra() -> Iterator[Damage]:
    for key in (
        layout.chunk_key(CLUSTER, "ab" * 32),  # its bytes are not what its name says, and nobody needs it
        f"{layout.chunks_prefix(CLUSTER)}stray.txt",
        f"{layout.chunks_prefix(CLUSTER)}ab/{'cd' * 32}.parquet",
        f"{layout.backups_prefix(CLUSTER)}one/manifest.json.bak",
        f"{layout.backups_prefix(CLUSTER)}one/more/manifest.json",
        f"{layout.backups_prefix(CLUSTER)}stray.txt",
        "clusters/in02-other/backups/one/manifest.json",
        "lost+found/x",
    ):
        yield Damage("extra", key, partial(_write, key=key, data=b"nobody asked for this"), ())


def _foreign_manifests() -> Iterator[Damage]:
    other = world().near[OTHER_MANIFEST]
    yield _manifest("manifest of another", "backup", other)
    for key in ("backup_id", "cluster_id"):
        yield _manifest("manifest of another", key, _sealed(_with(_body(), (key,), "in99-stranger")))
    for format_name in ("backupsite/2", "", None):
        document = {**json.loads(world().near[MANIFEST]), "format": format_name}
        yield _manifest("manifest of another", f"format {format_name}", json.dumps(document).encode())


def _wrong_schemas() -> Iterator[Damage]:
    """The digest of each is right: only reading with a strict schema can find them."""
    for path, value in _places(_body(), ()):
        place = ".".join(map(str, path))
        yield _manifest("wrong schema", f"other type at {place}", _sealed(_with(_body(), path, _other_type(value))))
        if isinstance(path[-1], str) and path[-2:-1] not in (("params",), ("properties",), ("software",)):
            yield _manifest("wrong schema", f"without {place}", _sealed(_without(_body(), path)))
    first: Path = ("collections", 0, "chunks", 0)
    semantic: tuple[tuple[Path, object], ...] = (
        ((*first, "sha256"), "../../../etc/passwd"),
        ((*first, "row_count"), 0),
        ((*first, "row_count"), 11),
        ((*first, "size_bytes"), 0),
        (("collections", 0, "row_count"), 29),
        (("collections", 0, "shards"), 0),
        (("collections", 0, "name"), "images"),
        (("created_at",), "yesterday"),
    )
    for where, wrong in semantic:
        yield _manifest("wrong schema", f"{wrong} at {where[-1]}", _sealed(_with(_body(), where, wrong)))
    objects: tuple[Path, ...] = ((), ("collections", 0), ("collections", 0, "schema"), first, ("lineage", 0))
    for where in objects:
        path = (*where, "surprise")
        yield _manifest("wrong schema", f"unknown key in {where}", _sealed(_with(_body(), path, 1)))


def _damage(kind: str, name: str, key: str, inflict: Callable[[ObjectStore], None]) -> Damage:
    return Damage(kind, name, inflict, () if key == README else (key,))


def _manifest(kind: str, name: str, data: bytes) -> Damage:
    return Damage(kind, name, partial(_write, key=MANIFEST, data=data), (MANIFEST,))


def _write(store: ObjectStore, key: str, data: bytes) -> None:
    store.write(key, data)


def _append(store: ObjectStore, key: str, more: bytes) -> None:
    store.write(key, store.read_bytes(key) + more)


def _delete(store: ObjectStore, key: str) -> None:
    store.delete(key)


def _first_seen(*keys: str) -> tuple[str, ...]:
    """With the manifest harmed, no check can name chunks."""
    return (MANIFEST,) if MANIFEST in keys else tuple(sorted(keys))


def _spread(length: int, count: int) -> list[int]:
    """About `count` places from the first to the last of `length`, both included, meeting every bit of a byte."""
    return sorted({0, length - 1, *(number * (length // count) + number % 8 for number in range(1, count - 1))})


def _short(key: str) -> str:
    return f"chunk {CHUNKS.index(key)}" if key in CHUNKS else key.rpartition("/")[2]


def _body() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(world().near[MANIFEST])["manifest"]
    return body


def _sealed(body: dict[str, Any]) -> bytes:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    document = {"format": FORMAT, "sha256": hashlib.sha256(canonical.encode()).hexdigest(), "manifest": body}
    return json.dumps(document, indent=1).encode()


def _places(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every place below `value` with what stands there; of a list only the first item, the others are alike."""
    below = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in below:
        yield (*path, key), item
        yield from _places(item, (*path, key))


def _other_type(value: Any) -> Any:
    return "text" if isinstance(value, dict | list) else [value]


def _with(body: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = deepcopy(body)
    _at(changed, path[:-1])[path[-1]] = value
    return changed


def _without(body: dict[str, Any], path: Path) -> dict[str, Any]:
    changed = deepcopy(body)
    del _at(changed, path[:-1])[path[-1]]
    return changed


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value
