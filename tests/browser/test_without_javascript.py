"""What a browser that runs no scripts can do: the main job, by forms and by loading pages again."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser import walk
from tests.site import wait_until

TARGETS = ["gcp-us-east4", "gcp-asia-southeast1"]


def test_without_javascript_a_backup_is_copied_and_restored_from_a_copy(open_page):
    page = open_page("project admin", java_script_enabled=False)
    walk.open_home(page)
    walk.begin_backup(page, "docs-search")
    walk.tick_regions(page, TARGETS)
    backup = walk.submit_backup(page)

    def is_everything_available() -> bool:
        walk.open_backup(page, backup)
        return page.locator("tr[id^=copy-][data-state=available]").count() == 3

    wait_until(is_everything_available, "the original and both copies are available")
    expect(page.locator("#copy-gcp-asia-southeast1")).to_contain_text("every object read back")

    page.get_by_role("link", name="Restore from Singapore").click()
    expect(page.locator("input[name=copy][value=gcp-asia-southeast1]")).to_be_checked()
    row = page.locator("#existing tbody tr").filter(has_text="products")
    row.get_by_role("checkbox").check()
    row.get_by_role("textbox").fill("products_without_scripts")
    others = page.locator("#existing tbody tr").filter(has_not_text="products")
    for box in others.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("button", name="Restore").click()

    def has_ended() -> bool:
        page.reload()
        return page.locator("#job-progress[data-state=successful]").count() == 1

    wait_until(has_ended, "the restore has ended")
    walk.open_cluster(page, "docs-search")
    expect(page.get_by_role("main").get_by_role("link", name="products_without_scripts")).to_be_visible()
