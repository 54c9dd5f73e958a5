"""Every page there is to look at, found by following the site's own links: a page that is new is found by itself."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Error, Page

CLUSTER, COLLECTION = "docs-search", "docstrings"

# Pages that no link leads to as we want to see them, before what links lead to.
_FIRST = (
    ("overview", "/"),
    ("region-loss-answer", "/region-loss/?lost=gcp-us-west1"),
    ("jobs-none-found", "/jobs/?state=crashed"),
)
# Of many things of one kind the first is looked at: rather the one with something in it.
_RATHER = rf"/collections/default/{COLLECTION}/"
_NO_PAGES = re.compile(r"/sign-out/$|/export/$|\.(csv|json)$|/csv/$|^/static/")
_LINKS = """() => [...document.querySelectorAll("a[href^='/']")].map((link) => {
  const row = link.closest("tr");
  const isFirst = link.parentElement === row?.cells[0];
  const copies = isFirst && row.querySelector("td[data-label=Copies] .status") ? "with-copies" : "";
  return [link.getAttribute("href"), row?.dataset.type || copies, link.textContent.trim()];
})"""


@dataclass
class _Crawl:
    waiting: deque[tuple[str, str]] = field(default_factory=lambda: deque(_FIRST))
    known: set[str] = field(default_factory=set)

    def take(self, links: list[tuple[str, str, str]], *, on: str) -> None:
        rather = sorted(links, key=lambda link: link[2] != CLUSTER and _RATHER not in link[0])
        for address, kind, _ in rather:
            path = re.sub(r"[?#].*", "", address)
            name = "-".join(filter(None, (name_of(path), kind)))
            # What belongs to a cluster is looked at of the one that was chosen, though others lead there as well.
            is_of_another = name.startswith("clusters-one-") and not on.startswith(("clusters-one", "schedules-one"))
            if not (_NO_PAGES.search(path) or is_of_another or name in self.known):
                self.known.add(name)
                self.waiting.append((name, f"{path}?words=compress+a+file" if _RATHER in address else path))


def name_of(path: str) -> str:
    """The name of a page, whatever it shows: /clusters/cluster-4f2c/drop/ is clusters-one-drop."""
    general = re.sub(r"(?<=/collections/)[^/]+/[^/]+/", "one/", path)
    general = re.sub(r"(?<=/new/)\w+/", "one/", general)
    general = re.sub(r"(?<=/regions/)([^/]+)/[^/]+/", r"\1/one/", general)
    general = re.sub(r"[^/]*\d[^/]*", "one", general)
    return general.strip("/").replace("/", "-") or "overview"


def open_every_page(page: Page) -> Iterator[str]:
    """Open each page that the person signed in on `page` can reach by links, and give its name.

    Pages about backups and jobs come along once there is one.
    """
    crawl = _Crawl(known={name for name, _ in _FIRST})
    while crawl.waiting:
        name, path = crawl.waiting.popleft()
        try:
            page.goto(path)
        except Error as error:
            if "Download is starting" in str(error):
                continue
            raise
        crawl.take(page.evaluate(_LINKS), on=name)
        yield name
