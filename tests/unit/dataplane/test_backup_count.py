import pytest

from dataplane.backup import count_note, key_order
from dataplane.errors import RowsLost
from dataplane.milvus import CollectionRef

DOCS = CollectionRef("default", "docs")


def test_a_scan_that_agrees_with_both_counts_needs_no_word() -> None:
    assert count_note(DOCS, before=5, read=5, after=5) is None
    assert count_note(DOCS, before=0, read=0, after=0) is None


@pytest.mark.parametrize(("before", "read", "after"), [(5, 5, 9), (5, 7, 9), (9, 5, 5), (0, 0, 3)])
def test_rows_that_came_or_went_meanwhile_are_noted(before: int, read: int, after: int) -> None:
    note = count_note(DOCS, before=before, read=read, after=after)
    assert note == f"docs: rows changed during the backup ({before} before, {after} after, {read} stored)"


@pytest.mark.parametrize(
    ("before", "read", "after"), [(5, 0, 5), (5, 4, 5), (5, 6, 5), (5, 0, 9), (9, 4, 5), (5, 10, 9)]
)
def test_a_scan_no_moving_count_explains_is_never_a_small_green_backup(before: int, read: int, after: int) -> None:
    with pytest.raises(RowsLost, match=f"returned {read} rows"):
        count_note(DOCS, before=before, read=read, after=after)


def test_text_keys_sort_by_their_bytes_as_milvus_sorts_them() -> None:
    assert sorted(["\U0001f600", "\uffee", "Z", "a", ""], key=key_order) == ["", "Z", "a", "\uffee", "\U0001f600"]
    assert sorted([10, 9, -1], key=key_order) == [-1, 9, 10]
