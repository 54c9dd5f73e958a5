"""`python -m tests.browser.screenshots`, behind `make screenshots`: every page, wide and narrow, light and dark.

Starts a site of its own and takes it empty, after the main job, with what can go wrong, and with very much in it; each
page is looked at by axe-core as well. With SITE_URL=http://127.0.0.1:8000 it looks at a site that runs already, whose
demo.json lies in `var/` or in the folder VAR_DIR; nothing is added to it.

`--readme` also makes the pictures of the README.
"""

# ruff: noqa: T201 - a command that talks to its terminal
from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import walk
from tests.browser.addresses import CLUSTER, open_every_page
from tests.browser.chromium import HEIGHT, NARROW, WAIT_MILLISECONDS, WIDE, launch
from tests.browser.ease import EVERY_LOOK, troubles_of
from tests.parts import HOW_TO_GET_CHROMIUM, find_chromium
from tests.site import ROOT, RunningSite, clean_environment

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
CREATE_BACKUP = "clusters-one-backups-new"
KINDS = ("empty", "typical", "error", "full")
PICTURES = ROOT / "screenshots"
README_PICTURES = ROOT / "docs" / "images"
REGIONS = ("gcp-us-east4", "gcp-europe-west3")


def make_something_to_see(page: Page) -> None:
    """A backup with two copies, a backup without, and a collection that was restored into another cluster."""
    walk.begin_backup(page, "docs-search")
    walk.tick_regions(page, REGIONS)
    backup = walk.submit_backup(page)
    walk.wait_for_copies(page, backup, len(REGIONS))
    walk.begin_backup(page, "recommendations")
    walk.wait_for_copies(page, walk.submit_backup(page), 0)
    walk.open_backup(page, backup)
    page.get_by_role("link", name="Restore from Frankfurt").click()
    page.get_by_text("An existing cluster", exact=True).click()
    page.get_by_label("Cluster", exact=True).select_option("recommendations")
    page.get_by_role("checkbox", name="products").check()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator("#job-progress")).to_have_attribute("data-state", "successful")


def settle(page: Page) -> None:
    """Wait until charts are drawn and fonts are there."""
    for chart in page.locator("[data-chart]").all():
        expect(chart.locator("svg").first).to_be_visible()
    page.evaluate("document.fonts.ready")
    # Ticking a box may have scrolled; a sticky bar would then stand in the middle of the picture.
    page.evaluate("scrollTo(0, 0)")


def take_all(context: BrowserContext, kind: str) -> Iterator[str]:
    """Every page at both widths and in both themes; gives what is wrong with them."""
    page = context.new_page()
    page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    for name in open_every_page(page):
        if name == CREATE_BACKUP and page.locator(f"input[value={REGIONS[0]}]").count():
            fill_in_backup(page)
        yield from take(page, f"{kind}/{name}")


def take(page: Page, name: str) -> Iterator[str]:
    """The page that is open, four times; gives what is wrong with it."""
    for width, scheme in product((WIDE, NARROW), SCHEMES):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        settle(page)
        page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled")
    yield from troubles_of(page, name, EVERY_LOOK)


def fill_in_backup(page: Page) -> None:
    walk.tick_regions(page, REGIONS)
    expect(page.locator("#backup-quote")).to_contain_text("Copy in Frankfurt")


def take_what_went_wrong(context: BrowserContext, cluster: str) -> Iterator[str]:
    """Forms that were refused, and pages that are not there."""
    page = context.new_page()
    page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    for name, path in (
        ("add-cluster", "/clusters/new/"),
        ("create-schedule", f"{cluster}schedules/new/"),
        ("make-key", "/account/keys/new/"),
        ("invite", page_behind(page, "/people/", "main a[href$='/invite/']")),
    ):
        page.goto(path)
        walk.send_nothing(page)
        yield from take(page, f"error/{name}")
    page.goto("/jobs/nowhere/")
    yield from take(page, "error/not-found")


def page_behind(page: Page, path: str, selector: str) -> str:
    """Where the first such link of a page leads."""
    page.goto(path)
    return page.locator(selector).first.get_attribute("href") or path


def take_signed_out(browser: Browser, url: str) -> Iterator[str]:
    page = browser.new_page(base_url=url)
    for name, path in (("sign-in", "/sign-in/"), ("forgotten-password", "/account/forgotten/")):
        page.goto(path)
        yield from take(page, f"typical/{name}")
    page.goto("/sign-in/")
    page.get_by_label("Email").fill("nobody@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield from take(page, "error/sign-in")
    page.close()


def take_for_readme(context: BrowserContext) -> None:
    """What the site is for: what is safe, where copies lie, what more of them cost, what is left without a region."""
    README_PICTURES.mkdir(parents=True, exist_ok=True)
    page = context.new_page()
    page.set_viewport_size({"width": WIDE, "height": 780})
    cluster = page_behind(page, "/clusters/", f"main a:text-is('{CLUSTER}')")
    backup = page_behind(page, "/backups/", "main tr:has(td[data-label=Copies] .status) a")
    for name, path in (
        ("overview", "/"),
        ("backup", backup),
        ("create-backup", f"{cluster}backups/new/"),
        ("region-loss", "/region-loss/?lost=gcp-us-west1"),
    ):
        page.goto(path)
        if name == "create-backup":
            fill_in_backup(page)
        settle(page)
        page.screenshot(path=README_PICTURES / f"{name}.png", animations="disabled")


@contextmanager
def filled_up(site: RunningSite) -> Iterator[None]:
    """Very much of everything, while the processes sleep that would act on it."""
    asleep = [site.process_of(f"manage.py {command}") for command in ("run_worker", "run_scheduler")]
    for process in asleep:
        os.kill(process, signal.SIGSTOP)
    try:
        environment = clean_environment(VAR_DIR=str(site.var))
        subprocess.run([sys.executable, "-m", "tests.browser.full_site"], cwd=ROOT, env=environment, check=True)
        yield
    finally:
        for process in asleep:
            os.kill(process, signal.SIGCONT)


def main() -> int:
    parser = argparse.ArgumentParser(description="Takes a picture of every page.")
    parser.add_argument("--readme", action="store_true", help="also make the pictures of the README")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=KINDS, help="not the others")
    wanted = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print(f"No Chromium was found. Do this: {HOW_TO_GET_CHROMIUM}", file=sys.stderr)
        return 1
    shutil.rmtree(PICTURES, ignore_errors=True)
    expect.set_options(timeout=WAIT_MILLISECONDS)
    with sync_playwright() as playwright, launch(playwright, chromium) as browser:
        if url := os.environ.get("SITE_URL"):
            notes = json.loads((Path(os.environ.get("VAR_DIR", ROOT / "var")) / "demo.json").read_text())
            context = signed_in(browser, url.rstrip("/"), notes["users"])
            troubles = list(take_all(context, "typical"))
        else:
            with tempfile.TemporaryDirectory(prefix="backupsite-screenshots-") as folder:
                site = RunningSite(Path(folder) / "var")
                try:
                    site.start()
                    troubles = list(take_kinds(browser, site, wanted.only, for_readme=wanted.readme))
                finally:
                    site.stop()
    print(f"{len(list(PICTURES.rglob('*.png')))} pictures lie in {PICTURES}")
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 1 if troubles else 0


def signed_in(browser: Browser, url: str, users: Sequence[Mapping[str, str]]) -> BrowserContext:
    """The owner's, who sees every page."""
    owner = next(user for user in users if user["role"] == "owner")
    state = walk.cookies_of(browser, url, owner)
    context = browser.new_context(base_url=url, storage_state=state, color_scheme="light")
    context.set_default_timeout(WAIT_MILLISECONDS)
    return context


def take_kinds(browser: Browser, site: RunningSite, kinds: Collection[str], *, for_readme: bool) -> Iterator[str]:
    """Before anything was backed up, after some of it was, what went wrong, and very much of everything."""
    context = signed_in(browser, site.url, site.notes["users"])
    if "empty" in kinds:
        yield from take_all(context, "empty")
    page = context.new_page()
    walk.open_home(page)
    make_something_to_see(page)
    if "typical" in kinds:
        yield from take_all(context, "typical")
    if "error" in kinds:
        yield from take_what_went_wrong(context, f"/clusters/{site.clusters[CLUSTER]['id']}/")
        yield from take_signed_out(browser, site.url)
    if for_readme:
        take_for_readme(context)
    if "full" in kinds:
        with filled_up(site):
            yield from take_all(context, "full")


if __name__ == "__main__":
    sys.exit(main())
