"""Steps that several walks through the site share. Every address is reached as a person reaches it: by clicking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from playwright.sync_api import Browser, Page, StorageState, expect

FINAL_STATES = {"successful", "failed", "crashed", "canceled"}
Hit = tuple[str, ...]
"""One answer as the page shows it: its key, up to three fields and the score."""


def sign_in(page: Page, user: Mapping[str, str]) -> None:
    page.goto("/")
    page.get_by_label("Email").fill(user["email"])
    page.get_by_label("Password").fill(user["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def cookies_of(browser: Browser, url: str, user: Mapping[str, str]) -> StorageState:
    """What a context needs to be signed in as somebody, from one sign-in through the form."""
    context = browser.new_context(base_url=url)
    sign_in(context.new_page(), user)
    state = context.storage_state()
    context.close()
    return state


def open_home(page: Page) -> None:
    """Where the walk of somebody begins who is signed in already."""
    page.goto("/")
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


def choose(page: Page, label: str) -> None:
    """Click a room in the navigation."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name=label, exact=True).click()


def open_cluster(page: Page, name: str) -> None:
    choose(page, "Clusters")
    page.get_by_role("main").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def open_collection(page: Page, cluster: str, name: str) -> None:
    open_cluster(page, cluster)
    page.get_by_role("main").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def search(page: Page, words: str) -> list[Hit]:
    """Search the collection that is open; the answers in their order."""
    page.get_by_label("Search for").fill(words)
    # Exactly this: a collection that is not loaded offers to load it first, and the demo's are.
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#hits tbody tr").first).to_be_visible()
    rows = page.locator("#hits tbody tr").all()
    return [tuple(cell.strip() for cell in row.locator("td").all_inner_texts()) for row in rows]


def begin_backup(page: Page, cluster: str) -> None:
    """Open the form that asks for a backup."""
    open_cluster(page, cluster)
    page.get_by_role("link", name="Create backup").click()
    expect(page.get_by_role("heading", name="Create backup", level=1)).to_be_visible()


def tick_regions(page: Page, regions: Iterable[str]) -> None:
    page.get_by_text("Copy to other regions").click()
    for region in regions:
        page.locator(f"input[name=regions][value={region}]").check()


def submit_backup(page: Page) -> str:
    """Send the form; the name of the backup as the jobs list shows it."""
    page.get_by_role("button", name="Create backup").click()
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    return page.locator("tr[data-type=backup] small").first.inner_text()


def job_rows(page: Page, backup: str, kind: str, state: str = "") -> str:
    """A selector for the rows of one backup's jobs in the jobs list."""
    wanted = f"[data-state={state}]" if state else ""
    return f'tr[data-type={kind}]{wanted}:has(small:text-is("{backup}"))'


def wait_for_copies(page: Page, backup: str, count: int) -> None:
    """Watch the jobs list until the original and so many copies have succeeded."""
    expect(page.locator(job_rows(page, backup, "backup", "successful"))).to_have_count(1)
    expect(page.locator(job_rows(page, backup, "copy", "successful"))).to_have_count(count)


def open_backup(page: Page, name: str) -> None:
    choose(page, "Backups")
    page.get_by_role("main").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def table_rows(page: Page, selector: str) -> list[list[str]]:
    """The texts of a table's body, cell by cell."""
    return [
        [cell.strip() for cell in row.locator("td").all_inner_texts()]
        for row in page.locator(f"{selector} tbody tr").all()
    ]


def send_nothing(page: Page) -> None:
    """Send the form of the page as it is, past the browser's own check."""
    form = page.locator("main form[method=post]").first
    form.evaluate("form => { form.noValidate = true; }")
    form.locator("button.button--primary").click()
    expect(page.locator(".form__errors")).to_be_visible()
