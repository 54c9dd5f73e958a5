"""The next item is made while the last one is used, and never more than one."""

from collections.abc import Iterator

import pytest

from dataplane.writer import one_ahead


def test_items_come_in_order_and_only_one_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            yield number

    for number in one_ahead(items()):
        assert len(made) <= number + 2
    assert made == [0, 1, 2, 3]


def test_an_error_arrives_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the store is gone")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)
