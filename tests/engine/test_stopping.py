"""An engine that stops answers everybody who still waits."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actorflow import workflow
from actorflow.client import Client
from actorflow.common import WorkflowIDConflictPolicy
from actorflow.exceptions import EngineStoppedError
from tests.support import a_client, a_worker


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    def say(self, word: str) -> None:
        if word == "raise":
            raise KeyError(word)
        self.heard.append(word)

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "stop" in self.heard)
        return self.heard


async def test_calls_that_look_for_their_run_while_the_client_closes_are_answered(tmp_path: Path) -> None:
    async with a_client(tmp_path / "j.db") as first:
        for number in range(4):
            await first.start_workflow(Waits.run, id=f"w{number}", task_queue="q")
    client = await Client.connect(f"sqlite:///{tmp_path / 'j.db'}")
    handles = [client.get_workflow_handle(f"w{number}") for number in range(4)]
    async with asyncio.timeout(10):
        *answers, _ = await asyncio.gather(
            handles[0].signal("say", "a"),
            handles[1].cancel(),
            handles[2].terminate(),
            handles[3].result(),
            client.close(),
            return_exceptions=True,
        )
    assert all(answer is None or isinstance(answer, EngineStoppedError) for answer in answers)


async def test_a_run_is_replaced_also_while_its_failed_turn_is_being_written(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(10),
        a_client(tmp_path / "j.db") as client,
        a_worker(client, workflows=[Waits]),
    ):
        old = await client.start_workflow(Waits.run, id="w", task_queue="q")
        _, new = await asyncio.gather(
            old.signal(Waits.say, "raise"),
            client.start_workflow(
                Waits.run,
                id="w",
                task_queue="q",
                id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            ),
            return_exceptions=True,
        )
        assert not isinstance(new, BaseException)
        await new.signal(Waits.say, "stop")
        assert await new.result() == ["stop"]
