"""The hidden field by which a form is known when it arrives a second time."""

from __future__ import annotations

import secrets

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.once import FIELD

register = template.Library()


@register.simple_tag
def once() -> SafeString:
    """A code of its own for each form that is shown; see `accounts.once`."""
    return format_html('<input type="hidden" name="{}" value="{}">', FIELD, secrets.token_urlsafe(16))
