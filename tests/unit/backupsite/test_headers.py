"""What browsers are told to refuse, on every answer there is, and that no template asks for more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import find
from django.test import Client, override_settings

from backupsite.security import content_security_policy
from tests.site import ROOT

STRICT = {"default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"}
STRICT |= {f"{what}-src 'self'" for what in ("script", "style", "img", "font", "connect")}
# An element or attribute that the policy above makes browsers ignore. Data for scripts is no script.
INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")|<style|\sstyle=|\son[a-z]+=|\shx-on|javascript:", re.I
)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def check_headers(headers) -> None:
    assert set(headers["Content-Security-Policy"].split("; ")) == STRICT
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "no-store" in headers["Cache-Control"]
    assert "private" in headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/jobs/table/", "/costs/", "/jobs/nowhere/", "/settings/regions/", "/nowhere/"])
@pytest.mark.parametrize("is_signed_in", [True, False])
def test_every_answer_tells_browsers_what_to_refuse_and_is_kept_by_nobody(people, client, path, is_signed_in):
    if is_signed_in:
        client.force_login(people.owner)
    check_headers(client.get(path).headers)


@pytest.mark.django_db
def test_answers_that_come_before_any_page_have_the_headers_too(client):
    check_headers(client.get("/sign-in/", headers={"host": "elsewhere.example.com"}).headers)
    check_headers(Client(enforce_csrf_checks=True).post("/sign-in/").headers)
    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = Client().get("/jobs/")
    assert answer.status_code == 301
    check_headers(answer.headers)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_has_anything_inline(path: Path):
    assert INLINE.findall(re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", path.read_text(), flags=re.S)) == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<p style="color: red">',
        '<a onclick="x()">',
        "<style>p {}</style>",
        '<p hx-on:click="x">',
    ],
)
def test_something_inline_is_found(text):
    assert INLINE.search(text)


def test_a_form_may_lead_on_to_a_companys_sign_in_and_reports_may_go_to_a_collector():
    directives = content_security_policy(form_targets=["https://id.example.com"], report_uri="/reports")["DIRECTIVES"]
    assert directives["form-action"] == ["'self'", "https://id.example.com"]
    assert directives["report-uri"] == ["/reports"]
    assert directives["default-src"] == ["'none'"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("length", "status"), [("5242881", 413), ("9" * 5000, 413), ("-1", 400), ("1e9", 400), ("²", 400)]
)
def test_a_body_that_is_too_large_or_has_no_length_is_not_read(client, length, status):
    answer = client.post("/sign-in/", b"", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=length)
    assert answer.status_code == status


def test_plotly_finds_whatever_it_would_write_into_the_page_itself():
    script = Path(str(find("plotly.min.js"))).read_text()
    styles = set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', script))
    assert styles
    page = (ROOT / "templates/components/_plotly.html").read_text()
    assert {f'id="{style}"' for style in styles} == set(re.findall(r'id="\w+"', page))
    assert "plotly.js-style-" in script
    assert (
        'id="plotly.js-style-global" class="no-inline-styles"'
        in (ROOT / "templates/components/_stylesheets.html").read_text()
    )
