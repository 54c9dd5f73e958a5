"""`python -m tests.browser.full_site`: a site with very much in it, long names and everything that goes wrong.

For looking at alone: it writes rows into the database of the site whose folder is VAR_DIR, while its workers sleep.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

CLUSTERS, BACKUPS = 22, 3
NAMES = ("search", "recommendations-of-the-whole-catalogue-europe-2026", "support", "images", "a", "legal-documents")
FAILURE = (
    "Frankfurt (gcp-europe-west3) refused the upload: access denied for bucket backups-fra. Check the store's "
    "credentials under Settings, then retry this copy."
)
LONG_NAME = "before-the-move-to-1024-dimensions-and-the-new-tokenizer-which-nobody-has-tried-on-production-yet"


def main() -> None:
    var = Path(os.environ["VAR_DIR"])
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "SECRET_KEY": (var / "secret.key").read_text(),
        "ENCRYPTION_KEYS": (var / "encryption.key").read_text(),
    }
    import django

    django.setup()
    fill()


def fill() -> None:
    from django.utils import timezone

    from accounts.models import Project
    from backups.states import BackupState, CopyState
    from jobs.models import JobEvent
    from jobs.states import JobState, JobType
    from tests import builders

    now = timezone.now()
    project = Project.objects.order_by("pk").first()
    copy_states = (
        CopyState.AVAILABLE,
        CopyState.FAILED,
        CopyState.DAMAGED,
        CopyState.TRANSFERRING,
        CopyState.VERIFYING,
    )
    job_of: dict[CopyState, dict[str, Any]] = {
        CopyState.AVAILABLE: {"state": JobState.SUCCESSFUL},
        CopyState.DAMAGED: {"state": JobState.SUCCESSFUL},
        CopyState.FAILED: {"state": JobState.FAILED, "reason": FAILURE},
        CopyState.TRANSFERRING: {"state": JobState.IN_PROGRESS, "bytes_total": 2 * 10**12, "bytes_done": 7 * 10**11},
        CopyState.VERIFYING: {"state": JobState.VERIFYING},
    }
    for number in range(CLUSTERS):
        name = f"{NAMES[number % len(NAMES)]}-{number}"
        cluster = builders.make_cluster(
            project, name=name, cu_size=2 ** (number % 6), endpoint=f"http://10.0.0.{number}"
        )
        builders.make_schedule(
            cluster, name=f"Every night, {name}", targets={builders.FRANKFURT: 30, builders.TOKYO: 7}
        )
        for round_ in range(BACKUPS):
            made = now - timedelta(days=9 * round_, minutes=number)
            state = copy_states[(number + round_) % len(copy_states)]
            states = {builders.FRANKFURT: state, builders.VIRGINIA: CopyState.AVAILABLE}
            backup = builders.make_backup(
                cluster,
                copies=states,
                kept_days=30 if number % 3 else None,
                collections=[f"collection_{index}" for index in range(number + 1)],
                name=LONG_NAME if round_ == 1 and number < 2 else f"{name}_{round_}",
            )
            kept = backup.copies.get(is_original=True)
            original = builders.make_job(kept, type=JobType.BACKUP, state=JobState.SUCCESSFUL, created_at=made)
            for copy in backup.copies.filter(is_original=False).order_by("pk"):
                held = {"lease_until": now + timedelta(days=1)} if copy.state in copy_states[3:] else {}
                changes = job_of[CopyState(copy.state)] | held
                builders.make_job(copy, parent=original, created_at=made + timedelta(minutes=4), **changes)
        if number % 4 == 0:
            lost = builders.make_backup(
                cluster, state=BackupState.FAILED, original_state=CopyState.FAILED, collections=()
            )
            crashed = builders.make_job(
                lost.copies.get(), type=JobType.BACKUP, state=JobState.CRASHED, reason="The worker worker-1 vanished."
            )
            JobEvent.objects.create(job=crashed, from_state=JobState.IN_PROGRESS, to_state=JobState.CRASHED)


if __name__ == "__main__":
    main()
