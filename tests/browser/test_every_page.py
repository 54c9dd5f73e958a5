"""Every page, found by following links: no rule of axe-core broken, nothing sideways, nothing in the console."""

from __future__ import annotations

from csp.utils import build_policy
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import Page, Route, expect

from tests.browser import walk
from tests.browser.addresses import CLUSTER, open_every_page
from tests.browser.chromium import HEIGHT, NARROW
from tests.browser.ease import EVERY_LOOK, troubles_of

SMALL = {"viewport": {"width": NARROW, "height": HEIGHT}}


def make_a_copy(page: Page) -> None:
    """Some pages are there only once something was copied; usually another test has done that."""
    page.goto("/jobs/?type=copy")
    if not page.locator("tr[data-type=copy]").count():
        walk.begin_backup(page, CLUSTER)
        walk.tick_regions(page, ["gcp-us-east4"])
        walk.wait_for_copies(page, walk.submit_backup(page), 1)


def test_every_page_can_be_read_and_used_by_everybody_in_light_and_dark_wide_and_narrow(open_page):
    # An owner sees every page and every button.
    make_a_copy(open_page("owner"))
    page = open_page("owner", **SMALL)
    troubles: list[str] = []
    seen = set()
    for name in open_every_page(page):
        troubles += troubles_of(page, name)
        seen.add(name)
    assert troubles == []
    assert {"overview", "jobs-one-copy", "clusters-one-backups-new", "costs", "settings-regions-one-one"} <= seen
    assert len(seen) > 60


def test_so_can_what_went_wrong(open_page, site, watch):
    watch.allowed_statuses |= {404, 422}
    page = open_page("owner", **SMALL)
    troubles: list[str] = []
    page.goto("/nowhere/")
    troubles += troubles_of(page, "not found")
    cluster = f"/clusters/{site.clusters[CLUSTER]['id']}"
    for path in ("/clusters/new/", f"{cluster}/schedules/new/", "/account/keys/new/"):
        page.goto(path)
        walk.send_nothing(page)
        troubles += troubles_of(page, f"{path} with errors")
    assert troubles == []


def test_so_can_what_is_seen_before_signing_in_and_what_opens(open_page, site):
    page = open_page(**SMALL)
    troubles: list[str] = []
    for path in ("/sign-in/", "/account/forgotten/"):
        page.goto(path)
        troubles += troubles_of(page, path)
    walk.sign_in(page, site.users["viewer"])
    page.get_by_text("Menu", exact=True).click()
    page.locator("details.account summary").click()
    page.evaluate("document.dispatchEvent(new CustomEvent('toast', { detail: { text: 'Copied', level: 'success' } }))")
    expect(page.locator(".toast")).to_be_visible()
    assert [*troubles, *troubles_of(page, "open menus")] == []


def serve_gallery(route: Route) -> None:
    """The page of components as DEBUG would serve it; the site of these tests runs without."""
    path = route.request.url.partition("/static/")[2]
    if path:
        route.fulfill(path=str(finders.find(path)))
    else:
        gallery = render_to_string("design/gallery.html", request=RequestFactory().get("/design/"))
        headers = {"content-security-policy": build_policy()}
        route.fulfill(body=gallery, content_type="text/html; charset=utf-8", headers=headers)


def test_so_can_every_component_in_every_state(open_page):
    page = open_page(**SMALL)
    page.route("**/*", serve_gallery)
    page.goto("/design/")
    for chart in page.locator("[data-chart]").all():
        expect(chart.locator("svg").first).to_be_visible()
    assert list(troubles_of(page, "the gallery", EVERY_LOOK)) == []


def test_on_paper_a_report_is_what_it_says_in_black_on_white_with_numbers_for_charts(open_page):
    page = open_page("owner", color_scheme="dark")
    make_a_copy(page)
    page.emulate_media(media="print", color_scheme="dark")
    page.goto("/region-loss/?lost=gcp-us-west1")
    expect(page.get_by_role("heading", name="Region loss", level=1)).to_be_visible()
    expect(page.locator(".shell__bar")).to_be_hidden()
    expect(page.locator("main form").first).to_be_hidden()
    expect(page.locator("main table").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(20, 23, 31)"
    page.goto("/costs/")
    page.locator(".data-table").first.evaluate("table => { table.open = false; }")
    expect(page.locator(".data-table table").first).to_be_visible()
    expect(page.locator(".chart").first).to_be_hidden()
