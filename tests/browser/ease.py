"""Whether people can use a page who do not see it as we do: axe-core's rules, in both themes and at both widths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.chromium import HEIGHT, NARROW, WIDE, scroll_width

_COLOURS = {"runOnly": ["color-contrast"]}
# The style sheets are of this site and in force; axe would fetch every one of them again.
_OPTIONS = {"resultTypes": ["violations"], "preload": False}
# The ninth row is made like the eighth.
_LEFT_OUT = {"exclude": [["tbody > tr:nth-child(n+9)"], [".choice:nth-of-type(n+7)"]]}
# After two frames, when colours are no longer on their way from one theme to the other.
_RUN = """async ([context, options]) => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  const { violations } = await axe.run(context, options);
  const place = (node) => `${node.target}: ${node.failureSummary}`;
  return violations.map(({ id, help, nodes }) => [id, help, nodes.slice(0, 3).map(place)]);
}"""
Look = tuple[Literal["light", "dark"], int, dict[str, list[str]]]
BOTH_LOOKS: tuple[Look, ...] = (("light", NARROW, {}), ("dark", WIDE, {}))
"""Every rule on a small screen in light, and on a wide one, where the navigation is open, in dark."""
EVERY_LOOK: tuple[Look, ...] = (*BOTH_LOOKS, ("light", WIDE, _COLOURS), ("dark", NARROW, _COLOURS))
"""The colours of each width in the other theme as well; takes a third longer, and found nothing more so far."""


def troubles_of(page: Page, name: str, looks: tuple[Look, ...] = BOTH_LOOKS) -> Iterator[str]:
    """What is wrong with the page that is open, in a sentence each; leaves it on a small screen, in light."""
    page.evaluate(AXE_SCRIPT)
    backgrounds = set()
    for scheme, width, chosen in looks:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        where = f"{name}, {scheme}, {width} pixels"
        if (needed := scroll_width(page)) > width:
            yield f"{where}: scrolls sideways, is {needed} pixels wide"
        for rule, sentence, places in page.evaluate(_RUN, [_LEFT_OUT, _OPTIONS | chosen]):
            yield f"{where}: {rule}: {sentence}: {places}"
    page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    if len(backgrounds) < 2:
        yield f"{name} looks the same in light and dark"
