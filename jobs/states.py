"""The states of a job and the moves between them, as data."""

from django.db.models import TextChoices


class JobType(TextChoices):
    BACKUP = "backup", "Backup"
    COPY = "copy", "Copy to region"
    RESTORE = "restore", "Restore"
    DELETE = "delete", "Delete backup"
    EXPIRE = "expire", "Expire copy"  # the same work as DELETE, asked for by a retention
    VERIFY = "verify", "Check copy"
    REPAIR = "repair", "Repair copy"
    COLLECT = "collect", "Collect leftovers"  # what no backup of the cluster in the region needs any more


class JobState(TextChoices):
    PENDING = "pending", "Pending"
    IN_PROGRESS = "in_progress", "In progress"
    VERIFYING = "verifying", "Verifying"  # every byte has arrived; none of it is trusted yet
    CANCELING = "canceling", "Canceling"  # somebody asked; the worker has not stopped yet
    SUCCESSFUL = "successful", "Successful"
    FAILED = "failed", "Failed"  # the world said no, and we can say why
    CRASHED = "crashed", "Crashed"  # our bug, or a worker that vanished once too often
    CANCELED = "canceled", "Canceled"


# Back to PENDING: a retry, or the lease of a dead worker. The claim counts the attempts.
MOVES: dict[str, set[str]] = {
    JobState.PENDING: {JobState.IN_PROGRESS, JobState.CANCELED},
    JobState.IN_PROGRESS: {
        JobState.VERIFYING,
        JobState.SUCCESSFUL,
        JobState.FAILED,
        JobState.CRASHED,
        JobState.CANCELING,
        JobState.PENDING,
    },
    JobState.VERIFYING: {
        JobState.SUCCESSFUL,
        JobState.FAILED,
        JobState.CRASHED,
        JobState.CANCELING,
        JobState.PENDING,
    },
    JobState.CANCELING: {JobState.CANCELED},
}
FINAL = frozenset(JobState) - MOVES.keys()
ACTIVE = frozenset(MOVES)
# A worker holds the job and must keep renewing its lease.
HELD = frozenset({JobState.IN_PROGRESS, JobState.VERIFYING, JobState.CANCELING})

# Restores before backups before copies and repairs before the rest, then checks, and tidying up last; the smaller
# number goes first.
PRIORITY: dict[str, int] = {
    JobType.RESTORE: 10,
    JobType.BACKUP: 20,
    JobType.COPY: 30,
    JobType.REPAIR: 30,
    JobType.DELETE: 40,
    JobType.EXPIRE: 40,
    JobType.VERIFY: 50,
    JobType.COLLECT: 60,
}

# Who stands against whom while it runs; see `JobQuerySet.claimable`. Lists, so that the database sees one order.
WRITERS = [JobType.BACKUP, JobType.COPY, JobType.REPAIR]  # put chunks into the target region's store
REMOVERS = [JobType.DELETE, JobType.EXPIRE]  # take a copy out of it
TAKERS = [*REMOVERS, JobType.COLLECT]  # take chunks out of it
READERS = [JobType.RESTORE, JobType.COPY]  # read the backup from other copies of it; a repair, from any of the cluster

# Leave their copy as it is, so any number of them may be active beside one that writes, checks or removes it.
BESIDE_THE_COPY = [JobType.RESTORE, JobType.COLLECT]
# About one copy that is there already: they find out what it is worth.
CHECKS = [JobType.VERIFY, JobType.REPAIR]

# What counts against JOBS_PER_CLUSTER: what really talks to the cluster. The others talk to stores alone.
TALKS_TO_CLUSTER = [JobType.BACKUP, JobType.RESTORE]
# What neither waits for JOBS_PER_REGION nor counts against it. Who restores has lost something and waits for nobody.
EXEMPT_FROM_REGION_LIMIT = [JobType.RESTORE]

# The first wait is short because most outages are; the last is long enough to sit out a restart.
_BACKOFF_SECONDS = (2, 10, 30, 120, 300)


def is_allowed(before: str, after: str) -> bool:
    return after in MOVES.get(before, set())


def backoff_seconds(attempt: int) -> int:
    """How long to wait before trying again after `attempt` failed (the first is 1)."""
    return _BACKOFF_SECONDS[min(max(attempt, 1), len(_BACKOFF_SECONDS)) - 1]
