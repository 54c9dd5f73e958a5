"""`python -m tests.browser.screenshots`, behind `make screenshots`: every page, wide and narrow, light and dark.

Starts a site of its own and walks the main job, so that there is something to see. With SITE_URL=http://127.0.0.1:8000
it looks at a site that runs already, whose demo.json lies in `var/` or in the folder VAR_DIR; nothing is added to it.

`--readme` also makes the two pictures of the README.
"""

# ruff: noqa: T201 - a command that talks to its terminal
from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser import walk
from tests.browser.addresses import addresses
from tests.browser.chromium import HEIGHT, NARROW, WAIT_MILLISECONDS, WIDE, launch, scroll_width
from tests.parts import HOW_TO_GET_CHROMIUM, find_chromium
from tests.site import ROOT, RunningSite

PICTURES = ROOT / "screenshots"
README_PICTURES = ROOT / "docs" / "images"
REGIONS = ("gcp-us-east4", "gcp-europe-west3")


@contextmanager
def some_site() -> Iterator[tuple[str, Mapping[str, str]]]:
    """The address of a site with something to see, and how its owner, who sees every page, signs in."""
    if url := os.environ.get("SITE_URL"):
        notes = json.loads((Path(os.environ.get("VAR_DIR", ROOT / "var")) / "demo.json").read_text())
        yield url.rstrip("/"), next(user for user in notes["users"] if user["role"] == "owner")
        return
    with tempfile.TemporaryDirectory(prefix="backupsite-screenshots-") as folder:
        site = RunningSite(Path(folder) / "var")
        try:
            site.start()
            yield site.url, site.users["owner"]
        finally:
            site.stop()


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


def take_all(context: BrowserContext, width: int) -> list[str]:
    """Every page in both themes; the names of the pages that scroll sideways."""
    page, too_wide = context.new_page(), []
    page.set_viewport_size({"width": width, "height": HEIGHT})
    for name, address in addresses(page):
        page.goto(address)
        if name == "create-backup":
            walk.tick_regions(page, REGIONS)
            expect(page.locator("#backup-quote")).to_contain_text("Copy in Frankfurt")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            settle(page)
            page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled")
        if scroll_width(page) > width:
            too_wide.append(f"{name} at {width}")
    return too_wide


def take_signed_out(browser: Browser, url: str) -> None:
    for width in (WIDE, NARROW):
        for scheme in ("light", "dark"):
            page = browser.new_page(base_url=url, viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
            page.goto("/")
            page.screenshot(path=PICTURES / f"sign-in-{width}-{scheme}.png")
            page.close()


def take_for_readme(context: BrowserContext) -> None:
    """The two pages that say what the site is for: where the copies lie, and what more of them would cost."""
    README_PICTURES.mkdir(parents=True, exist_ok=True)
    page = context.new_page()
    page.set_viewport_size({"width": WIDE, "height": 780})
    found = dict(addresses(page))
    for name, address in (("backup", found["backup-with-copies"]), ("create-backup", found["create-backup"])):
        page.goto(address)
        if name == "create-backup":
            walk.tick_regions(page, REGIONS)
            expect(page.locator("#backup-quote")).to_contain_text("Copy in Frankfurt")
        settle(page)
        page.screenshot(path=README_PICTURES / f"{name}.png", animations="disabled")


def main() -> int:
    parser = argparse.ArgumentParser(description="Takes a picture of every page.")
    parser.add_argument("--readme", action="store_true", help="also make the pictures of the README")
    wanted = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        print(f"No Chromium was found. Do this: {HOW_TO_GET_CHROMIUM}", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    expect.set_options(timeout=WAIT_MILLISECONDS)
    with some_site() as (url, user), sync_playwright() as playwright, launch(playwright, chromium) as browser:
        state = walk.cookies_of(browser, url, user)
        context = browser.new_context(base_url=url, storage_state=state, color_scheme="light")
        context.set_default_timeout(WAIT_MILLISECONDS)
        if "SITE_URL" not in os.environ:
            page = context.new_page()
            walk.open_home(page)
            make_something_to_see(page)
        too_wide = [page for width in (WIDE, NARROW) for page in take_all(context, width)]
        take_signed_out(browser, url)
        if wanted.readme:
            take_for_readme(context)
    print(f"{len(list(PICTURES.glob('*.png')))} pictures lie in {PICTURES}")
    for name in too_wide:
        print(f"scrolls sideways: {name}", file=sys.stderr)
    return 1 if too_wide else 0


if __name__ == "__main__":
    sys.exit(main())
