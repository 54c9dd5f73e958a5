"""What is done now and then, whoever asks: putting right, collecting and forgetting. Each part is idempotent."""

from __future__ import annotations

from datetime import datetime

from backups.models import Copy

from .collecting import request_collection, request_collections
from .firing import correct_due_times, forget_old_runs
from .metering import catch_up
from .samples import forget_old_samples


def keep_up(now: datetime) -> None:
    correct_due_times(now)
    request_collections(now)
    forget_old_runs(now)
    forget_old_samples(now)


def keep_usage_up(now: datetime) -> None:
    """More often than the rest: what is used is to be seen while it is used, and a day to begin when it does."""
    for copy in catch_up(now):
        # Gone before the ledger began: what it shared with others that are still there was not freed, and nobody saw.
        if copy.gone_noted_at is not None and copy.gone_noted_at == copy.kept_noted_at and _lies_beside_others(copy):
            request_collection(copy, created_by=None)


def _lies_beside_others(copy: Copy) -> bool:
    return Copy.objects.lying_in(copy.store_id, copy.backup.cluster_id).exists()
