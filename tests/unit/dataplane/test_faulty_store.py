import pytest

from dataplane.errors import ObjectMissing, StoreFull, StoreUnreachable
from dataplane.stores.faulty import Crash, FaultyStore, flip_bit, swap, truncate
from dataplane.stores.memory import MemoryStore


def test_it_fails_at_the_call_it_was_told_to_and_passes_on_the_others() -> None:
    inner = MemoryStore()
    store = FaultyStore(inner, lambda verb, key, number: (verb, number) == ("write", 2), lambda: StoreFull("full"))
    store.write("a", b"1")
    with pytest.raises(StoreFull):
        store.write("b", b"2")
    store.write("c", b"3")
    assert [info.key for info in inner.list("")] == ["a", "c"]
    assert store.calls == [("write", "a"), ("write", "b"), ("write", "c")]


def test_a_call_can_fail_after_it_has_done_its_work() -> None:
    inner = MemoryStore()
    with pytest.raises(StoreUnreachable):
        FaultyStore(inner, lambda *_: True, acts_first=True).write("a", b"1")
    assert inner.read_bytes("a") == b"1"


def test_a_torn_write_leaves_half_of_the_object() -> None:
    inner = MemoryStore()
    store = FaultyStore(inner, lambda *_: True, Crash, acts_first=True, writes=lambda key, data: data[: len(data) // 2])
    with pytest.raises(Crash):
        store.write("a", iter([b"ab", b"cd"]))
    assert inner.read_bytes("a") == b"ab"


def test_it_lies_on_both_ways_of_reading() -> None:
    inner = MemoryStore()
    inner.write("a", b"truth")
    store = FaultyStore(inner, reads=lambda key, data: key.encode() + data[::-1])
    assert store.read_bytes("a") == b"".join(store.read("a")) == b"ahturt"
    with pytest.raises(ObjectMissing):
        store.read_bytes("b")


def test_stored_objects_can_be_damaged_in_place() -> None:
    store = MemoryStore()
    store.write("a", b"\x00\x00")
    store.write("b", b"other")
    flip_bit(store, "a", 0)
    flip_bit(store, "a", -1)
    assert store.read_bytes("a") == b"\x01\x80"
    swap(store, "a", "b")
    truncate(store, "a", 2)
    truncate(store, "b", -1)
    assert (store.read_bytes("a"), store.read_bytes("b")) == (b"ot", b"\x01")
