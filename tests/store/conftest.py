"""Stores for the stories: both kinds where they must agree, a real file where it is about files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from actorflow.store.memory import MemoryStore
from actorflow.store.protocol import Store
from actorflow.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


@pytest.fixture
async def sqlite(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, busy_timeout=timedelta(milliseconds=50))
    await store.open()
    yield store
    await store.close()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(path)
    await made.open()
    yield made
    await made.close()
