"""Pages sent small; docs/decisions/0012 says why that tells nobody anything."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware

ONE_PACKET_BYTES = 1_400
"""What is smaller arrives no sooner for being smaller still; most polls are."""
WHERE_SECRETS_ARE_SHOWN = ("/account/", "/sign-in/")


class CompressionMiddleware(GZipMiddleware):
    """Compresses what GET brings, save where secrets are shown. Passwords, keys and links shown once answer a POST."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.method != "GET" or response.status_code != 200 or request.path.startswith(WHERE_SECRETS_ARE_SHOWN):
            return response
        if isinstance(response, HttpResponse) and len(response.content) < ONE_PACKET_BYTES:
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed
