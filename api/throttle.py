"""How many calls a key may make."""

from __future__ import annotations

import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from ninja.throttling import BaseThrottle

WINDOW_SECONDS = 10


class PerKey(BaseThrottle):
    """API_REQUESTS_PER_SECOND for each key, counted over ten seconds and over all processes that share the cache."""

    def allow_request(self, request: HttpRequest) -> bool:
        window = int(time.time()) // WINDOW_SECONDS
        name = f"api-calls:{request.api_key.pk}:{window}"  # type: ignore[attr-defined]
        limit = settings.API_REQUESTS_PER_SECOND * WINDOW_SECONDS
        # Two calls at once may count as one: the limit protects the site, it sells nothing.
        cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
        return bool(cache.incr(name) <= limit)

    def wait(self) -> float:
        return float(WINDOW_SECONDS - int(time.time()) % WINDOW_SECONDS)
