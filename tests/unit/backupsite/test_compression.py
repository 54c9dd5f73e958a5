"""Pages are sent small, save where that could tell somebody a secret, and no two answers are of a telling length."""

from __future__ import annotations

import gzip
import re

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from backupsite.compression import ONE_PACKET_BYTES, CompressionMiddleware

PAGE = b"<p>one of many rows</p>" * 500


def answer(
    path: str = "/jobs/", *, body: bytes = PAGE, method: str = "GET", status: int = 200, accepts: str = "gzip, br"
) -> HttpResponse:
    request = RequestFactory().generic(method, path, headers={"accept-encoding": accepts})
    response = CompressionMiddleware(lambda _: HttpResponse(body, status=status))(request)
    assert isinstance(response, HttpResponse)
    return response


def test_a_page_is_sent_compressed_and_is_the_same_page():
    response = answer()
    assert response["Content-Encoding"] == "gzip"
    assert response["Vary"] == "Accept-Encoding"
    assert len(response.content) == int(response["Content-Length"]) < len(PAGE) / 20
    assert gzip.decompress(response.content) == PAGE


def test_a_table_that_is_written_line_by_line_is_compressed_too():
    request = RequestFactory().get("/audit/file/", headers={"accept-encoding": "gzip"})
    response = CompressionMiddleware(lambda _: StreamingHttpResponse(iter([PAGE, PAGE])))(request)
    assert isinstance(response, StreamingHttpResponse)
    assert gzip.decompress(b"".join(response)) == PAGE * 2


def test_the_same_page_has_many_lengths():
    assert len({len(answer().content) for _ in range(60)}) > 10


@pytest.mark.parametrize(
    "given",
    [
        {"body": b"x" * (ONE_PACKET_BYTES - 1)},
        {"accepts": "br"},
        {"method": "POST"},
        {"status": 404},
        {"path": "/sign-in/"},
        {"path": "/account/two-factor/app/"},
    ],
    ids=str,
)
def test_what_is_small_or_not_asked_for_or_may_show_a_secret_is_sent_as_it_is(given):
    response = answer(**given)
    assert "Content-Encoding" not in response
    assert response.content == given.get("body", PAGE)


@pytest.mark.django_db
def test_the_token_that_protects_forms_is_written_anew_in_every_page(people, client):
    client.force_login(people.owner)
    tokens = {re.findall(rb'X-CSRFToken": "(\w{64})"', client.get("/jobs/").content)[0] for _ in range(3)}
    assert len(tokens) == 3
    page = client.get("/jobs/", headers={"accept-encoding": "gzip"})
    assert page["Content-Encoding"] == "gzip"
    assert page["Cache-Control"] == "private, no-store"
