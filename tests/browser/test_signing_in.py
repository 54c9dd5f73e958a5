"""What only a browser proves of signing in: an authenticator app set up from its page, and a passkey."""

from __future__ import annotations

import base64
import hmac
import struct
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import WAIT_MILLISECONDS, Watch
from tests.site import RunningSite

STEP_SECONDS = 30


@pytest.fixture
def page(browser: Browser, site: RunningSite) -> Iterator[Page]:
    """A browser with a fingerprint reader whose finger is always there, under the name that passkeys need."""
    origin = site.url.replace("127.0.0.1", "localhost")
    watch = Watch(origin)
    context = browser.new_context(base_url=origin)
    context.set_default_timeout(WAIT_MILLISECONDS)
    watch.attach(context)
    page = context.new_page()
    reader = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": reader})
    yield page
    context.close()
    assert watch.problems == []


def code_of(key: str) -> str:
    """What an app shows now for `key` (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // STEP_SECONDS)
    digest = hmac.digest(base64.b32decode(key), counter, "sha1")
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def type_code(page: Page, key: str, button: str) -> None:
    left = STEP_SECONDS - time.time() % STEP_SECONDS
    if left < 10:  # a person would wait for the next one, too
        time.sleep(left)
    page.get_by_role("textbox", name="Code").fill(code_of(key))
    page.get_by_role("button", name=button, exact=True).click()


def give_password(page: Page, user: dict[str, str]) -> None:
    page.goto("/sign-in/")
    page.get_by_label("Email").fill(user["email"])
    page.get_by_label("Password").fill(user["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.goto("/sign-out/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()


def test_an_app_and_a_passkey_are_set_up_asked_for_and_removed(page, site):
    user = site.users["backup operator"]
    give_password(page, user)
    page.locator("details.account summary").click()
    page.get_by_role("link", name="Two factors").click()
    page.get_by_role("link", name="Set up an app").click()
    page.get_by_label("Password").fill(user["password"])
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".qr-code svg")).to_be_visible()
    key = page.locator("[data-copy]").first.get_attribute("data-copy")
    type_code(page, key, "Switch it on")
    expect(page.locator(".recovery-codes li")).to_have_count(10)

    page.goto("/account/passkeys/add/")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("You have 1 passkey")).to_be_visible()

    # By password and app.
    sign_out(page)
    give_password(page, user)
    type_code(page, key, "Sign in")
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    # By password and passkey.
    sign_out(page)
    give_password(page, user)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    # By passkey alone.
    sign_out(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()

    # What was set up goes again: other tests sign in as the same person.
    page.goto("/account/two-factor/app/remove/")
    page.get_by_label("Password").fill(user["password"])
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Remove the app").click()
    page.get_by_role("link", name="See them").click()
    page.get_by_role("link", name="Remove Laptop").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("No passkeys yet")).to_be_visible()
