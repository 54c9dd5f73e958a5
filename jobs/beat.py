"""How the scheduler of this host says that it lives: by the time of a file, which no database has to be asked for."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

log = logging.getLogger(__name__)

SILENT_SECONDS = 30.0
"""A scheduler looks around every two seconds; after so long without a look it is taken for dead."""


def beat_path() -> Path:
    """One for each host: in containers they may share the folder."""
    return Path(settings.VAR_DIR) / f"scheduler-{socket.gethostname()}.beat"


def beat() -> None:
    """Say that a round was completed. A folder that cannot be written is no reason to stop."""
    try:
        beat_path().touch()
    except OSError as trouble:
        log.warning("The scheduler could not say that it lives: %s", trouble)


def fall_silent() -> None:
    """A scheduler that stops in order is not taken for one that died."""
    with suppress(OSError):
        beat_path().unlink()


def silent_seconds() -> float | None:
    """How long ago a scheduler of this host completed a round; None if none is running."""
    try:
        return time.time() - beat_path().stat().st_mtime
    except OSError:
        return None
