"""What is done now and then, whoever asks: putting right, collecting and forgetting. Each part is idempotent."""

from __future__ import annotations

from datetime import datetime

from .collecting import request_collections
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
    catch_up(now)
