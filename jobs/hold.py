"""A worker's hold on one job: a thread that renews the lease, writes progress and hears of cancellation."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from .errors import StaleJob
from .models import Job
from .moves import renew_lease
from .samples import Sampler
from .states import JobState

if TYPE_CHECKING:
    from dataplane.progress import Progress

log = logging.getLogger(__name__)

# Progress is written, and a cancellation heard, this often at most.
BEAT_SECONDS = 1.0


class Hold:
    """Use as a context manager around the work on a claimed job.

    Pass `on_progress`, `should_stop` and `may_commit` to the data plane. Progress reaches the row at most once a
    second, and a cancellation reaches the work within about a second.
    """

    def __init__(self, job: Job, stopping: threading.Event) -> None:
        self._job_id, self._lease = job.pk, job.lease
        self._stopping = stopping
        self._released = threading.Event()
        self._progress: Progress | None = None
        self.bytes_before = 0
        """Of the progress, what was there already when the bytes began to move; set by who knows it."""
        self._meter: Callable[[Progress], None] | None = None
        # Two threads write progress, and what is written last has to be the newest.
        self._writes = threading.Lock()
        self._sampler = Sampler(job.pk)
        self._renewed_at = time.monotonic()
        self.is_lost = False
        self.is_canceled = False
        self._thread = threading.Thread(target=self._beat, name=f"hold-{job.code}", daemon=True)

    def __enter__(self) -> Hold:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Stop renewing; after this the thread writes nothing any more."""
        self._released.set()
        if self._thread.is_alive():
            self._thread.join()

    def on_progress(self, progress: Progress) -> None:
        self._progress = progress

    def should_stop(self) -> bool:
        return self.is_lost or self.is_canceled or self._stopping.is_set()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction in which the job is proven to be ours; StaleJob if it is not.

        Everything a worker writes about its job goes through here or through `move_job`: a worker that slept past its
        lease finds out before it writes, and nobody can take the job over between the proof and the commit.
        """
        with transaction.atomic():
            self.may_commit()
            yield

    @contextmanager
    def metering(self, write: Callable[[Progress], None]) -> Iterator[None]:
        """Call `write` with the newest progress, in the transaction that writes it, at most once a second.

        And once more when the work ends badly: what it has sent until then is paid for.
        """
        self._meter = write
        try:
            yield
        except BaseException:
            with self._writes:
                self._renew(self._progress)
            raise

    def begin_phase(self) -> None:
        """Forget what was reported so far: what comes next counts from the beginning."""
        self._progress, self._meter, self.bytes_before = None, None, 0

    def may_commit(self) -> None:
        """Raise StaleJob unless the job is still ours and nobody asked to stop; asks the database, not memory."""
        if renew_lease(self._job_id, self._lease) not in {JobState.IN_PROGRESS, JobState.VERIFYING}:
            raise StaleJob(f"job {self._job_id} is not ours any more")

    def _beat(self) -> None:
        try:
            written: Progress | None = None
            while not self._released.wait(BEAT_SECONDS):
                with self._writes:
                    progress = self._progress
                    is_due = time.monotonic() - self._renewed_at >= settings.JOB_LEASE_SECONDS / 3
                    if progress is written and not is_due and not self._wants_news():
                        continue
                    self._renew(progress if progress is not written else None)
                    written = progress
        finally:
            connection.close()

    def _wants_news(self) -> bool:
        """Whether a cancellation waits that no progress would tell us of; unlike a write, a read costs nothing."""
        try:
            state = Job.objects.filter(pk=self._job_id, lease=self._lease).values_list("state", flat=True).first()
        except DatabaseError:
            return False
        return state is None or (state == JobState.CANCELING and not self.is_canceled)

    def _renew(self, progress: Progress | None) -> None:
        changes = {}
        if progress is not None:
            changes = {
                "bytes_done": progress.bytes_done,
                "bytes_total": progress.bytes_total,
                "bytes_before": self.bytes_before,
                "progress_at": timezone.now(),
            }
        try:
            with transaction.atomic():
                state = renew_lease(self._job_id, self._lease, **changes)
                if state is not None and progress is not None:
                    self._sampler.note(progress.bytes_done - self.bytes_before)
                    if self._meter is not None:
                        self._meter(progress)
        except DatabaseError as trouble:
            # The database may be back before the lease ends; after that somebody else may own the job.
            connection.close()
            if time.monotonic() - self._renewed_at > settings.JOB_LEASE_SECONDS:
                self.is_lost = True
            log.warning("The lease of job %s could not be renewed: %s", self._job_id, trouble)
            return
        if state is None:
            self.is_lost = True
            return
        self._renewed_at = time.monotonic()
        self.is_canceled = self.is_canceled or state == JobState.CANCELING
