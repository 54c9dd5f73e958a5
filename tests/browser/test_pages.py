"""What people see who may not do something, and the ways of those who use no mouse or a small screen."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser import walk
from tests.browser.chromium import HEIGHT, NARROW


def test_an_azure_cluster_is_backed_up_but_its_copy_switch_is_off_with_the_reason(admin):
    walk.open_home(admin)
    walk.begin_backup(admin, "support-tickets")
    switch = admin.get_by_role("checkbox", name="Copy to other regions")
    expect(switch).to_be_disabled()
    reason = admin.locator(f"#{switch.get_attribute('aria-describedby')}")
    expect(reason).to_be_visible()
    expect(reason).to_contain_text("Azure")
    expect(admin.locator("input[name=regions]")).to_have_count(0)

    backup = walk.submit_backup(admin)
    walk.wait_for_copies(admin, backup, 0)
    walk.open_backup(admin, backup)
    expect(admin.locator("#copy-az-eastus")).to_have_attribute("data-state", "available")
    expect(admin.locator("tr[id^=copy-]")).to_have_count(1)


def test_a_serverless_cluster_has_no_button_that_works_but_the_reason(admin):
    walk.open_home(admin)
    walk.open_cluster(admin, "playground")
    expect(admin.get_by_role("link", name="Create backup")).to_have_count(0)
    dead = admin.get_by_text("Create backup")
    expect(dead).to_have_attribute("aria-disabled", "true")
    expect(admin.locator(f"#{dead.get_attribute('aria-describedby')}")).to_contain_text("Serverless")


def test_a_viewer_finds_no_button_and_the_address_says_which_privilege_is_missing(viewer, watch):
    walk.open_home(viewer)
    walk.open_cluster(viewer, "docs-search")
    expect(viewer.get_by_text("Create backup")).to_have_count(0)
    watch.allowed_statuses.add(403)
    answer = viewer.goto(f"{viewer.url}backups/new/")
    assert answer is not None
    assert answer.status == 403
    expect(viewer.get_by_role("main")).to_contain_text("backup: manage")
    # Lost, but not locked in.
    viewer.get_by_role("link", name="Go to the overview").click()
    expect(viewer.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Press Tab until the focus is on that element, which must then show it."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"{most} times Tab did not lead to {selector}")


def follow(page: Page, selector: str, heading: str | re.Pattern[str]) -> None:
    """Go to a link by Tab and follow it."""
    tab_to(page, selector)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()


def test_the_main_job_is_done_with_the_keyboard_alone(open_page, site):
    page = open_page()
    page.goto("/")
    tab_to(page, "input[name=username]")
    page.keyboard.type(site.users["project admin"]["email"])
    tab_to(page, "input[name=password]")
    page.keyboard.type(site.users["project admin"]["password"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()

    follow(page, "nav a[href='/clusters/']", "Clusters")
    follow(page, f"a[href='/clusters/{site.clusters['recommendations']['id']}/']", "recommendations")
    follow(page, "header a[href$='/backups/new/']", "Create backup")
    tab_to(page, "input[name=copy]")
    page.keyboard.press("Space")
    for region in ("aws-us-east-2", "aws-eu-central-1"):
        tab_to(page, f"input[name=regions][value={region}]")
        page.keyboard.press("Space")
        expect(page.locator(f"input[name=regions][value={region}]")).to_be_checked()
    tab_to(page, "main button.button--primary")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    backup = page.locator("tr[data-type=backup] small").first.inner_text()
    walk.wait_for_copies(page, backup, 2)
    follow(page, "tr[data-type=copy] a", re.compile("Copy to"))
    follow(page, "main dd a[href^='/backups/']", backup)
    follow(page, "a[href*='/restore/'][href$='aws-eu-central-1']", "Restore")
    expect(page.locator("input[name=copy][value=aws-eu-central-1]")).to_be_checked()
    tab_to(page, "#existing tbody input[type=checkbox]")
    if not page.evaluate("document.activeElement.checked"):
        page.keyboard.press("Space")
    tab_to(page, "#existing tbody input:not([type=checkbox])")
    page.keyboard.press("Control+A")
    page.keyboard.type("typed_without_a_mouse")
    tab_to(page, "main button.button--primary")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Restore into recommendations", level=1)).to_be_visible()
    expect(page.locator("#job-progress")).to_have_attribute("data-state", "successful")


def test_the_menu_of_a_small_screen_opens_and_leads_on(open_page):
    page = open_page("project admin", viewport={"width": NARROW, "height": HEIGHT})
    page.goto("/")
    link = page.get_by_role("link", name="Backups", exact=True)
    expect(link).to_be_hidden()
    page.get_by_text("Menu", exact=True).click()
    link.click()
    expect(page).to_have_url(re.compile("/backups/$"))
    expect(link).to_be_hidden()
