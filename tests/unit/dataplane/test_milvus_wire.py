"""Waiting for an index, with a stand-in for the client: how a server fails to build one cannot be brought about."""

from typing import Any

import pytest
from pymilvus.client.types import IndexState
from pymilvus.exceptions import MilvusException

from dataplane import milvus_wire
from dataplane.manifest import IndexEntry

INDEX = IndexEntry(field="vector", name="vector", type="FLAT", metric="L2", params={})


class Client:
    """Answers with `states` in turn; without any, it is a pymilvus that knows no such question."""

    def __init__(self, *states: IndexState) -> None:
        self.states = list(states)
        self.made: list[bool] = []
        """For each index asked for, whether the client itself was to wait for it."""

    def prepare_index_params(self) -> Any:
        from pymilvus.milvus_client import IndexParams

        return IndexParams()

    def create_index(self, collection: str, params: Any, *, timeout: float, sync: bool = True) -> None:
        self.made.append(sync)

    def _get_connection(self) -> "Client":
        return self

    def _generate_call_context(self) -> None:
        return None

    def alloc_timestamp(self, **named: Any) -> int:
        return 7

    def get_index_state(self, collection: str, name: str, *, timestamp: int, **named: Any) -> tuple[IndexState, str]:
        if not self.states:
            raise TypeError("get_index_state() got an unexpected keyword argument 'timestamp'")
        return self.states.pop(0), "no memory is left"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milvus_wire, "FIRST_WAIT_SECONDS", 0)


def test_an_index_is_waited_for_until_it_is_built() -> None:
    client = Client(IndexState.Unissued, IndexState.InProgress, IndexState.Finished)
    milvus_wire.build_index(client, "rows", INDEX, timeout=0)
    assert (client.states, client.made) == ([], [False])


def test_an_index_that_cannot_be_built_says_why() -> None:
    with pytest.raises(MilvusException, match="no memory is left"):
        milvus_wire.build_index(Client(IndexState.InProgress, IndexState.Failed), "rows", INDEX, timeout=0)


def test_a_pymilvus_that_asks_in_another_way_waits_by_itself() -> None:
    client = Client()
    milvus_wire.build_index(client, "rows", INDEX, timeout=0)
    assert client.made == [False, True]


def test_what_does_not_come_true_is_not_waited_for_longer_than_allowed() -> None:
    assert not milvus_wire._comes_true(lambda: False, within_seconds=0.001)
