"""Moves of backups and copies, and what the catalogue's tables refuse by themselves."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import IntegrityError
from django.utils import timezone

from backups.errors import StaleBackup
from backups.models import Backup, Copy
from backups.services import abandon_planned_copies, complete_deletion, move_backup, move_copy
from backups.states import BACKUP_MOVES, COPY_MOVES, BackupState, CopyState
from tests.builders import FRANKFURT, OREGON, VIRGINIA, make_backup, make_copy

pytestmark = pytest.mark.django_db

COPY_PAIRS = list(product(CopyState, CopyState))
BACKUP_PAIRS = list(product(BackupState, BackupState))
PROOF = {"size_bytes": 5, "stored_at": timezone.now(), "verified_at": timezone.now()}


@pytest.mark.parametrize(("before", "after"), [pair for pair in COPY_PAIRS if pair[1] in COPY_MOVES.get(pair[0], ())])
def test_a_copy_makes_every_legal_move(before, after):
    copy = make_copy(state=before)
    changes = PROOF if after == CopyState.AVAILABLE else {}
    if after == CopyState.DELETED:
        changes = {"deleted_at": timezone.now()}
    move_copy(copy, after, **changes)
    assert Copy.objects.get(pk=copy.pk).state == copy.state == after


@pytest.mark.parametrize(
    ("before", "after"), [pair for pair in COPY_PAIRS if pair[1] not in COPY_MOVES.get(pair[0], ())]
)
def test_a_copy_makes_no_other_move(before, after):
    copy = make_copy(state=before)
    with pytest.raises(StaleBackup):
        move_copy(copy, after)
    assert Copy.objects.get(pk=copy.pk).state == before


@pytest.mark.parametrize(("before", "after"), BACKUP_PAIRS)
def test_a_backup_makes_exactly_the_legal_moves(before, after):
    backup = make_backup(state=before)
    changes = {"size_bytes": 1, "row_count": 1} if after == BackupState.AVAILABLE else {}
    if after in BACKUP_MOVES.get(before, ()):
        move_backup(backup, after, **changes)
        assert Backup.objects.get(pk=backup.pk).state == after
    else:
        with pytest.raises(StaleBackup):
            move_backup(backup, after, **changes)
        assert Backup.objects.get(pk=backup.pk).state == before


def test_of_two_who_move_a_copy_the_second_is_told():
    copy = make_copy(state=CopyState.PLANNED)
    late = Copy.objects.get(pk=copy.pk)
    move_copy(copy, CopyState.TRANSFERRING)
    with pytest.raises(StaleBackup):
        move_copy(late, CopyState.CANCELED)
    assert Copy.objects.get(pk=copy.pk).state == CopyState.TRANSFERRING


def test_only_planned_copies_are_abandoned():
    states = {VIRGINIA: CopyState.PLANNED, FRANKFURT: CopyState.AVAILABLE}
    backup = make_backup(copies=states)
    [abandoned] = abandon_planned_copies(backup, reason="because")
    assert (abandoned.region_id, abandoned.state, abandoned.reason) == (VIRGINIA, CopyState.CANCELED, "because")
    assert backup.copies.get(region=FRANKFURT).state == CopyState.AVAILABLE


def test_a_backup_is_deleted_with_its_last_copy():
    backup = make_backup(original_state=CopyState.DELETING, copies={VIRGINIA: CopyState.DELETING})
    for code, expected in ((OREGON, BackupState.AVAILABLE), (VIRGINIA, BackupState.DELETED)):
        complete_deletion(backup.copies.get(region=code))
        backup.refresh_from_db()
        assert backup.state == expected
    assert not backup.copies.filter(deleted_at=None).exists()


def test_the_database_holds_one_original_per_backup():
    with pytest.raises(IntegrityError):
        make_copy(make_backup(), VIRGINIA, is_original=True)


@pytest.mark.parametrize("missing", ["size_bytes", "row_count"])
def test_the_database_refuses_an_available_backup_of_unknown_size(missing):
    with pytest.raises(IntegrityError):
        Backup.objects.filter(pk=make_backup().pk).update(**{missing: None})


@pytest.mark.parametrize(("state", "deleted_at"), [(CopyState.DELETED, None), (CopyState.AVAILABLE, timezone.now())])
def test_the_database_knows_when_a_copy_was_deleted_exactly_if_it_was(state, deleted_at):
    with pytest.raises(IntegrityError):
        make_copy(state=state, deleted_at=deleted_at)


def test_the_database_numbers_the_backups_of_a_cluster_once():
    backup = make_backup()
    other = make_backup(backup.cluster)
    with pytest.raises(IntegrityError):
        Backup.objects.filter(pk=other.pk).update(number=backup.number)
