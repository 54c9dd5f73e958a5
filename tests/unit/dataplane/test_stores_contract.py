"""What every store promises, tried on each that needs no network. Buckets run the same tests in tests/integration."""

from pathlib import Path

import pytest

from dataplane.stores.base import ObjectStore
from dataplane.stores.faulty import FaultyStore
from dataplane.stores.local import LocalStore
from dataplane.stores.memory import MemoryStore
from tests.unit.dataplane.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return LocalStore(tmp_path)


class TestFaultyStore(StoreContract):
    """Told nothing, it is as good as the store it wraps."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        return FaultyStore(MemoryStore())
