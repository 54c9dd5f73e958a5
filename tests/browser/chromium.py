"""A headless Chromium that talks to nobody but the site, and what a page did that it should not have done."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, Response

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, NARROW = 1280, 375
HEIGHT = 900
WAIT_MILLISECONDS = 60_000
"""How long a click or an expectation waits; far more than any of them needs on a busy machine."""


def launch(playwright: Playwright, path: str) -> Browser:
    return playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))


# htmx calls it an error when a newer request replaces an older one, which is what hx-sync asks for. A request that
# failed says more: htmx:sendError or htmx:responseError.
_REPLACED_REQUEST = ("htmx:sendAbort", "htmx:afterRequest")


@dataclass
class Watch:
    """Collects what every page of a context complains about and whom else it asks."""

    origin: str
    problems: list[str] = field(default_factory=list)
    allowed_statuses: set[int] = field(default_factory=set)
    """Answers that a test provokes on purpose; the browser writes every answer of 400 and above into its console."""

    def attach(self, context: BrowserContext) -> None:
        context.on("request", self._see_request)
        context.on("response", self._see_response)
        context.on("console", self._see_console)
        context.on("weberror", lambda error: self.problems.append(f"script error: {error.error}"))

    def _see_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.problems.append(f"request to another origin: {request.url}")

    def _see_response(self, response: Response) -> None:
        # What the policy makes the browser refuse is an error in the console.
        if response.request.resource_type == "document" and "content-security-policy" not in response.headers:
            self.problems.append(f"page without a policy: {response.url}")

    def _see_console(self, message: ConsoleMessage) -> None:
        text = message.text
        if message.type != "error" or text.startswith(_REPLACED_REQUEST):
            return
        if any(f"status of {status} " in text for status in self.allowed_statuses):
            return
        self.problems.append(f"console error at {message.location.get('url')}: {text}")


def scroll_width(page: Page) -> int:
    """How wide the page is; more than the window when it scrolls sideways."""
    width: int = page.evaluate("document.scrollingElement.scrollWidth")
    return width
