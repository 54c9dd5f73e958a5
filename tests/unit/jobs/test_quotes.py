"""What a backup is expected to take, from what earlier ones took."""

from __future__ import annotations

import pytest

from clusters.models import Cluster
from jobs.quotes import LiveCollection, expected_size
from tests.builders import make_backup, make_cluster

pytestmark = pytest.mark.django_db

DOCS = LiveCollection("default", "docs", row_count=1_000, estimated_bytes=5)


def measure(cluster: Cluster, size_bytes: int) -> None:
    make_backup(cluster).collections.update(size_bytes=size_bytes)


def test_the_newest_of_several_backups_says_how_large_the_next_will_be():
    cluster = make_cluster()
    for size_bytes in (1_000, 2_000, 3_000):
        measure(cluster, size_bytes)
    assert expected_size(cluster, [DOCS]) == (3_000, True)


def test_a_collection_that_was_never_backed_up_is_taken_at_the_width_of_its_fields():
    cluster = make_cluster()
    measure(cluster, 1_000)
    new = LiveCollection("default", "notes", row_count=10, estimated_bytes=70)
    assert expected_size(cluster, [DOCS, new]) == (1_070, False)
