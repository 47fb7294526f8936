"""Activities that wait for their codec: what holds meanwhile (deadlines, slots), and what has not begun."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowHandle
from actorflow.common import RetryPolicy
from actorflow.exceptions import ActivityError, CancelledError, TimeoutError, TimeoutType
from tests.engine.hidden import SECRET, Hidden, hiding
from tests.examples.clocks import MovableClock
from tests.support import a_client, a_worker, failure_of, start

HOUR = timedelta(hours=1)
ONCE = RetryPolicy(maximum_attempts=1)
OF_THE_INPUT = ("decode", 2)  # the first is that of the turn
OF_THE_RESULT = ("encode", 3)  # the first two are the client's and the turn's

runs: list[tuple[str, int]] = []


@pytest.fixture(autouse=True)
def nothing_has_run() -> None:
    runs.clear()


class Stuck(Hidden):
    """Keeps one call waiting until it is let go: the so-many-th of its kind."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__()
        self.call = (what, number)
        self.go_on = asyncio.Event()

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        if (what, self.asked.count(what)) == self.call:
            self.was_asked.set()
            await self.go_on.wait()


@activity.defn
async def once(text: str) -> str:
    runs.append((text, activity.info().attempt))
    return text


class Asked:
    @workflow.query
    def is_there(self) -> bool:
        return True


@workflow.defn
class Ordinary(Asked):
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(
            once,
            text,
            start_to_close_timeout=HOUR,
            schedule_to_close_timeout=2 * HOUR,
            retry_policy=ONCE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


@workflow.defn
class Local(Asked):
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_local_activity(
            once,
            text,
            start_to_close_timeout=HOUR,
            schedule_to_close_timeout=2 * HOUR,
            retry_policy=ONCE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


BOTH = pytest.mark.parametrize("kind", [Ordinary, Local])


def a_place(client: Client, **options: Any) -> Any:
    return a_worker(client, workflows=[Ordinary, Local], activities=[once], **options)


async def cause_of(handle: WorkflowHandle[Any, Any]) -> BaseException | None:
    """Of the failed activity that a workflow has failed with."""
    failure = await failure_of(handle)
    assert isinstance(failure, ActivityError)
    return failure.__cause__


@BOTH
@pytest.mark.parametrize(("call", "begun"), [(OF_THE_INPUT, []), (OF_THE_RESULT, [(SECRET, 1)])])
async def test_an_activity_runs_out_of_time_while_its_codec_works_and_gives_its_slot_back(
    kind: Any, call: tuple[str, int], begun: list[tuple[str, int]]
) -> None:
    codec, clock = Stuck(*call), MovableClock()
    one = {"max_concurrent_activities": 1, "max_concurrent_local_activities": 1}
    async with (
        asyncio.timeout(10),
        a_client(data_converter=hiding(codec), clock=clock) as client,
        a_place(client, **one),
    ):
        handle = await start(client, kind.run, SECRET)
        await codec.was_asked.wait()
        clock.skip(2 * HOUR)
        cause = await cause_of(handle)
        assert isinstance(cause, TimeoutError)
        assert cause.type is TimeoutType.SCHEDULE_TO_CLOSE
        assert runs == begun
        assert await (await start(client, kind.run, "next", id="next")).result() == "next"


@BOTH
async def test_an_outcome_that_waits_for_its_codec_holds_its_slot(kind: Any) -> None:
    codec = Stuck(*OF_THE_RESULT)
    one = {"max_concurrent_activities": 1, "max_concurrent_local_activities": 1}
    async with asyncio.timeout(10), a_client(data_converter=hiding(codec)) as client, a_place(client, **one):
        first = await start(client, kind.run, SECRET)
        await codec.was_asked.wait()
        second = await start(client, kind.run, "next", id="next")
        assert await second.query(kind.is_there)
        assert await second.query(kind.is_there)
        assert runs == [(SECRET, 1)]
        codec.go_on.set()
        assert [await first.result(), await second.result()] == [SECRET, "next"]


@BOTH
async def test_an_activity_whose_worker_left_before_it_had_its_input_has_not_begun(kind: Any, tmp_path: Path) -> None:
    codec = Stuck(*OF_THE_INPUT)
    async with asyncio.timeout(10), a_client(tmp_path / "journal.db", data_converter=hiding(codec)) as client:
        async with a_place(client):
            await start(client, kind.run, SECRET)
            await codec.was_asked.wait()
        assert runs == []
    async with (
        asyncio.timeout(10),
        a_client(tmp_path / "journal.db", data_converter=hiding(Hidden())) as client,
        a_place(client),
    ):
        assert await client.get_workflow_handle("w").result() == SECRET
    assert runs == [(SECRET, 1)]


@BOTH
async def test_the_next_worker_begins_what_its_predecessor_had_not_begun(kind: Any) -> None:
    codec = Stuck(*OF_THE_INPUT)
    async with asyncio.timeout(10), a_client(data_converter=hiding(codec)) as client:
        async with a_place(client):
            handle = await start(client, kind.run, SECRET)
            await codec.was_asked.wait()
        async with a_place(client):
            assert await handle.result() == SECRET
    assert runs == [(SECRET, 1)]


@BOTH
async def test_an_activity_that_waits_for_its_input_is_cancelled_without_it(kind: Any) -> None:
    codec = Stuck(*OF_THE_INPUT)
    async with asyncio.timeout(10), a_client(data_converter=hiding(codec)) as client, a_place(client):
        handle = await start(client, kind.run, SECRET)
        await codec.was_asked.wait()
        await handle.cancel()
        assert isinstance(await failure_of(handle), CancelledError)
    assert runs == []
