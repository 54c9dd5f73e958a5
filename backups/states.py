"""The states of backups and copies and the moves between them, as data."""

from django.db.models import TextChoices


class Origin(TextChoices):
    MANUAL = "manual", "Manual"
    AUTO = "auto", "Automatic"


class Scope(TextChoices):
    CLUSTER = "cluster", "Whole cluster"
    COLLECTION = "collection", "Chosen collections"


class BackupState(TextChoices):
    CREATING = "creating", "Creating"
    AVAILABLE = "available", "Available"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"
    DELETED = "deleted", "Deleted"


class CopyState(TextChoices):
    PLANNED = "planned", "Planned"  # waits for the original
    TRANSFERRING = "transferring", "Transferring"
    VERIFYING = "verifying", "Verifying"  # every byte has arrived; none of it is trusted yet
    AVAILABLE = "available", "Available"
    DAMAGED = "damaged", "Damaged"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Canceled"
    DELETING = "deleting", "Deleting"
    DELETED = "deleted", "Deleted"


BACKUP_MOVES: dict[str, set[str]] = {
    BackupState.CREATING: {BackupState.AVAILABLE, BackupState.FAILED, BackupState.CANCELED},
    BackupState.FAILED: {BackupState.DELETED},
    BackupState.CANCELED: {BackupState.DELETED},
    BackupState.AVAILABLE: {BackupState.DELETED},
}

_BROKEN = {CopyState.FAILED, CopyState.CANCELED}
COPY_MOVES: dict[str, set[str]] = {
    CopyState.PLANNED: {CopyState.TRANSFERRING, *_BROKEN},
    CopyState.TRANSFERRING: {CopyState.VERIFYING, *_BROKEN},
    CopyState.VERIFYING: {CopyState.AVAILABLE, CopyState.TRANSFERRING, *_BROKEN},
    CopyState.AVAILABLE: {CopyState.DAMAGED, CopyState.DELETING},
    # Back only when every byte was read and found sound: see `backups.services.record_soundness`.
    CopyState.DAMAGED: {CopyState.AVAILABLE, CopyState.PLANNED, CopyState.DELETING},
    CopyState.FAILED: {CopyState.PLANNED, CopyState.DELETING},
    CopyState.CANCELED: {CopyState.PLANNED, CopyState.DELETING},
    CopyState.DELETING: {CopyState.DELETED},
}

# What lies complete in its region, as far as anybody knows or in parts: there is something to check.
MAY_BE_CHECKED = frozenset({CopyState.AVAILABLE, CopyState.DAMAGED})
# What a person may ask to be copied once more.
MAY_BE_MADE_AGAIN = frozenset({CopyState.FAILED, CopyState.CANCELED, CopyState.DAMAGED})
# Nothing can be had from these, now or later, without another copy.
HOLDS_NOTHING = frozenset({CopyState.FAILED, CopyState.CANCELED, CopyState.DELETED})
# What can be removed, by a person or by its retention.
REMOVABLE = frozenset(state for state, moves in COPY_MOVES.items() if CopyState.DELETING in moves)
# On its way to another state without anybody's help.
UNSETTLED = frozenset({CopyState.PLANNED, CopyState.TRANSFERRING, CopyState.VERIFYING, CopyState.DELETING})
# Will be usable if nothing goes wrong; and what went wrong. Lists, so that the database sees one order.
COMING = [CopyState.PLANNED, CopyState.TRANSFERRING, CopyState.VERIFYING]
BROKEN = [CopyState.FAILED, CopyState.CANCELED, CopyState.DAMAGED]


def is_allowed(moves: dict[str, set[str]], before: str, after: str) -> bool:
    return after in moves.get(before, set())
