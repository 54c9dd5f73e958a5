"""What every browser test relies on: a page that misbehaves is noticed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.chromium import Watch

ORIGIN = "http://127.0.0.1:9"


@pytest.fixture
def misbehaving(browser):
    """A page on no site at all, and what was noticed about it."""
    watch = Watch(ORIGIN)
    context = browser.new_context()
    watch.attach(context)
    policy = {"content-security-policy": "default-src * 'unsafe-inline' 'unsafe-eval'"}
    context.route("**", lambda route: route.fulfill(body="", headers=policy))
    page = context.new_page()
    page.goto(f"{ORIGIN}/")
    yield page, watch
    context.close()


def problems_after(misbehaving: tuple[Page, Watch], script: str) -> str:
    page, watch = misbehaving
    page.evaluate(f"() => {{ {script} }}")
    page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    return "\n".join(watch.problems)


def test_a_page_that_behaves_has_no_problems(misbehaving):
    assert problems_after(misbehaving, "console.log('all is well'); fetch('/here');") == ""


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("console.error('no such thing')", "no such thing"),
        ("setTimeout(() => { throw new Error('lost its way') })", "lost its way"),
        ("fetch('http://elsewhere.example/pixel', { mode: 'no-cors' })", "http://elsewhere.example/pixel"),
    ],
)
def test_a_page_that_misbehaves_is_noticed(misbehaving, script, problem):
    assert problem in problems_after(misbehaving, script)


def test_an_origin_that_only_begins_like_ours_is_another(misbehaving):
    assert "127.0.0.1:99" in problems_after(misbehaving, "fetch('http://127.0.0.1:99/', { mode: 'no-cors' })")
