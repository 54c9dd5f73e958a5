"""What is used is written down where it happens, once, and the ledger knows what really lies in a place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from backups.models import Backup, Copy
from backups.states import CopyState
from dataplane import layout
from dataplane.copy import copy_backup
from dataplane.errors import StoreDenied
from jobs.check_services import request_repair
from jobs.collecting import request_collections
from jobs.metering import catch_up
from jobs.models import Job
from jobs.services import request_deletion
from jobs.states import JobState, JobType
from jobs.upkeep import keep_usage_up
from pricing.ledger_models import DailyUsage, FactKind, LedgerEntry, UsagePlace
from pricing.rollup import CORRECTION
from pricing.usage import places_of_ledger, rebuild_place
from tests.builders import (
    FRANKFURT,
    OREGON,
    VIRGINIA,
    make_backup,
    make_cluster,
    make_copy,
    make_job,
    make_user,
)
from tests.unit.dataplane.builders import CLUSTER, store_backup
from tests.unit.jobs.world import (
    CONTENTS,
    folder,
    make_stored_backup,
    make_stored_backup_beside,
    make_stored_cluster,
    run_next,
    store_made_up_rows,
)

pytestmark = pytest.mark.django_db

SIZE = sum(map(len, CONTENTS))
OLD = datetime(2026, 3, 1, 12, tzinfo=UTC)


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


def delete(backup: Backup) -> None:
    request_deletion(user=owner_of(backup), backup=backup)
    while Job.objects.filter(type=JobType.DELETE, state=JobState.PENDING).exists():
        run_next()


def test_what_lies_in_a_place_is_what_the_ledger_says_through_the_life_of_its_copies(stores_root):
    first = make_stored_backup(stores_root, copies=[VIRGINIA])
    run_next()
    second = make_stored_backup_beside(first, stores_root)
    another = make_copy(second, VIRGINIA, state=CopyState.PLANNED)
    make_job(another)
    run_next()
    assert level(VIRGINIA) == lying_in(stores_root, VIRGINIA) == SIZE
    # Somebody was killed in the middle: what he left was never told.
    folder(stores_root, VIRGINIA).write(layout.chunk_key(CLUSTER, sha256(b"left").hexdigest()), [b"left"])
    delete(first)
    # The other copy still needs every chunk.
    assert level(VIRGINIA) == lying_in(stores_root, VIRGINIA) == SIZE + len(b"left")
    assert (CORRECTION, len(b"left")) in facts(VIRGINIA, FactKind.HELD)
    delete(second)
    assert level(VIRGINIA) == lying_in(stores_root, VIRGINIA) == len(b"left")
    assert sum(size for _, size in facts(VIRGINIA, FactKind.KEPT)) == 0
    assert_rolled_up()


def test_a_backup_tells_what_it_added_and_nothing_when_it_adds_nothing(stores_root, monkeypatch):
    monkeypatch.setattr("jobs.work.take_backup", store_made_up_rows)
    cluster = make_stored_cluster(stores_root)
    for _ in range(2):
        copy = make_backup(cluster, original_state=CopyState.PLANNED, state="creating").copies.get()
        make_job(copy, type=JobType.BACKUP)
        run_next()
    assert facts(OREGON, FactKind.KEPT) == [("backup", SIZE)] * 2
    assert not LedgerEntry.objects.filter(kind=FactKind.SENT).exists()
    assert_rolled_up()


def test_an_attempt_that_failed_is_charged_for_what_it_sent(stores_root, monkeypatch):
    make_stored_backup(stores_root, copies=[VIRGINIA])

    def copy_and_fail(plan, **arguments):
        copy_backup(plan, **arguments)
        raise StoreDenied("The store says no.")

    monkeypatch.setattr("jobs.work.copy_backup", copy_and_fail)
    failed = run_next()
    assert failed.copy.state == CopyState.FAILED
    assert facts(VIRGINIA, FactKind.SENT) == [("copy", SIZE)]
    assert level(VIRGINIA) == lying_in(stores_root, VIRGINIA) == SIZE
    assert facts(VIRGINIA, FactKind.KEPT) == []


def test_a_repair_is_charged_as_sent_again(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    copy = run_next().copy
    [chunk, *_] = sorted((stores_root / VIRGINIA).rglob("*.parquet"))
    size_bytes = chunk.stat().st_size
    chunk.write_bytes(b"x")
    Copy.objects.filter(pk=copy.pk).update(state=CopyState.DAMAGED)
    request_repair(user=owner_of(backup), copy=copy)
    run_next()
    row = DailyUsage.objects.get(region=VIRGINIA, kind="transfer")
    assert (row.size_bytes, row.retry_bytes) == (SIZE + size_bytes, size_bytes)
    for _ in range(2):
        catch_up(timezone.now())
    assert len(facts(VIRGINIA, FactKind.SENT)) == 2
    assert_rolled_up()


def test_what_was_lost_and_mended_is_counted_once_when_the_place_was_looked_at(stores_root):
    backup = make_stored_backup(stores_root, copies=[VIRGINIA])
    copy = run_next().copy
    [chunk, *_] = (stores_root / VIRGINIA).rglob("*.parquet")
    chunk.unlink()
    Copy.objects.filter(pk=copy.pk).update(state=CopyState.DAMAGED)
    request_repair(user=owner_of(backup), copy=copy)
    run_next()
    assert level(VIRGINIA) == SIZE + chunk.stat().st_size
    assert len(request_collections(timezone.now() + timedelta(days=2))) == 1
    run_next()
    assert level(VIRGINIA) == lying_in(stores_root, VIRGINIA) == SIZE
    assert_rolled_up()


def test_copies_from_before_there_was_a_ledger_are_told_of_once_with_their_days(people):
    backup = make_backup(make_cluster(people.project))
    Copy.objects.filter(backup=backup).update(size_bytes=100, skipped_bytes=40, stored_at=OLD, verified_at=OLD)
    kept = make_copy(backup, VIRGINIA, size_bytes=100, sent_bytes=60, skipped_bytes=40, stored_at=OLD)
    gone_at = OLD + timedelta(days=2)
    gone = make_copy(
        backup, FRANKFURT, state=CopyState.DELETED, size_bytes=100, sent_bytes=100, stored_at=OLD, deleted_at=gone_at
    )
    Copy.objects.filter(pk__in=[kept.pk, gone.pk]).update(verified_at=OLD)
    now = OLD + timedelta(days=4)
    assert len(catch_up(now)) == 3
    told = LedgerEntry.objects.count()
    assert catch_up(now) == []
    assert LedgerEntry.objects.count() == told
    stored = DailyUsage.objects.filter(kind="storage").order_by("day")
    assert list(stored.filter(region=OREGON).values_list("size_bytes", flat=True)) == [60] * 5
    assert list(stored.filter(region=VIRGINIA).values_list("size_bytes", flat=True)) == [60] * 5
    assert list(stored.filter(region=FRANKFURT).values_list("size_bytes", flat=True)) == [100] * 3
    assert list(
        DailyUsage.objects.filter(kind="transfer").order_by("size_bytes").values_list("size_bytes", flat=True)
    ) == [60, 100]
    assert_rolled_up()


def test_a_week_without_a_scheduler_is_rolled_up_by_the_next_one(people):
    backup = make_backup(make_cluster(people.project))
    Copy.objects.filter(backup=backup).update(size_bytes=100, stored_at=OLD, verified_at=OLD)
    catch_up(OLD)
    for _ in range(2):
        catch_up(OLD + timedelta(days=7))
    assert DailyUsage.objects.filter(size_bytes=100).count() == 8
    # The clock was wrong for a moment: nothing is taken back.
    catch_up(OLD - timedelta(days=30))
    assert DailyUsage.objects.filter(size_bytes=100).count() == 8
    assert_rolled_up()


def test_nothing_that_is_noted_can_be_changed_or_taken_out(people):
    backup = make_backup(make_cluster(people.project))
    Copy.objects.filter(backup=backup).update(size_bytes=100, stored_at=OLD, verified_at=OLD)
    catch_up(OLD)
    with pytest.raises(DatabaseError), transaction.atomic():
        models.QuerySet(LedgerEntry).update(size_bytes=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        models.QuerySet(LedgerEntry).delete()


def test_the_command_finds_what_differs_and_makes_it_anew(people):
    backup = make_backup(make_cluster(people.project))
    Copy.objects.filter(backup=backup).update(size_bytes=100, stored_at=OLD, verified_at=OLD)
    catch_up(OLD)
    DailyUsage.objects.update(size_bytes=1)
    with pytest.raises(CommandError, match="1 of 1 places is not what the ledger says"):
        call_command("rebuild_usage", "--check", stdout=StringIO())
    assert DailyUsage.objects.get().size_bytes == 1
    call_command("rebuild_usage", stdout=StringIO())
    assert DailyUsage.objects.get().size_bytes == 100
    said = StringIO()
    call_command("rebuild_usage", "--check", stdout=said)
    assert said.getvalue().strip() == "The daily usage of 1 places is what the ledger says."


def test_where_a_copy_went_before_there_was_a_ledger_the_store_is_looked_at(stores_root):
    cluster = make_stored_cluster(stores_root, regions=[VIRGINIA])
    first, second = make_backup(cluster), make_backup(cluster)
    store_backup(folder(stores_root, VIRGINIA), CONTENTS, backup_id=second.code)
    about: dict[str, Any] = {"size_bytes": SIZE, "stored_at": OLD, "verified_at": OLD}
    make_copy(first, VIRGINIA, state=CopyState.DELETED, sent_bytes=SIZE, deleted_at=OLD + timedelta(days=1), **about)
    make_copy(second, VIRGINIA, sent_bytes=0, skipped_bytes=SIZE, **about)
    for _ in range(2):
        keep_usage_up(timezone.now())
    # Who needed it still was not written down.
    assert level(VIRGINIA) == 0
    [look] = Job.objects.filter(type=JobType.COLLECT)
    assert look.target_region_id == VIRGINIA
    run_next()
    assert level(VIRGINIA) == lying_in(stores_root, VIRGINIA) == SIZE
    assert_rolled_up()
