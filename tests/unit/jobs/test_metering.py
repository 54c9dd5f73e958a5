"""What is used is written down where it happens, once, and the ledger knows what really lies in a place."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from backups.models import Backup
from backups.states import CopyState
from jobs.metering import catch_up
from pricing.ledger_models import DailyUsage, FactKind, LedgerEntry, UsagePlace
from pricing.usage import places_of_ledger, rebuild_place
from tests.builders import OREGON, VIRGINIA, make_copy, make_job, make_user
from tests.unit.dataplane.builders import CLUSTER
from tests.unit.jobs.world import (
    CONTENTS,
    make_stored_backup,
    make_stored_backup_beside,
    run_next,
)

pytestmark = pytest.mark.django_db

SIZE = sum(map(len, CONTENTS))


def lying_in(root: Path, region: str) -> int:
    """Bytes of chunks in the folder of a region."""
    return sum(path.stat().st_size for path in (root / region).rglob("*.parquet"))


def level(region: str) -> int:
    """Bytes that lie in a region by the ledger."""
    return sum(LedgerEntry.objects.filter(kind=FactKind.HELD, region=region).values_list("size_bytes", flat=True))


def facts(region: str, kind: FactKind) -> list[tuple[str, int]]:
    entries = LedgerEntry.objects.filter(region=region, kind=kind).order_by("pk")
    return list(entries.values_list("cause", "size_bytes"))


def owner_of(backup: Backup):
    return make_user(organization=backup.project.organization, organization_role="owner")


def assert_rolled_up() -> None:
    """The roll-up says what the ledger says."""
    assert [rebuild_place(name, check_only=True) for name in places_of_ledger()] == [[]] * UsagePlace.objects.count()


def test_a_copy_is_told_once_with_what_it_sent_and_what_lies_there_now(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    run_next()
    told = list(LedgerEntry.objects.values())
    assert facts(VIRGINIA, FactKind.SENT) == [("copy", SIZE)]
    assert facts(VIRGINIA, FactKind.KEPT) == [("copy", SIZE)]
    assert level(VIRGINIA) == lying_in(stores_root, VIRGINIA) == SIZE
    for _ in range(3):
        catch_up(timezone.now())
    of_the_copy = LedgerEntry.objects.filter(region=VIRGINIA)
    assert list(of_the_copy.order_by("pk").values()) == told
    row = DailyUsage.objects.get(region=VIRGINIA, kind="transfer")
    assert (row.size_bytes, row.whole_bytes, row.retry_bytes, row.source) == (SIZE, SIZE, 0, OREGON)
    assert (row.project, row.cluster) == (backup.project.code, CLUSTER)
    assert_rolled_up()


def test_a_copy_of_what_was_there_already_sends_nothing_and_says_what_it_spared(stores_root):
    first = make_stored_backup(stores_root, copies=[VIRGINIA])
    run_next()
    make_job(make_copy(make_stored_backup_beside(first, stores_root), VIRGINIA, state=CopyState.PLANNED))
    run_next()
    row = DailyUsage.objects.get(region=VIRGINIA, kind="transfer")
    assert (row.size_bytes, row.whole_bytes) == (SIZE, 2 * SIZE)
    assert level(VIRGINIA) == SIZE
    stored = DailyUsage.objects.get(region=VIRGINIA, kind="storage")
    assert (stored.size_bytes, stored.whole_bytes) == (SIZE, 2 * SIZE)
