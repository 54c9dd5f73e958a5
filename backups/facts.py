"""What the page of a backup shows of its copies that only rooms above know: jobs at work, refusals, money."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from .models import Copy


@dataclass(frozen=True)
class CopyFacts:
    working: str = ""
    """The check or repair that is at work on the copy or waits for its turn; empty if there is none."""
    working_url: str = ""
    check_refusal: str = ""
    """Why it cannot be checked now; empty if it can."""
    repair_refusal: str = ""
    refusal: str = ""
    """Why a button beside the copy is there but cannot be pressed."""
    saving: str = ""
    """What did not have to be sent, and what that saved."""


def facts_of(copies: Sequence[Copy]) -> Mapping[int, CopyFacts]:
    """By copy's row number, from the function that `settings.COPY_FACTS_SOURCE` names."""
    source = cast(Callable[[Sequence[Copy]], Mapping[int, CopyFacts]], import_string(settings.COPY_FACTS_SOURCE))
    return source(copies)
