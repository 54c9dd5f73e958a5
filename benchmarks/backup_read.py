"""How fast rows leave and enter a cluster: `python -m benchmarks.backup_read --rows 100000 --dim 768`.

Every figure is a median, and every ratio is taken within one run, for the machine is never twice the same. The
server is started for it, on this machine. With `--apart` it has the first processor to itself and we have the others,
which is nearer to a server on a machine of its own; without, all share all of them. What is compared takes turns in
going first, and what writes begins after a rest, for a server is busy for seconds with what it was told to drop.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.one_job import SOURCE, back_up, restore
from dataplane import chunks
from dataplane.commit import read_manifest
from dataplane.milvus import Cluster, ClusterEndpoint, CollectionRef
from dataplane.milvus_lite import MilvusLiteServer
from dataplane.pages import PageReader, tables
from dataplane.stores.local import LocalStore

NAME = SOURCE.name
INSERT_ROWS = 2000
ITERATOR_ROWS = 1000
READ, BACKUP, ITERATOR = "read only, our way", "our backup", "backup by query_iterator"
INSERT, SETTLE, RESTORE = "insert only", "flush, index, load", "our restore"
PARTS = ("backup", "iterator", "restore")
REST_SECONDS = 3
RATIOS = (
    (BACKUP, READ, "(goal 0.9)"),
    (BACKUP, ITERATOR, "(goal 2)"),
    (RESTORE, INSERT, "(goal 0.9)"),
    (RESTORE, "insert, flush, index and load", ""),
)


@contextmanager
def on_processors(numbers: set[int]) -> Iterator[None]:
    """What is started inside runs on these only, and so does this thread."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, numbers)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def server(kind: str) -> Iterator[ClusterEndpoint]:
    if kind == "lite":
        with tempfile.TemporaryDirectory() as folder, MilvusLiteServer(Path(folder)) as lite:
            yield ClusterEndpoint(lite.uri)
    else:
        from tests.integration.milvus_server import MilvusServer, why_missing

        if sentence := why_missing():
            raise SystemExit(sentence)
        with MilvusServer() as started:
            yield ClusterEndpoint(started.uri)


def make(client: Any, name: str, dim: int) -> None:
    from pymilvus import DataType

    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
    client.create_collection(name, schema=schema)


def index_and_load(client: Any, name: str) -> None:
    client.flush(name)
    params = client.prepare_index_params()
    params.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_index(name, params)
    client.load_collection(name)


def insert_only(client: Any, name: str, vectors: Any) -> None:
    """Our rows from memory, in batches, and nothing else."""
    for start in range(0, len(vectors), INSERT_ROWS):
        part = vectors[start : start + INSERT_ROWS]
        client.insert(name, [{"id": start + number, "vector": vector} for number, vector in enumerate(part)])


def read_only(endpoint: ClusterEndpoint) -> int:
    """Every page by the way our backup takes, thrown away."""
    ref = CollectionRef("default", NAME)
    with Cluster(endpoint) as cluster:
        reader = PageReader(cluster, ref, cluster.describe(ref).schema)
        return sum(page.num_rows for page in tables(reader, "_default", before_each=lambda: None))


def by_query_iterator(client: Any, endpoint: ClusterEndpoint, store: LocalStore) -> int:
    """The backup one would write first: pymilvus' iterator, the same Parquet files, no check of anything."""
    with Cluster(endpoint) as cluster:
        schema = cluster.describe(CollectionRef("default", NAME)).schema
    iterator = client.query_iterator(
        NAME, batch_size=ITERATOR_ROWS, output_fields=["*"], consistency_level="Strong", filter=""
    )
    count = 0

    def batches() -> Iterator[Any]:
        nonlocal count
        while batch := iterator.next():
            count += len(batch)
            yield chunks.to_table([dict(row) for row in batch], schema)

    for number, (table, _) in enumerate(chunks.split(batches(), schema, chunks.Cutter())):
        store.write(f"{number}.parquet", chunks.to_parquet(table, schema))
    iterator.close()
    return count


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def in_turn(acts: dict[str, Callable[[], object]], number: int) -> dict[str, float]:
    """How many seconds each took; the last goes first every other time."""
    return {what: timed(acts[what]) for what in (list(acts) if number % 2 == 0 else reversed(list(acts)))}


def measure(kind: str, rows: int, dim: int, repeats: int, *, is_apart: bool, parts: Collection[str]) -> None:
    processors = sorted(os.sched_getaffinity(0))
    first, others = ({processors[0]}, set(processors[1:])) if is_apart else (set(processors), set(processors))
    with ExitStack() as stack:
        with on_processors(first):
            endpoint = stack.enter_context(server(kind))
        stack.enter_context(on_processors(others))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        compare(kind, endpoint, folder, rows, dim, repeats, parts=parts)


def compare(
    kind: str, endpoint: ClusterEndpoint, folder: str, rows: int, dim: int, repeats: int, *, parts: Collection[str]
) -> None:
    from pymilvus import MilvusClient

    vectors = np.random.default_rng(7).standard_normal((rows, dim), dtype=np.float32)
    seconds: dict[str, list[float]] = {}
    client = MilvusClient(endpoint.uri, dedicated=True)
    make(client, NAME, dim)
    insert_only(client, NAME, vectors)
    index_and_load(client, NAME)
    time.sleep(5)  # what the server still does with the new rows would slow whatever is measured first
    stored = fresh_store(folder, "stored")
    if "restore" in parts:
        back_up(endpoint, stored)

    def write_only(target: str) -> None:
        insert_only(client, target, vectors)

    for number in range(repeats):
        store, other = fresh_store(folder, f"ours-{number}"), fresh_store(folder, f"other-{number}")
        took: dict[str, float] = {}
        if "backup" in parts:
            reads: dict[str, Callable[[], object]] = {
                READ: lambda: expect(rows, read_only(endpoint)),
                BACKUP: partial(back_up, endpoint, store),
            }
            took |= in_turn(reads, number)
            expect(rows, read_manifest(store, "cluster", "bench").row_count)
        if "iterator" in parts:
            took[ITERATOR] = timed(partial(by_query_iterator, client, endpoint, other))
        if "restore" in parts:
            took |= writing(client, endpoint, stored, write_only, dim, number)
        for what, value in took.items():
            seconds.setdefault(what, []).append(value)
    report(kind, rows, seconds)
    alone = fresh_store(folder, "alone")
    peaks = [peak_of(job, endpoint, "alone", alone) for job in ("backup", "restore")]
    print("  most memory of a process that does one backup: {} MB, one restore: {} MB  (goal 400)".format(*peaks))
    client.close()


def writing(
    client: Any, endpoint: ClusterEndpoint, stored: LocalStore, write_only: Callable[[str], None], dim: int, number: int
) -> dict[str, float]:
    took: dict[str, float] = {}
    for what in (INSERT, RESTORE) if number % 2 == 0 else (RESTORE, INSERT):
        target = f"{what[:3]}_{number}".replace(" ", "_")
        time.sleep(REST_SECONDS)
        if what == INSERT:
            make(client, target, dim)
            took[INSERT] = timed(partial(write_only, target))
            took[SETTLE] = timed(partial(index_and_load, client, target))
        else:
            took[RESTORE] = timed(partial(restore, endpoint, stored, target))
        client.drop_collection(target)
    return took


def peak_of(job: str, endpoint: ClusterEndpoint, name: str, store: LocalStore) -> str:
    command = [sys.executable, "-m", "benchmarks.one_job", job, endpoint.uri, name, str(store.root)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def fresh_store(folder: str, name: str) -> LocalStore:
    root = Path(folder) / name
    root.mkdir()
    return LocalStore(root)


def expect(rows: int, found: int) -> None:
    if found != rows:
        raise SystemExit(f"{found} rows were read instead of {rows}: this run proves nothing.")


def report(kind: str, rows: int, seconds: dict[str, list[float]]) -> None:
    middle = {what: statistics.median(values) for what, values in seconds.items()}
    print(f"\n{kind}, {rows:,} rows")
    for what, value in middle.items():
        every = " ".join(f"{one:.2f}" for one in sorted(seconds[what]))
        print(f"  {what:32} {value:7.2f} s  {rows / value:9,.0f} rows/s   of {every}")
    if INSERT in middle:
        middle["insert, flush, index and load"] = middle[INSERT] + middle[SETTLE]
    for ours, theirs, goal in RATIOS:
        if {ours, theirs} <= middle.keys():
            print(f"  {f'{ours} / {theirs}':44} {middle[theirs] / middle[ours]:.2f}  {goal}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--servers", nargs="+", choices=["lite", "server"], default=["lite", "server"])
    parser.add_argument("--apart", action="store_true", help="give the server a processor of its own")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these only")
    asked = parser.parse_args()
    if asked.apart and len(os.sched_getaffinity(0)) == 1:
        raise SystemExit("There is only one processor here: nothing can be put apart.")
    for kind in asked.servers:
        measure(kind, asked.rows, asked.dim, asked.repeats, is_apart=asked.apart, parts=asked.parts)


if __name__ == "__main__":
    main()
