"""One backup or one restore in a process of its own, which prints the most memory it ever had, in MB.

python -m benchmarks.one_job backup|restore URI COLLECTION FOLDER
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from dataplane.backup import BackupPlan, take_backup
from dataplane.memory import keep_memory_small
from dataplane.milvus import ClusterEndpoint, CollectionRef
from dataplane.restore import CollectionMapping, RestorePlan, restore_backup
from dataplane.stores.local import LocalStore

SOURCE = CollectionRef("default", "rows")


def back_up(endpoint: ClusterEndpoint, store: LocalStore) -> int:
    """How many rows it stored."""
    plan = BackupPlan("bench", "cluster", "Bench", "here", (SOURCE,), fence=1, created_at=datetime.now(UTC))
    return take_backup(
        plan,
        endpoint=endpoint,
        store=store,
        on_progress=lambda progress: None,
        should_stop=lambda: False,
        may_commit=lambda: None,
    ).row_count


def restore(endpoint: ClusterEndpoint, store: LocalStore, target: str) -> None:
    mapping = CollectionMapping(SOURCE, CollectionRef("default", target))
    restore_backup(
        RestorePlan("cluster", "bench", (mapping,), cu_size=1, load=False, attempt_id=target),
        store=store,
        endpoint=endpoint,
        on_progress=lambda progress: None,
        should_stop=lambda: False,
    )


def peak_megabytes() -> float:
    """Of this process. Not what getrusage says: a child begins with the peak of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    keep_memory_small()  # as a worker does
    what, uri, name, folder = sys.argv[1:]
    if what == "backup":
        back_up(ClusterEndpoint(uri), LocalStore(Path(folder)))
    else:
        restore(ClusterEndpoint(uri), LocalStore(Path(folder)), name)
    print(f"{peak_megabytes():.0f}")
