"""A backup takes as much memory for a million rows as its pages and chunks need, and no more."""

import subprocess
import sys
from pathlib import Path

import pytest

MANY, ENOUGH, FEW = 1_000_000, 300_000, 1_000
"""Rows. The middle number fills every page and chunk there can be at one time."""
ROW_BYTES = 8 + 64 * 4
ALLOWED_BYTES = 64 * 1024 * 1024
"""What the allocator may keep more of, of the more there was to let go: a third of the difference between the two."""

SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np, pyarrow as pa, pyarrow.parquet
from dataplane import backup, pages
from dataplane.backup import BackupPlan, take_backup
from dataplane.cluster_types import ClusterEndpoint, CollectionInfo, CollectionRef, Description, ServerInfo
from dataplane.manifest import FieldEntry, Schema
from dataplane.stores.local import LocalStore

total, folder = int(sys.argv[1]), Path(sys.argv[2])
ref = CollectionRef("default", "big")

def field(name, kind, **params):
    return FieldEntry(name, kind, "", "", name == "id", False, False, False, params, None)

schema = Schema("", False, (field("id", "INT64"), field("vector", "FLOAT_VECTOR", dim=64)))

class Cluster:
    '''A cluster whose rows are made when they are asked for.'''
    address, info = "http://made-up", ServerInfo("2.3.5", False)
    def __init__(self, endpoint): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def collections(self): return [ref]
    def database_properties(self, name): return {}
    def collection_info(self, ref): return CollectionInfo(ref, total, True, ("vector",), "id", total * 264)
    def describe(self, ref): return Description(schema, 1, "", {}, ("_default",), (), (), True)
    def flush(self, *refs): pass
    def moment(self): return None
    def count(self, ref): return total

class Reader(pages.PageReader):
    def __init__(self, cluster, ref, schema):
        super().__init__(cluster, ref, schema)
        self._is_columnar = True
    def columns(self, after, partition, limit):
        first = 0 if after is None else after + 1
        keys = np.arange(first, min(total, first + limit))
        flat = np.resize(keys.astype(np.float32), 64 * len(keys))
        target = backup.chunks.arrow_schema(schema)
        vectors = backup.chunks.vectors_column(flat, [False] * len(keys), target.field(1).type)
        return pa.Table.from_arrays([pa.array(keys), vectors], schema=target)

backup.Cluster, backup.PageReader = Cluster, Reader
def peak_bytes():
    # Not ru_maxrss: a child begins with the peak of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

before = peak_bytes()
report = take_backup(
    BackupPlan("one", "cluster", "Big", "here", (ref,), 1, datetime.now(UTC)), endpoint=ClusterEndpoint("http://x:1"),
    store=LocalStore(folder), on_progress=lambda progress: None, should_stop=lambda: False, may_commit=lambda: None,
)
assert report.row_count == total
print(peak_bytes() - before)
"""


def growth_bytes(rows: int, folder: Path) -> int:
    """By how much the peak memory of a process grows when it backs up so many rows of 256 bytes."""
    folder.mkdir()
    command = [sys.executable, "-c", SCRIPT, str(rows), str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_million_rows_take_no_more_memory_than_pages_and_chunks_need(tmp_path: Path) -> None:
    few, enough, many = (growth_bytes(rows, tmp_path / str(rows)) for rows in (FEW, ENOUGH, MANY))
    assert few < many < 300 * 1024 * 1024
    assert many - enough < ALLOWED_BYTES < (MANY - ENOUGH) * ROW_BYTES / 2
