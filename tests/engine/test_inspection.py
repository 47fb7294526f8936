"""What is told of an execution by what is recorded of it, where nobody takes care of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actorflow.client import Client, WorkflowExecutionStatus
from actorflow.exceptions import StorageOwnedError
from tests.client.test_read_only import OWNER, killed_after
from tests.crashes.processes import expect, running
from tests.support import a_client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


async def test_an_engine_without_a_worker_tells_what_is_recorded_of_activities(path: Path) -> None:
    killed_after(path, "struggle order")
    async with a_client(path) as client:
        flaky, slow = (await client.get_workflow_handle("order").describe()).pending_activities
    assert (flaky.attempt, flaky.state) == (2, "backing_off")
    assert "no truck" in str(flaky.last_failure)
    assert (slow.attempt, slow.state) == (1, "started")


async def test_whoever_looks_while_an_engine_here_is_refused_the_file_looks_from_outside(path: Path) -> None:
    with running(*OWNER, path) as owner:
        expect(owner, "ready")
        refused, looking = await asyncio.gather(
            Client.connect(f"sqlite:///{path}"),
            Client.connect(f"sqlite:///{path}", read_only=True),
            return_exceptions=True,
        )
        assert isinstance(refused, StorageOwnedError)
        assert isinstance(looking, Client)
        await looking.close()
        owner.kill()


async def test_an_engine_lives_until_the_last_who_looks_through_it_has_left(path: Path) -> None:
    owner = await Client.connect(f"sqlite:///{path}")
    looking = await Client.connect(f"sqlite:///{path}", read_only=True)
    await owner.start_workflow("Approval", "order", id="order", task_queue="q")
    await owner.close()
    async with a_client(path) as again:
        assert again.engine is owner.engine
        await looking.close()
        about = await again.get_workflow_handle("order").describe()
        assert about.status == WorkflowExecutionStatus.RUNNING
