"""Pages that change by themselves: they stop asking, come back whole, and outlive the worker they watch."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, Request, TimeoutError, expect

from tests.browser import walk
from tests.site import RunningSite

POLL_MILLISECONDS = 2_000


def is_poll(request: Request) -> bool:
    return "/jobs/table/" in request.url


def test_the_jobs_list_asks_while_a_job_runs_and_no_more_once_all_have_ended(admin):
    walk.open_home(admin)
    walk.begin_backup(admin, "recommendations")
    with admin.expect_request(is_poll):
        backup = walk.submit_backup(admin)
    walk.wait_for_copies(admin, backup, 0)
    expect(admin.locator("#job-poll:not([hx-get])")).to_have_count(1)
    with pytest.raises(TimeoutError), admin.expect_request(is_poll, timeout=2.5 * POLL_MILLISECONDS):
        pass


def test_the_focus_outlives_polls_and_a_change_of_state_is_read_out_once(admin, site):
    walk.open_home(admin)
    worker = site.process_of("manage.py run_worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        walk.begin_backup(admin, "docs-search")
        backup = walk.submit_backup(admin)
        admin.locator(walk.job_rows(admin, backup, "backup")).get_by_role("link").click()
        cancel = admin.get_by_role("button", name="Cancel job")
        cancel.focus()
        for _ in range(2):
            with admin.expect_response(lambda answer: "/progress/" in answer.url):
                pass
        admin.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-settling')")
        expect(cancel).to_be_focused()
        expect(admin.locator("#news")).to_be_empty()
    finally:
        os.kill(worker, signal.SIGCONT)
    expect(admin.locator("#news")).to_have_text("Backup of docs-search: Successful")


@contextmanager
def frozen(site: RunningSite, *commands: str) -> Iterator[None]:
    processes = [site.process_of(f"manage.py {command}") for command in commands]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@contextmanager
def at_work(site: RunningSite, backup: str) -> Iterator[Callable[[str], None]]:
    """Make the job of `backup` look like one at work; gives a way to change its row, and takes all of it back."""
    with sqlite3.connect(site.var / "backupsite.sqlite3", timeout=20, isolation_level=None) as database:

        def change(columns: str) -> None:
            where = "WHERE backup_id = (SELECT id FROM backups_backup WHERE name = ?)"
            assert database.execute(f"UPDATE jobs_job SET {columns} {where}", [backup]).rowcount == 1  # noqa: S608

        change("state = 'in_progress', lease = 'x', lease_until = datetime('now', '+5 seconds'), bytes_total = 8000")
        try:
            yield change
        finally:
            change("state = 'pending', lease = '', lease_until = NULL")


def test_the_row_of_a_job_at_work_moves_while_the_table_around_it_stays(admin, site):
    walk.open_home(admin)
    # The scheduler too, which would take the job from a worker that does not renew its lease.
    with frozen(site, "run_worker", "run_scheduler"):
        walk.begin_backup(admin, "docs-search")
        backup = walk.submit_backup(admin)
        with at_work(site, backup) as change:
            row = admin.locator(walk.job_rows(admin, backup, "backup", "in_progress"))
            change("bytes_done = 1000")
            expect(row).to_contain_text("1.00 kB of 8.00 kB")
            admin.evaluate("document.getElementById('job-table').dataset.stays = 'yes'")
            row.get_by_role("link").focus()
            change("bytes_done = 5000")
            expect(row).to_contain_text("5.00 kB of 8.00 kB")
            expect(row.get_by_role("link")).to_be_focused()
            expect(admin.locator("#job-table")).to_have_attribute("data-stays", "yes")
    walk.wait_for_copies(admin, backup, 0)


def expect_a_whole_page(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    expect(page.get_by_role("main")).to_have_count(1)


def test_back_shows_whole_pages_after_parts_of_them_were_replaced(admin):
    walk.open_home(admin)
    walk.begin_backup(admin, "docs-search")
    walk.tick_regions(admin, ["gcp-us-east4"])
    expect(admin.locator("#backup-quote")).to_contain_text("Copy in Virginia")
    with admin.expect_response(lambda answer: is_poll(answer.request)):
        backup = walk.submit_backup(admin)
    walk.choose(admin, "Costs")
    expect_a_whole_page(admin, "Costs")
    admin.go_back()
    expect_a_whole_page(admin, "Jobs")
    admin.go_back()
    expect_a_whole_page(admin, "Create backup")
    # What the browser remembers of the form and what the page shows for it agree.
    expect(admin.locator("#id_regions")).to_be_visible(visible=admin.locator("input[name=copy]").is_checked())
    admin.go_forward()
    expect_a_whole_page(admin, "Jobs")
    walk.wait_for_copies(admin, backup, 1)


def rows(site: RunningSite, query: str) -> list[Any]:
    with sqlite3.connect(f"file:{site.var / 'backupsite.sqlite3'}?mode=ro", uri=True) as database:
        return database.execute(query).fetchall()


HELD_COPIES = "SELECT code FROM jobs_job WHERE type = 'copy' AND state IN ('in_progress', 'verifying')"
LOOK_SECONDS = 0.002
"""A copy of the demo takes a tenth of a second, so one has to look often to see it."""


def kill_in_the_middle_of_a_copy(site: RunningSite, worker: int) -> set[str]:
    """Codes of the copy jobs that were under way when the worker was ended."""
    with sqlite3.connect(f"file:{site.var / 'backupsite.sqlite3'}?mode=ro", uri=True) as database:
        deadline = time.monotonic() + 30
        while not database.execute(HELD_COPIES).fetchall():
            assert time.monotonic() < deadline, "no copy began"
            time.sleep(LOOK_SECONDS)
        # Frozen first, so that it can finish nothing between our look and its end.
        os.kill(worker, signal.SIGSTOP)
        interrupted = {code for (code,) in database.execute(HELD_COPIES)}
        os.kill(worker, signal.SIGKILL)
    assert interrupted, "the copies were quicker than the signal"
    return interrupted


def test_a_worker_killed_in_the_middle_of_a_copy_still_leaves_both_copies_available(admin, site):
    walk.open_home(admin)
    walk.begin_backup(admin, "docs-search")
    walk.tick_regions(admin, ["gcp-us-central1", "gcp-asia-northeast1"])
    worker = site.process_of("manage.py run_worker")
    backup = walk.submit_backup(admin)
    interrupted = kill_in_the_middle_of_a_copy(site, worker)

    walk.wait_for_copies(admin, backup, 2)
    assert site.process_of("manage.py run_worker") != worker
    attempts = dict(rows(site, "SELECT code, attempt FROM jobs_job WHERE type = 'copy'"))
    assert all(attempts[code] == 2 for code in interrupted)
    walk.open_backup(admin, backup)
    for region in ("gcp-us-central1", "gcp-asia-northeast1"):
        expect(admin.locator(f"#copy-{region}")).to_have_attribute("data-state", "available")
        expect(admin.locator(f"#copy-{region}")).to_contain_text("every object read back")
