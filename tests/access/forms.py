"""The fields and links of a page, and what each of them would send."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit


@dataclass
class Form:
    """What a browser would send of an untouched form, and every value that could be chosen in it."""

    action: str
    method: str
    defaults: dict[str, str] = field(default_factory=dict)
    choices: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.forms = path, list[Form]()
        self._form: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(urljoin(self.path, have.get("action", "")), have.get("method", "get").upper())
            self.forms.append(self._form)
        elif tag == "a" and "?" in have.get("href", ""):
            there = urlsplit(urljoin(self.path, have["href"]))
            pairs = parse_qsl(there.query)
            self.forms.append(Form(there.path, "GET", dict(pairs), pairs))
        elif self._form is None:
            return
        elif tag == "select":
            self._select = have.get("name", "")
        elif tag == "option":
            self._choose(self._select, have.get("value", ""), is_set="selected" in have)
        elif tag in {"input", "button"} and have.get("name"):
            is_set = have.get("type") not in {"radio", "checkbox", "submit"} or "checked" in have
            self._choose(have["name"], have.get("value", "on"), is_set=is_set)
        elif tag == "textarea":
            self._choose(have.get("name", ""), "", is_set=True)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def _choose(self, name: str, value: str, *, is_set: bool) -> None:
        assert self._form is not None
        self._form.choices.append((name, value))
        if is_set:
            self._form.defaults[name] = value


def forms_on(path: str, page: str) -> list[Form]:
    """Every form of a page, and every link with a query as a form of its own."""
    reader = _Reader(path)
    reader.feed(page)
    return reader.forms
