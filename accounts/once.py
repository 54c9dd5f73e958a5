"""A form is carried out once, however often it arrives: by a second click, a reload, or a proxy that tries again.

A form that carries the `{% once %}` field is known by its code and by everything in it. So going back, changing
something and sending it again is a new wish, and sending the same again is not. A form without the field (a script's)
is carried out each time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.utils import timezone

from .http import HtmxHttpRequest
from .models import SentForm

FIELD = "once"
KEPT_FOR = timedelta(days=1)
SENT_BEFORE = "This form arrived twice and was carried out once. Open it anew to ask for the same again."


def find_sent(request: HtmxHttpRequest) -> str | None:
    """Where the posted form led when it was carried out before, or None; the person is told by a message."""
    digest = _digest_of(request)
    if not digest:
        return None
    sent = SentForm.objects.filter(user=request.user, digest=digest).first()
    if sent is None:
        return None
    messages.info(request, SENT_BEFORE)
    return sent.location


def do_once(request: HtmxHttpRequest, work: Callable[[], str]) -> str:
    """Do `work`, which returns where to go then, unless the posted form was carried out before: then where that led.

    One transaction holds both the work and the mark, so no crash keeps one without the other; `work` may not wait for
    a network. Whoever sends the same at the same moment waits for its end. What `work` refuses leaves no mark.
    """
    digest = _digest_of(request)
    if not digest:
        return work()
    try:
        with transaction.atomic():
            mark = _mark(request, digest)
            mark.location = work()
            mark.save(update_fields=["location"])
    except _SentBefore:
        location = find_sent(request)
        # What was there has just been undone by its own refusal: then this is the first one after all.
        return location if location is not None else do_once(request, work)
    return mark.location


class _SentBefore(Exception):
    """Somebody holds the mark already."""


def _mark(request: HtmxHttpRequest, digest: str) -> SentForm:
    now = timezone.now()
    SentForm.objects.filter(user=request.user, at__lt=now - KEPT_FOR).delete()
    try:
        with transaction.atomic():
            return SentForm.objects.create(user=request.user, digest=digest, location="", at=now)
    except IntegrityError as clash:
        raise _SentBefore from clash


def _digest_of(request: HtmxHttpRequest) -> str:
    """Of all that was posted where; empty if the form has no code."""
    if not request.POST.get(FIELD):
        return ""
    parts = [request.path]
    for name in sorted(request.POST):
        if name != "csrfmiddlewaretoken":
            parts += [name, *request.POST.getlist(name), ""]
    return sha256("\0".join(parts).encode(errors="replace")).hexdigest()
