"""One site and one Chromium for all browser tests, a fresh profile for each, and a page that may not complain."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from functools import cache
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright

from tests.browser import walk
from tests.browser.chromium import HEIGHT, WAIT_MILLISECONDS, WIDE, Watch, launch
from tests.parts import HOW_TO_GET_CHROMIUM, find_chromium
from tests.site import ROOT, RunningSite

FAILURES = ROOT / "screenshots" / "failures"
LEASE_SECONDS = 5
"""Shorter than the default, so that the work of a killed worker is taken up soon."""

_reports = pytest.StashKey[dict[str, pytest.TestReport]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The main job goes first: at its end it reads the bill of the only backup there is."""
    items.sort(key=lambda item: item.path.name != "test_main_job.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash.setdefault(_reports, {})[report.when] = report
    return report


# Of the package and not of the session: while Playwright runs, Django refuses queries in this process, and tests of
# other folders make some.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        sentence = f"no Chromium was found. Do this: {HOW_TO_GET_CHROMIUM}"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    expect.set_options(timeout=WAIT_MILLISECONDS)
    with sync_playwright() as playwright:
        chromium = launch(playwright, path)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    """The site with its demo, shared by all tests; asks for the browser first, so that a skip comes at once."""
    site = RunningSite(tmp_path_factory.mktemp("site") / "var", JOB_LEASE_SECONDS=str(LEASE_SECONDS))
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture(scope="package")
def signed_in(browser: Browser, site: RunningSite) -> Callable[[str], StorageState]:
    """Gives the cookies of a role; each role signs in through the form once."""

    return cache(lambda role: walk.cookies_of(browser, site.url, site.users[role]))


class OpenPage(Protocol):
    def __call__(self, role: str | None = ..., **options: Any) -> Page: ...


@pytest.fixture
def watch(site: RunningSite) -> Watch:
    return Watch(site.url)


@pytest.fixture
def open_page(
    request: pytest.FixtureRequest,
    browser: Browser,
    site: RunningSite,
    signed_in: Callable[[str], StorageState],
    watch: Watch,
) -> Iterator[OpenPage]:
    """Gives an empty page in a fresh profile; `role` signs somebody in first, `options` are those of a context.

    Afterwards there must have been no error in the console, none in a script and no request to anybody else.
    """
    contexts: list[BrowserContext] = []

    def open_one(role: str | None = None, **options: Any) -> Page:
        if role:
            options["storage_state"] = signed_in(role)
        context = browser.new_context(
            base_url=site.url, **{"viewport": {"width": WIDE, "height": HEIGHT}, "color_scheme": "light"} | options
        )
        context.set_default_timeout(WAIT_MILLISECONDS)
        watch.attach(context)
        contexts.append(context)
        return context.new_page()

    yield open_one
    report = request.node.stash.get(_reports, {}).get("call")
    if report and report.failed:
        _keep_pictures(request.node.name, contexts)
    for context in contexts:
        context.close()
    assert watch.problems == []


def _keep_pictures(test: str, contexts: list[BrowserContext]) -> None:
    FAILURES.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9]+", "-", test).strip("-")
    pages = [page for context in contexts for page in context.pages]
    for number, page in enumerate(pages, start=1):
        page.screenshot(path=FAILURES / f"{name}-{number}.png", full_page=True)


@pytest.fixture
def admin(open_page: OpenPage) -> Page:
    """A page of the project admin."""
    return open_page("project admin")


@pytest.fixture
def viewer(open_page: OpenPage) -> Page:
    """A page of somebody who may look and nothing else."""
    return open_page("viewer")
