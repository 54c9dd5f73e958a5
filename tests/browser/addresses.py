"""Every page there is to look at, found by following the site's own links."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import Page

CLUSTER, COLLECTION = "docs-search", "docstrings"


def addresses(page: Page) -> Iterator[tuple[str, str]]:
    """(name, path) of each page that the person signed in on `page` can reach; it opens some of them on the way.

    Pages about backups and jobs come along once there is one.
    """
    yield from (
        ("overview", "/"),
        ("region-loss", "/region-loss/?lost=gcp-us-west1"),
        ("clusters", "/clusters/"),
        ("jobs", "/jobs/"),
        ("workers", "/workers/"),
        ("backups", "/backups/"),
        ("costs", "/costs/"),
        ("prices", "/prices/"),
        ("calculator", "/prices/calculator/"),
        ("regions", "/settings/regions/"),
        ("add-cluster", "/clusters/new/"),
        ("password", "/account/password/"),
        ("two-factors", "/account/two-factor/"),
        ("passkeys", "/account/passkeys/"),
        ("sessions", "/account/sessions/"),
        ("sign-in-security", "/settings/security/"),
    )
    cluster = _first_link(page, "/clusters/", f"main td a:text-is('{CLUSTER}')")
    yield "cluster", cluster
    yield "cluster-backups", f"{cluster}backups/"
    yield "cluster-settings", f"{cluster}settings/"
    yield "create-backup", f"{cluster}backups/new/"
    yield "cluster-schedules", f"{cluster}schedules/"
    yield "create-schedule", f"{cluster}schedules/new/"
    yield "remove-cluster", f"{cluster}drop/"
    if schedule := _first_link(page, f"{cluster}schedules/", "main td a[href*='/schedules/']"):
        yield "schedule", schedule
        yield "edit-schedule", f"{schedule}edit/"
    collection = f"{cluster}collections/default/{COLLECTION}/"
    yield "collection", f"{collection}?words=compress+a+file"
    yield "delete-collection", f"{collection}drop/"
    if backup := _first_link(page, "/backups/", "main td a"):
        yield "backup", backup
        yield "rename-backup", f"{backup}rename/"
        yield "restore", f"/backups/{backup.split('/')[2]}/restore/"
        yield "delete-backup", f"{backup}delete/"
    if backup := _first_link(page, "/backups/", "main tr:has(td[data-label=Copies] .status) a"):
        yield "backup-with-copies", backup
    if job := _first_link(page, "/jobs/", "tr[data-type=backup] a"):
        yield "job", job
    if job := _first_link(page, "/jobs/", "tr[data-type=copy] a"):
        yield "copy-job", job
    yield "people", "/people/"
    yield "your-rights", "/people/rights/"
    if member := _first_link(page, "/people/", "main td a[href*='/people/members/']"):
        yield "member", member
        yield "remove-member", f"{member}remove/"
    if project := _first_link(page, "/people/", "main a[href*='/projects/proj-']"):
        yield "project", project
        yield "invite-to-project", f"{project}invite/"
    if roles := _first_link(page, "/people/", "main .tabs a[href$='/roles/']"):
        yield "roles", roles
        yield "make-role", f"{roles}new/"
    if settings := _first_link(page, "/people/", "main .tabs a[href$='/settings/']"):
        yield "organization", settings
    if store := _first_link(page, "/settings/regions/", "main td a[href*='/settings/regions/']"):
        yield "store", store


def _first_link(page: Page, path: str, selector: str) -> str:
    """Where the first such link on that page leads, or nothing."""
    page.goto(path)
    link = page.locator(selector)
    return (link.first.get_attribute("href") or "") if link.count() else ""
