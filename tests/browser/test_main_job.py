"""The main job, as a project admin clicks it: back up, copy to two regions, lose the data, restore it, see the bill."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser import walk

CLUSTER, COLLECTION, WORDS = "docs-search", "docstrings", "compress a file"
ORIGINAL, VIRGINIA, FRANKFURT = "gcp-us-west1", "gcp-us-east4", "gcp-europe-west3"
# Keeps what the jobs list shows after every change of the page, for as long as the page is not loaded again.
KEEP_HISTORY = """() => {
  window.history_of_jobs = [];
  const note = () => {
    const rows = [...document.querySelectorAll("tr[data-type]")].map((row) => [row.dataset.type, row.dataset.state]);
    window.history_of_jobs.push(rows);
  };
  note();
  document.addEventListener("htmx:afterSettle", note);
}"""


def test_a_collection_survives_in_frankfurt_and_every_page_agrees_on_what_that_cost(open_page, site):
    page = open_page()
    walk.sign_in(page, site.users["project admin"])
    walk.choose(page, "Costs")
    # The last step reads the bill of exactly one backup.
    expect(page.get_by_role("heading", name="Nothing to pay for yet")).to_be_visible()

    walk.open_collection(page, CLUSTER, COLLECTION)
    answers = walk.search(page, WORDS)
    assert len(answers) >= 5

    backup = ask_for_copies_in_two_regions(page)
    watch_the_jobs(page, backup)
    sent = {region: sent_by_copy_job(page, backup, region) for region in (VIRGINIA, FRANKFURT)}
    sizes = see_every_copy_available(page, backup)

    delete_the_collection(page)
    restore_from_frankfurt(page, backup)
    walk.open_collection(page, CLUSTER, COLLECTION)
    assert walk.search(page, WORDS) == answers

    see_the_costs(page, sizes, sent)


def ask_for_copies_in_two_regions(page: Page) -> str:
    walk.begin_backup(page, CLUSTER)
    regions = page.locator("input[name=regions]")
    expect(regions.first).to_be_hidden()
    expect(page.locator("#backup-quote")).not_to_contain_text("Copy in")

    walk.tick_regions(page, [VIRGINIA, FRANKFURT])
    offered = {box.get_attribute("value") or "" for box in regions.all()}
    assert {VIRGINIA, FRANKFURT} <= offered
    assert all(code.startswith("gcp-") for code in offered)
    assert ORIGINAL not in offered

    quote = page.locator("#backup-quote tbody tr")
    expect(quote).to_have_count(5)
    for line in ("Original in Oregon", "Copy in Virginia", "Copy in Frankfurt"):
        expect(quote.filter(has_text=line)).to_contain_text("$0.02/GB month")
    expect(quote.filter(has_text="Transfer to Virginia")).to_contain_text("$0.02/GB once")
    expect(quote.filter(has_text="Transfer to Frankfurt")).to_contain_text("$0.08/GB once")
    expect(page.locator("#backup-quote .quote__total")).to_contain_text("$")
    return walk.submit_backup(page)


def watch_the_jobs(page: Page, backup: str) -> None:
    """The original alone, changing while one looks; then one copy job for each region, until all have succeeded."""
    page.evaluate(KEEP_HISTORY)
    walk.wait_for_copies(page, backup, 2)
    regions = page.locator(walk.job_rows(page, backup, "copy")).locator("td:nth-child(3) small")
    assert sorted(regions.all_inner_texts()) == sorted([VIRGINIA, FRANKFURT])

    # Read from the page that was there from the beginning: it was never loaded again.
    history = page.evaluate("window.history_of_jobs")
    originals = [dict(reversed(rows))["backup"] for rows in history]
    assert originals[0] in {"pending", "in_progress", "verifying"}
    assert originals[-1] == "successful"
    for rows, original in zip(history, originals, strict=True):
        assert sum(kind == "copy" for kind, _ in rows) == (2 if original == "successful" else 0)


def sent_by_copy_job(page: Page, backup: str, region: str) -> str:
    """What the page of the copy job says it sent; comes back to the jobs list."""
    row = page.locator(walk.job_rows(page, backup, "copy")).filter(has_text=region)
    row.get_by_role("link").click()
    expect(page.locator("#job-progress")).to_have_attribute("data-state", "successful")
    sent = fact(page, "Sent, all attempts")
    assert fact(page, "Already there") == "0 B"
    walk.choose(page, "Jobs")
    return sent


def fact(page: Page, label: str) -> str:
    term = page.locator("dl.key-values dt").filter(has_text=re.compile(rf"^{label}$"))
    return term.locator("xpath=following-sibling::dd[1]").inner_text()


def see_every_copy_available(page: Page, backup: str) -> dict[str, str]:
    """The sizes by region that the backup page shows."""
    walk.open_backup(page, backup)
    sizes = {}
    for region in (ORIGINAL, VIRGINIA, FRANKFURT):
        row = page.locator(f"#copy-{region}")
        expect(row).to_have_attribute("data-state", "available")
        expect(cell(row, "State")).to_have_text("Available")
        expect(cell(row, "Last checked")).to_have_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d.*every object read back"))
        expect(cell(row, "Kept")).to_have_text("Until deleted")
        sizes[region] = cell(row, "Size").inner_text()
    return sizes


def cell(row: Locator, label: str) -> Locator:
    return row.locator(f'td[data-label="{label}"]')


def delete_the_collection(page: Page) -> None:
    walk.open_collection(page, CLUSTER, COLLECTION)
    page.get_by_role("link", name="Delete collection").click()
    button = page.get_by_role("button", name="Delete collection")
    page.get_by_label(f"Type {COLLECTION} to confirm").fill("docstring")
    expect(button).to_be_disabled()
    page.get_by_label(f"Type {COLLECTION} to confirm").fill(COLLECTION)
    button.click()
    expect(page.get_by_text(f"The collection {COLLECTION} was deleted from {CLUSTER}.")).to_be_visible()
    expect(page.get_by_role("link", name=COLLECTION, exact=True)).to_have_count(0)


def restore_from_frankfurt(page: Page, backup: str) -> None:
    walk.open_backup(page, backup)
    page.get_by_role("link", name="Restore from Frankfurt").click()
    expect(page.locator(f"input[name=copy][value={FRANKFURT}]")).to_be_checked()
    page.get_by_text("An existing cluster", exact=True).click()
    expect(page.get_by_label("Cluster", exact=True).locator("option:checked")).to_have_text(re.compile(CLUSTER))
    # What the cluster still has is left out by itself.
    expect(page.get_by_role("checkbox", name=re.compile("products"))).not_to_be_checked()
    expect(page.get_by_role("checkbox", name=re.compile(COLLECTION))).to_be_checked()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("heading", name=f"Restore into {CLUSTER}")).to_be_visible()
    expect(page.locator("#job-progress")).to_have_attribute("data-state", "successful")
    assert fact(page, "From the copy in").startswith("Frankfurt")


def see_the_costs(page: Page, sizes: dict[str, str], sent: dict[str, str]) -> None:
    walk.choose(page, "Costs")
    for figure, bars in (("storage-figure", len(sizes)), ("transfer-figure", len(sent))):
        chart = page.locator(f'[data-chart="{figure}"]')
        expect(chart.locator("svg .bars .point path")).to_have_count(bars)
        widths = [box["width"] for bar in chart.locator("svg .bars .point path").all() if (box := bar.bounding_box())]
        assert min(widths) > 50

    storage = walk.table_rows(page, "#storage-table")
    assert {re.sub(r".*\((.+)\)", r"\1", region): (copies, size) for region, copies, size, *_ in storage} == {
        region: ("1", size) for region, size in sizes.items()
    }
    transfer = walk.table_rows(page, "#transfer-table")
    assert {(row[0], row[1], row[3], row[5]) for row in transfer} == {
        (ORIGINAL, VIRGINIA, sent[VIRGINIA], "$0.02"),
        (ORIGINAL, FRANKFURT, sent[FRANKFURT], "$0.08"),
    }
