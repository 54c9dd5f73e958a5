"""Style sheets style what is there: a class that no page, component or script names is dead."""

from __future__ import annotations

import re
from pathlib import Path

from django.template.loader import render_to_string
from django.test import RequestFactory

from backups.states import BackupState, CopyState
from jobs.states import JobState

ROOT = Path(__file__).resolve().parents[3]
STYLESHEETS = sorted((ROOT / "static" / "css").rglob("*.css"))
# Classes that libraries put on: htmx while it asks, and what Plotly draws.
# What stands around the gallery as around every page, and the cross that a script adds.
AROUND = re.compile(r"account(__\w+)?|brand(__\w+)?|icon|navigation|menu--up|notice__close")
OF_LIBRARIES = re.compile(r"htmx-request|js-plotly-plot|plotly|main-svg|draglayer|crisp|user-select-none|cursor-\w+")


def classes_styled() -> dict[str, str]:
    """Each class with the file that styles it."""
    found: dict[str, str] = {}
    for path in STYLESHEETS:
        rules = re.sub(r'/\*.*?\*/|"[^"]*"', "", path.read_text(), flags=re.DOTALL)
        found |= dict.fromkeys(re.findall(r"\.([a-zA-Z][\w-]*)", rules), path.name)
    return found


def is_named(name: str, text: str) -> bool:
    """Whole, or put together from a state: notice--{{ level }}."""
    base, _, variant = name.partition("--")
    composed = rf"|{re.escape(base)}--(\{{[\{{%]|\$\{{)" if variant else ""
    return re.search(rf"(?<![\w-])({re.escape(name)}(?![\w-]){composed})", text) is not None


def test_every_class_that_is_styled_is_used():
    places = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "js").glob("*.js")]
    text = "\n".join(path.read_text() for path in places)
    dead = {
        name: file
        for name, file in classes_styled().items()
        if not OF_LIBRARIES.fullmatch(name) and not is_named(name, text)
    }
    assert dead == {}


def test_every_style_sheet_is_linked_and_that_of_the_gallery_by_the_gallery_alone():
    linked = set(re.findall(r"/(css/[\w/]+)[\w.]*\.css", render_to_string("components/_stylesheets.html")))
    files = {str(path.relative_to(ROOT / "static").with_suffix("")) for path in STYLESHEETS}
    assert files - linked == {"css/pages/design"}
    assert "css/pages/design.css" in (ROOT / "templates" / "design" / "gallery.html").read_text()


def test_the_gallery_shows_every_component_and_every_state():
    gallery = render_to_string("design/gallery.html", request=RequestFactory().get("/design/"))
    shown = set(" ".join(re.findall(r'class="([^"]*)"', gallery)).split())
    components = {path.name for path in STYLESHEETS if path.parent.name == "components"}
    missing = {
        name: file
        for name, file in classes_styled().items()
        if file in components and name not in shown and not (OF_LIBRARIES.fullmatch(name) or AROUND.fullmatch(name))
    }
    assert missing == {}
    states = {state.value for kind in (BackupState, CopyState, JobState) for state in kind}
    assert states - set(re.findall(r'class="status" data-state="(\w+)"', gallery)) == set()
