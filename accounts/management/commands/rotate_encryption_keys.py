from typing import Any

from django.core.management.base import CommandError

from accounts.commands import RecordedCommand
from accounts.errors import EncryptionKeysUnusable
from accounts.rotation import Rotated, count_left, rotate_secrets


class Command(RecordedCommand):
    help = (
        "Encrypts every stored secret anew with the first of ENCRYPTION_KEYS and checks the outcome. Then the keys "
        "behind it can be dropped. Safe to interrupt, to repeat, and to run while the site is at work."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = rotate_secrets(say=self._say)
        except EncryptionKeysUnusable as trouble:
            raise CommandError(str(trouble)) from trouble
        if unreadable := sum(rotated.unreadable for rotated in done):
            raise CommandError(
                f"{unreadable:,} secrets were written with a key that is not in ENCRYPTION_KEYS. Add that key behind "
                "the others and run this again, or enter those secrets anew."
            )
        if left := count_left():
            raise CommandError(f"{left:,} secrets were written with an older key meanwhile. Run this again.")
        self.stdout.write("The first key reads every secret. The keys behind it can be dropped.")

    def _say(self, rotated: Rotated) -> None:
        self.stdout.write(
            f"{rotated.label:<32}{rotated.written:>8,} written anew {rotated.current:>8,} current "
            f"{rotated.unreadable:>6,} unreadable"
        )
