"""`demo.json`: how people and scripts get into the demo. Knows no Django.

While the demo is being loaded for the first time, its passwords lie in `demo.loading.json` instead: a load that was
interrupted goes on with the same ones, and whoever waits for `demo.json` finds it complete.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

# No letter that could be taken for another.
_CONSONANTS, _VOWELS = "bcdfghjkmnpqrstvwxz", "aeiou"

PEOPLE: Mapping[str, str] = {
    "owner": "owner@acme.example",
    "project admin": "admin@acme.example",
    "viewer": "viewer@acme.example",
    "backup operator": "backups@acme.example",
}
"""E-mail address by role."""


@dataclass(frozen=True)
class DemoUser:
    role: str
    email: str
    password: str


@dataclass(frozen=True)
class DemoCluster:
    id: str
    name: str
    plan: str
    region: str


@dataclass(frozen=True)
class DemoNotes:
    url: str = ""
    """Where the site is served, or was last; empty if it never was."""
    users: tuple[DemoUser, ...] = ()
    clusters: tuple[DemoCluster, ...] = ()

    @classmethod
    def with_new_passwords(cls) -> Self:
        return cls(users=tuple(DemoUser(role, email, readable_password()) for role, email in PEOPLE.items()))

    def served_at(self, url: str) -> DemoNotes:
        return replace(self, url=url)


def notes_path(var_dir: Path) -> Path:
    return var_dir / "demo.json"


def loading_path(var_dir: Path) -> Path:
    return var_dir / "demo.loading.json"


def read_notes(path: Path) -> DemoNotes | None:
    """What `write_notes` wrote, or None if there is no such file; ValueError if somebody broke it."""
    try:
        found = json.loads(path.read_text())
        return DemoNotes(
            url=found["url"],
            users=tuple(DemoUser(**user) for user in found["users"]),
            clusters=tuple(DemoCluster(**cluster) for cluster in found["clusters"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}). Mend it or delete it.") from error


def write_notes(path: Path, notes: DemoNotes) -> None:
    write_private_file(path, json.dumps(asdict(notes), indent=2) + "\n")


def write_private_file(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner may read it."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def readable_password() -> str:
    """Four words of syllables and two digits, such as `kuvo-tane-ribo-suma-47`: 59 bits, easily typed from a screen."""
    words = ["".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(2)) for _ in range(4)]
    return "-".join([*words, f"{secrets.randbelow(100):02}"])
