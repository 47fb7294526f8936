"""Executions that signal and cancel others, by their ids."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.core import limits
from actorflow.exceptions import ApplicationError, CancelledError
from actorflow.store.sqlite.verify import verify
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start


@workflow.defn
class Hears:
    """Keeps what it hears until it has heard enough."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.run
    async def run(self, enough: int = 1) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.heard) >= enough)
        return self.heard

    @workflow.signal
    def hear(self, what: Any) -> None:
        self.heard.append(what)

    @workflow.query
    def so_far(self) -> list[Any]:
        return self.heard


@workflow.defn
class HearsInTwoRuns:
    """Continues as new with each thing it hears, and keeps them all."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.run
    async def run(self, before: list[Any], enough: int) -> list[Any]:
        await workflow.wait_condition(lambda: bool(self.heard))
        so_far = [*before, *self.heard]
        if len(so_far) >= enough:
            return so_far
        return workflow.continue_as_new(args=[so_far, enough])

    @workflow.signal
    def hear(self, what: Any) -> None:
        self.heard.append(what)


@workflow.defn
class Says:
    @workflow.run
    async def run(self, to: str, what: list[Any], run_id: str | None = None) -> str:
        other = workflow.get_external_workflow_handle_for(Hears.run, to, run_id=run_id)
        try:
            for one in what:
                await other.signal(Hears.hear, one)
        except ApplicationError as refusal:
            return f"{refusal.type}: {refusal.message}"
        return "said"


@workflow.defn
class Stops:
    @workflow.run
    async def run(self, whom: str) -> str:
        try:
            await workflow.get_external_workflow_handle(whom).cancel(reason="by another")
        except ApplicationError as refusal:
            return str(refusal.type)
        return "asked"


@workflow.defn
class SaysToItself:
    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.run
    async def run(self, count: int, goes_on: bool = False) -> list[int]:
        own = workflow.get_external_workflow_handle(workflow.info().workflow_id)
        if workflow.info().continued_run_id is None and goes_on:
            asyncio.create_task(own.signal("hear", 7))  # noqa: RUF006 - it ends with this run
            await asyncio.sleep(0)
            workflow.continue_as_new(args=[1, False])
        if not workflow.info().continued_run_id:
            for number in range(count):
                await own.signal("hear", number)
        await workflow.wait_condition(lambda: len(self.heard) >= count)
        return self.heard

    @workflow.signal
    def hear(self, number: int) -> None:
        self.heard.append(number)


async def test_a_signal_to_another_execution_is_handled_once_and_its_sender_hears_of_it(tmp_path: Path) -> None:
    async with a_place(Hears, Says, path=tmp_path / "j.db") as client:
        hears = await start(client, Hears.run, 3, id="hears")
        says = await start(client, Says.run, "hears", [1, 2, 3])
        assert await says.result() == "said"
        assert await hears.result() == [1, 2, 3]
        events = await events_of(says)
        assert events.count("SignalSent") == events.count("MessageDelivered") == 3
    assert verify(tmp_path / "j.db").is_sound


async def test_a_signal_to_nobody_is_an_application_error_that_says_so() -> None:
    async with a_place(Says) as client:
        told = await execute(client, Says.run, "nobody", [1])
    assert told.startswith("ExternalWorkflowExecutionNotFound: ")
    assert "'nobody'" in told


async def test_a_signal_to_a_closed_execution_is_refused() -> None:
    async with a_place(Hears, Says) as client:
        await execute(client, Hears.run, 0, id="hears")
        assert "ExternalWorkflowExecutionNotFound" in await execute(client, Says.run, "hears", [1])


async def test_a_signal_to_one_run_does_not_reach_another() -> None:
    async with a_place(Hears, Says) as client:
        first = await start(client, Hears.run, 0, id="hears")
        await first.result()
        second = await start(client, Hears.run, 1, id="hears")
        assert "NotFound" in await execute(client, Says.run, "hears", [1], first.result_run_id)
        assert await second.query(Hears.so_far) == []
        assert await execute(client, Says.run, "hears", [2], second.result_run_id, id="again") == "said"
        assert await second.result() == [2]


async def test_a_signal_follows_an_execution_that_continues_as_new(tmp_path: Path) -> None:
    async with a_place(HearsInTwoRuns, Says, path=tmp_path / "j.db") as client:
        hears = await start(client, HearsInTwoRuns.run, [], 6, id="hears")
        tellers = [await start(client, Says.run, "hears", [n, n + 1, n + 2], id=f"says-{n}") for n in (0, 10)]
        assert [await teller.result() for teller in tellers] == ["said", "said"]
        heard = await hears.result()
        assert sorted(heard) == [0, 1, 2, 10, 11, 12]
    assert verify(tmp_path / "j.db").is_sound


async def test_a_signal_reaches_an_execution_that_is_not_in_memory(tmp_path: Path) -> None:
    async with a_place(Hears, path=tmp_path / "j.db") as client:
        await start(client, Hears.run, 1, id="hears")
    async with a_client(tmp_path / "j.db") as client, asyncio.timeout(10):
        async with a_worker(client, workflows=[Says]):
            assert await execute(client, Says.run, "hears", ["hello"]) == "said"
        async with a_worker(client, workflows=[Hears]):
            assert await client.get_workflow_handle("hears").result() == ["hello"]
    assert verify(tmp_path / "j.db").is_sound


async def test_an_execution_may_signal_itself(tmp_path: Path) -> None:
    async with a_place(SaysToItself, path=tmp_path / "j.db") as client:
        assert await execute(client, SaysToItself.run, 3) == [0, 1, 2]
    assert verify(tmp_path / "j.db").is_sound


async def test_a_signal_to_itself_with_its_last_words_reaches_the_run_that_follows(tmp_path: Path) -> None:
    async with a_place(SaysToItself, path=tmp_path / "j.db") as client:
        assert await execute(client, SaysToItself.run, 1, True) == [7]
    assert verify(tmp_path / "j.db").is_sound


async def test_another_execution_can_be_cancelled_with_a_reason() -> None:
    @workflow.defn
    class Explains:
        @workflow.run
        async def run(self) -> str | None:
            try:
                await workflow.wait_condition(lambda: False)
            except asyncio.CancelledError:
                return workflow.cancellation_reason()
            return None

    async with a_place(Explains, Stops) as client:
        explains = await start(client, Explains.run, id="explains")
        assert await execute(client, Stops.run, "explains") == "asked"
        assert await explains.result() == "by another"


async def test_another_execution_that_is_cancelled_ends_as_cancelled() -> None:
    async with a_place(Hears, Stops) as client:
        hears = await start(client, Hears.run, id="hears")
        assert await execute(client, Stops.run, "hears") == "asked"
        assert isinstance(await failure_of(hears), CancelledError)


async def test_nobody_cannot_be_cancelled() -> None:
    async with a_place(Stops) as client:
        assert await execute(client, Stops.run, "nobody") == "ExternalWorkflowExecutionNotFound"


async def test_an_execution_with_too_many_unprocessed_messages_refuses_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAILBOX_MESSAGES_MAX", 2)

    @workflow.defn
    class SaysAtOnce:
        @workflow.run
        async def run(self) -> list[str]:
            other = workflow.get_external_workflow_handle("hears")
            sent = [asyncio.create_task(other.signal("hear", number)) for number in range(4)]
            await asyncio.wait(sent)
            return [str(task.exception() or "heard") for task in sent]

    async with a_place(Hears, SaysAtOnce) as client:
        hears = await start(client, Hears.run, 2, id="hears")
        told = await execute(client, SaysAtOnce.run)
        assert told[:2] == ["heard", "heard"]
        assert all("too many unprocessed messages" in text for text in told[2:])
        assert await hears.result() == [0, 1]


async def test_a_signal_that_was_not_sent_yet_is_taken_back_with_its_wait() -> None:
    @workflow.defn
    class Hesitates:
        @workflow.run
        async def run(self) -> str:
            task = asyncio.create_task(workflow.get_external_workflow_handle("hears").signal("hear", 1))
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return "taken back"
            return "?"

    async with a_place(Hears, Hesitates) as client:
        hesitates = await start(client, Hesitates.run)
        assert await hesitates.result() == "taken back"
        assert "SignalSent" not in await events_of(hesitates)


async def test_a_handle_to_another_execution_says_which_it_is() -> None:
    @workflow.defn
    class Names:
        @workflow.run
        async def run(self) -> list[str | None]:
            handle = workflow.get_external_workflow_handle("other", run_id="r")
            return [handle.id, handle.run_id]

    async with a_place(Names) as client:
        assert await execute(client, Names.run) == ["other", "r"]
