"""A journal that fails for good, for a while, or in one row: whoever calls is told, and nobody hangs."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import Client, WorkflowExecutionStatus, WorkflowParkedError
from actorflow.exceptions import EngineStoppedError, StorageBusyError, StorageFullError
from tests.crashes.gated import GatedStore
from tests.engine.stores import FullStore, a_client_on
from tests.support import a_client, a_worker, execute, start


@workflow.defn
class Collects:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    def say(self, what: str) -> None:
        self.heard.append(what)

    @workflow.query
    def so_far(self) -> list[str]:
        return self.heard

    @workflow.run
    async def run(self, *first: str) -> list[str]:
        self.heard.extend(first)
        await asyncio.wait_for(workflow.wait_condition(lambda: "stop" in self.heard), 3600)
        return self.heard


async def test_after_a_fatal_error_callers_are_told_and_the_blocks_of_worker_and_client_are_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.db"
    async with asyncio.timeout(5):
        async with a_client(path) as client, a_worker(client, workflows=[Collects]):
            handle = await start(client, Collects.run)
            waiting = asyncio.ensure_future(handle.result())
            assert await execute(client, Collects.run, "stop", id="another") == ["stop"]
            Path(f"{path}-wal").unlink()
            with pytest.raises(EngineStoppedError, match="the engine has stopped"):
                await start(client, Collects.run, id="refused")
            for call in (handle.describe, handle.result, lambda: handle.signal(Collects.say, "stop")):
                with pytest.raises(EngineStoppedError, match="the engine has stopped"):
                    await call()
        with pytest.raises(EngineStoppedError, match="the engine has stopped"):
            await waiting


UNKNOWN = r"kept .* outcome is unknown .* request_id"


@contextmanager
def a_lock_on(path: Path) -> Iterator[None]:
    """Somebody else has begun to write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def a_full_disk(store: FullStore) -> Iterator[None]:
    """There is no space."""
    store.is_full = True
    yield
    store.is_full = False


@pytest.mark.usefixtures("quick_writes")
@pytest.mark.parametrize("trouble", ["locked", "full"])
async def test_a_call_refused_while_nothing_can_be_written_is_kept_and_takes_effect_once_when_repeated(
    tmp_path: Path, trouble: str
) -> None:
    path = tmp_path / "j.db"
    store: Any = GatedStore(path) if trouble == "locked" else FullStore(path)
    async with (
        asyncio.timeout(10),
        a_client_on(store) as client,
        a_worker(client, workflows=[Collects]),
    ):
        handle = await start(client, Collects.run)
        stall = a_lock_on(path) if trouble == "locked" else a_full_disk(store)
        with stall, pytest.raises((StorageBusyError, StorageFullError), match=UNKNOWN):
            await handle.signal(Collects.say, "hello", request_id="1")
        await client.engine.site.journal.settled()
        assert await handle.query(Collects.so_far) == ["hello"]
        await handle.signal(Collects.say, "hello", request_id="1")
        await handle.signal(Collects.say, "stop")
        assert await handle.result() == ["hello", "stop"]


@pytest.mark.usefixtures("quick_writes")
async def test_a_run_can_be_described_while_nothing_can_be_written(tmp_path: Path) -> None:
    store = FullStore(tmp_path / "j.db")
    async with asyncio.timeout(10), a_client_on(store) as client, a_worker(client, workflows=[Collects]):
        handle = await start(client, Collects.run)
        with a_full_disk(store):
            with pytest.raises(StorageFullError):
                await handle.signal(Collects.say, "hello")
            assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING


def damage(path: Path) -> None:
    """One row of a journal is not what was written."""
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("update turn set events = replace(events, 'TimerStarted', 'TimerStartex')")


@asynccontextmanager
async def a_place_with_a_damaged_run(path: Path) -> AsyncIterator[Client]:
    """A client and a worker that did not write the journal themselves."""
    async with a_client(path) as client, a_worker(client, workflows=[Collects]):
        await start(client, Collects.run)
    damage(path)
    async with a_client(path) as client, a_worker(client, workflows=[Collects]):
        yield client


async def test_the_description_of_a_run_with_a_damaged_row_says_why_it_is_parked(tmp_path: Path) -> None:
    async with asyncio.timeout(10), a_place_with_a_damaged_run(tmp_path / "j.db") as client:
        about = await client.get_workflow_handle("w").describe()
        assert about.status is WorkflowExecutionStatus.RUNNING
        assert "does not match its checksum" in str(about.parked)
        assert "CorruptJournalError" in str(about.last_failure)


async def test_a_run_with_a_damaged_row_tells_who_waits_and_can_be_terminated_and_its_id_used_again(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(5), a_place_with_a_damaged_run(tmp_path / "j.db") as client:
        handle = client.get_workflow_handle("w")
        await handle.signal(Collects.say, "stop")
        with pytest.raises(WorkflowParkedError, match="does not match its checksum"):
            await handle.result()
        await handle.terminate(reason="damaged")
        assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED
        assert await execute(client, Collects.run, "stop") == ["stop"]
