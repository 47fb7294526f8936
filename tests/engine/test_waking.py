"""Who is woken, how often, and what is in memory then."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from actorflow import activity, workflow
from actorflow.common import RetryPolicy
from actorflow.core import limits
from tests.engine.stores import CountingStore, LaterClock, a_client_on
from tests.support import a_client, a_worker, events_of, start

HOUR = 3600.0


def sleeper(*, is_broken: bool) -> type:
    """A workflow that sleeps, in the version that fails on some when they wake, or in the one that does not."""

    @workflow.defn(name="Sleeps")
    class Sleeps:
        @workflow.run
        async def run(self, seconds: float, will_fail: bool = False) -> str:
            await workflow.sleep(seconds)
            if will_fail and is_broken:
                raise ValueError("broken")
            return "awake"

    return Sleeps


async def test_healthy_sleepers_behind_pages_of_failing_ones_are_all_woken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECOVERY_PAGE", 5)
    async with asyncio.timeout(10):
        async with a_client(tmp_path / "j.db") as client, a_worker(client, workflows=[sleeper(is_broken=False)]):
            for number in range(12):
                await start(client, "Sleeps", HOUR, True, id=f"failing-{number}")
            for number in range(12):
                await start(client, "Sleeps", HOUR, id=f"healthy-{number}")
        async with (
            a_client(tmp_path / "j.db", clock=LaterClock()) as client,
            a_worker(client, workflows=[sleeper(is_broken=True)]),
        ):
            healthy = [client.get_workflow_handle(f"healthy-{number}") for number in range(12)]
            assert await asyncio.gather(*[handle.result() for handle in healthy]) == ["awake"] * 12
            assert (await client.get_workflow_handle("failing-0").describe()).turn_failures == 1


async def test_a_due_timer_that_no_worker_can_fire_does_not_load_its_run_again_and_again() -> None:
    store = CountingStore()
    async with asyncio.timeout(10), a_client_on(store) as client:
        async with a_worker(client, workflows=[sleeper(is_broken=False)]):
            handle = await start(client, "Sleeps", 0.05)
        before = store.loads
        overdue = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.1, overdue.set_result, None)
        await overdue
        assert store.loads - before <= 1
        async with a_worker(client, workflows=[sleeper(is_broken=False)]):
            assert await handle.result() == "awake"


@workflow.defn
class WaitsAnHour:
    def __init__(self) -> None:
        self.is_called = False

    @workflow.signal
    def call(self) -> None:
        self.is_called = True

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.is_called, timeout=HOUR)
        await workflow.sleep(0.001)
        return "called"


async def test_a_timer_that_fires_in_the_turn_in_which_its_wait_is_over_is_not_cancelled_too(tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        async with a_client(tmp_path / "j.db") as client, a_worker(client, workflows=[WaitsAnHour]):
            await start(client, WaitsAnHour.run)
        async with a_client(tmp_path / "j.db", clock=LaterClock()) as client:
            handle = client.get_workflow_handle("w")
            await handle.signal(WaitsAnHour.call)
            async with a_worker(client, workflows=[WaitsAnHour]):
                assert await handle.result() == "called"
            events = await events_of(handle)
            first_turn = events.index("SignalReceived")
            assert events[first_turn : first_turn + 3] == ["SignalReceived", "TimerFired", "TimerStarted"]
            assert "TimerCancelled" not in events


@workflow.defn
class Counted:
    built: ClassVar[int] = 0

    def __init__(self) -> None:
        type(self).built += 1
        self.heard = 0

    @workflow.signal
    def say(self) -> None:
        self.heard += 1

    @workflow.query
    def so_far(self) -> int:
        return self.heard

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.heard == 2)
        return self.heard


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counted]:
    """The workflow that counts how often it is built, from nothing."""
    monkeypatch.setattr(Counted, "built", 0)
    return Counted


async def test_without_a_cache_the_program_is_built_again_for_each_turn_that_follows_another_at_once(
    counted: type[Counted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TURN_MESSAGES_MAX", 1)
    async with asyncio.timeout(10), a_client() as client:
        handle = await start(client, Counted.run)
        await handle.signal(Counted.say)
        await handle.signal(Counted.say)
        async with a_worker(client, workflows=[Counted], max_cached_workflows=0):
            assert await handle.result() == 2
    assert counted.built == 3


async def test_without_a_cache_the_program_is_built_again_after_each_query(counted: type[Counted]) -> None:
    built: list[int] = []
    async with (
        asyncio.timeout(10),
        a_client() as client,
        a_worker(client, workflows=[Counted], max_cached_workflows=0),
    ):
        handle = await start(client, Counted.run)
        for _ in range(3):
            assert await handle.query(Counted.so_far) == 0
            built.append(counted.built)
    assert built == [2, 3, 4]


async def test_runs_that_have_left_memory_are_in_nobodys_residency(tmp_path: Path) -> None:
    started: asyncio.Queue[None] = asyncio.Queue()

    @activity.defn
    async def never_ends() -> None:
        started.put_nowait(None)
        await asyncio.get_running_loop().create_future()

    @workflow.defn
    class Waits:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(
                never_ends,
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
            )

    served: dict[str, Any] = {"workflows": [Waits], "activities": [never_ends]}
    async with asyncio.timeout(10):
        async with a_client(tmp_path / "j.db") as client, a_worker(client, **served):
            for number in range(5):
                await start(client, Waits.run, id=f"w{number}")
                await started.get()
        async with a_client(tmp_path / "j.db") as client, a_worker(client, **served):
            for _ in range(5):
                await started.get()
            for number in range(5):
                await client.get_workflow_handle(f"w{number}").terminate()
            (host,) = client.engine.site.registry.hosts
            assert (len(client.engine.population), len(host.residency)) == (0, 0)
