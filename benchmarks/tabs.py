"""`python -m benchmarks.tabs`: what twelve open tabs cost the site and the job they watch.

Starts the whole site with its demo, fills the first page of the jobs list, and lets its worker copy a backup of made-up
chunks between two folders: in turn with nobody watching and with twelve tabs, half on the jobs list and half on the
page of the job. A tab asks for what its page's `hx-get` names, as often as its `hx-trigger` says. Meanwhile somebody
goes from page to page. Only ratios between figures of the same run mean anything: tabs and site share the processors.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.client import BadStatusLine, HTTPConnection, HTTPResponse
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from backupsite.preparation import environment_for
from tests.site import RunningSite, wait_until

TAB_COUNT = 12
FAMILIES = 50
"""Originals with two copies each that have ended: one full page of the jobs list."""
JOB_SECONDS = 600
ORDINARY_PAGES = ("/clusters/", "/backups/", "/")
PAUSE_SECONDS = 0.2
POLL = re.compile(r'<div id="[^"]+"[^>]*? hx-get="([^"]+)" hx-trigger="every (\d+)s"')


@dataclass
class Seen:
    """What one way of watching showed."""

    fragment_ms: list[float] = field(default_factory=list)
    fragment_bytes: list[int] = field(default_factory=list)
    page_ms: list[float] = field(default_factory=list)
    watched_seconds: float = 0.0
    bytes_per_second: list[float] = field(default_factory=list)


class Reader:
    """One browser's connection, signed in."""

    def __init__(self, port: int, session: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Cookie": f"sessionid={session}", "Accept-Encoding": "gzip"}

    def get(self, path: str, *, is_htmx: bool = False) -> tuple[float, str]:
        """Milliseconds until the answer was there as a whole, and the answer."""
        began = time.perf_counter()
        try:
            answer = self._ask(path, is_htmx)
        except (ConnectionError, BadStatusLine):  # closed meanwhile by the server; a browser asks once more, too
            self._connection.close()
            answer = self._ask(path, is_htmx)
        body = answer.read()
        if answer.status not in (200, 204):
            raise AssertionError(f"{path} answered {answer.status}")
        return (time.perf_counter() - began) * 1000, body.decode()

    def _ask(self, path: str, is_htmx: bool) -> HTTPResponse:
        self._connection.request("GET", path, headers=self._headers | ({"HX-Request": "true"} if is_htmx else {}))
        return self._connection.getresponse()


def watch(reader: Reader, page: str, stopping: threading.Event, seen: Seen) -> None:
    """One open tab: asks again as long as what it shows says so."""
    _, shown = reader.get(page)
    poll = POLL.search(shown)
    while poll and not stopping.wait(int(poll[2])):
        took_ms, fragment = reader.get(unescape(poll[1]), is_htmx=True)
        seen.fragment_ms.append(took_ms)
        seen.fragment_bytes.append(len(fragment))
        # A part that was not replaced goes on asking as before.
        poll = POLL.search(fragment) or (None if 'class="live"' in fragment or 'id="job-poll"' in fragment else poll)


def go_from_page_to_page(reader: Reader, stopping: threading.Event, seen: Seen) -> None:
    for page in cycle(ORDINARY_PAGES):
        if stopping.wait(PAUSE_SECONDS):
            return
        seen.page_ms.append(reader.get(page)[0])


@contextmanager
def running(threads: list[threading.Thread], stopping: threading.Event) -> Iterator[None]:
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def fill_jobs_list(cluster: Any) -> None:
    from backups.states import CopyState
    from jobs.states import JobType
    from tests.builders import FRANKFURT, VIRGINIA, make_backup, make_job

    for _ in range(FAMILIES):
        backup = make_backup(cluster, copies=dict.fromkeys((VIRGINIA, FRANKFURT), CopyState.AVAILABLE))
        original = make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state="successful")
        for copy in backup.copies.filter(is_original=False):
            make_job(copy, parent=original, state="successful", bytes_done=2_000_000_000)


def make_source(megabytes: int) -> tuple[Any, Any, Any]:
    """A backup that lies in Oregon, its copy to Frankfurt, still to be made, and who may ask for it."""
    from accounts.models import Project, User
    from backups.states import CopyState
    from benchmarks.measure import Load
    from benchmarks.stored_backup import store_backup
    from jobs.states import JobType
    from tests.builders import FRANKFURT, OREGON, make_backup, make_cluster, make_job, store_in
    from tests.unit.dataplane.builders import CLUSTER

    project = Project.objects.get()
    fill_jobs_list(make_cluster(project, name="history"))
    load = Load("256 KiB", megabytes * 4, 256 * 1024)
    store_backup(store_in(project.organization, OREGON).open(), load)
    cluster = make_cluster(project, name="watched", code=CLUSTER)
    backup = make_backup(cluster, code="backup-1", copies={FRANKFURT: CopyState.FAILED})
    make_job(backup.copies.get(is_original=True), type=JobType.BACKUP, state="successful")
    return backup, backup.copies.get(region=FRANKFURT), User.objects.get(email__startswith="owner")


def measure(site: RunningSite, megabytes: int, rounds: int) -> dict[int, Seen]:
    from django.test import Client

    from backups.models import Copy
    from backups.states import CopyState
    from jobs.services import retry_copy
    from jobs.states import JobState

    _, copy, owner = make_source(megabytes)
    browser = Client()
    browser.force_login(owner)
    session = browser.cookies["sessionid"].value
    target = Path(copy.store.url.removeprefix("file://")) / "clusters" / copy.backup.cluster.code
    found = {0: Seen(), TAB_COUNT: Seen()}
    for number in range(rounds + 1):
        for tab_count in (0, TAB_COUNT) if number % 2 else (TAB_COUNT, 0):
            # The first round only warms up.
            seen = found[tab_count] if number else Seen()
            shutil.rmtree(target, ignore_errors=True)
            Copy.objects.filter(pk=copy.pk).update(state=CopyState.FAILED, stored_at=None, verified_at=None)
            copy.refresh_from_db()
            job = retry_copy(user=owner, copy=copy)
            stopping = threading.Event()
            walker = (Reader(site.port, session), stopping, seen)
            threads = [threading.Thread(target=go_from_page_to_page, args=walker)]
            for tab in range(tab_count):
                page = "/jobs/" if tab % 2 else job.get_absolute_url()
                threads.append(threading.Thread(target=watch, args=(Reader(site.port, session), page, stopping, seen)))
            began = time.perf_counter()
            with running(threads, stopping):
                ended = wait_for_end(job)
            if ended.state != JobState.SUCCESSFUL:
                raise AssertionError(f"{ended}: {ended.state}: {ended.reason}")
            seen.watched_seconds += time.perf_counter() - began
            seen.bytes_per_second.append(megabytes * 2**20 / ended.duration.total_seconds())
    return found


def wait_for_end(job: Any) -> Any:
    wait_until(lambda: not type(job).objects.get(pk=job.pk).is_active, "the copy has ended", seconds=JOB_SECONDS)
    return type(job).objects.get(pk=job.pk)


def print_results(found: dict[int, Seen]) -> None:
    alone, watched = found[0], found[TAB_COUNT]
    print(f"{TAB_COUNT} tabs asked {len(watched.fragment_ms) / watched.watched_seconds:.1f} times a second")
    p95 = quantiles(watched.fragment_ms, n=20)[-1]
    print(f"a fragment: median {median(watched.fragment_ms):.0f} ms, 95 % {p95:.0f} ms, ", end="")
    print(f"median {median(watched.fragment_bytes) / 1000:.1f} kB, most {max(watched.fragment_bytes) / 1000:.1f} kB")
    print(f"{'':28}{'no tab':>10}{TAB_COUNT:>7} tabs{'ratio':>8}")
    for what, before, after in (
        ("an ordinary page, median ms", median(alone.page_ms), median(watched.page_ms)),
        ("the copy, MB/s", median(alone.bytes_per_second) / 1e6, median(watched.bytes_per_second) / 1e6),
    ):
        print(f"{what:28}{before:10.1f}{after:12.1f}{after / before:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what twelve open tabs cost.")
    parser.add_argument("--megabytes", type=int, default=1_500, help="of the backup that is copied")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backupsite-tabs-") as folder:
        site = RunningSite(Path(folder) / "var")
        try:
            site.start()
            os.environ |= environment_for(site.var, os.environ)
            import django

            django.setup()
            print_results(measure(site, wanted.megabytes, wanted.rounds))
        finally:
            site.stop()


if __name__ == "__main__":
    main()
