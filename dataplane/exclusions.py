"""What no backup ever holds, and the sentence that says so. Pure."""

import re
from collections.abc import Mapping

from dataplane.manifest import Exclusion

STAGING = re.compile(r"__restoring_[A-Za-z0-9]+$")
"""Ends the name of a collection that a restore is still writing."""
MARKER = re.compile(r"^restored_by_[A-Za-z0-9]+_[0-9]+$")
"""An alias by which a restore recognises what its earlier attempt finished."""

_TTL = re.compile(r"(^|\.)ttl(\.|$)", re.IGNORECASE)


def always_excluded() -> tuple[Exclusion, ...]:
    return (
        Exclusion("TTL settings of collections", "restored rows would expire at once"),
        Exclusion("password of db_admin", "passwords are never read; a restore to a new cluster makes a new one"),
        Exclusion("dynamic and scheduled scaling settings", "they belong to the cluster they were made for"),
    )


def without_excluded(collection: object, properties: Mapping[str, str]) -> tuple[dict[str, str], list[Exclusion]]:
    """The properties a backup keeps, and one exclusion for each it does not.

    A collection that expires its rows would, restored from an old backup, delete them at once.
    """
    kept = {name: value for name, value in properties.items() if not _TTL.search(name)}
    left_out = [
        Exclusion(f"{collection}: {name} = {properties[name]}", "restored rows would expire at once")
        for name in sorted(properties.keys() - kept.keys())
    ]
    return kept, left_out
