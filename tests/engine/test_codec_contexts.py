"""A codec that binds payloads to their workflow, while runs talk to each other and follow each other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from actorflow import activity, workflow
from actorflow.converter import (
    DataConverter,
)
from actorflow.worker import Replayer
from tests.engine.hidden import Bound
from tests.support import a_client, a_worker, start

SOON = timedelta(seconds=5)


@activity.defn
async def shout(text: str) -> str:
    return text.upper()


@workflow.defn
class Child:
    def __init__(self) -> None:
        self.heard = ""

    @workflow.run
    async def run(self, text: str) -> str:
        shouted = await workflow.execute_activity(shout, text, start_to_close_timeout=SOON)
        await workflow.wait_condition(lambda: bool(self.heard))
        return f"{shouted} {self.heard}"

    @workflow.signal
    def hear(self, text: str) -> None:
        self.heard = text


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, text: str, round: int) -> str:
        child = await workflow.start_child_workflow(Child.run, text, id=f"child-{round}")
        await child.signal(Child.hear, f"round {round}")
        said = await child
        if round == 1:
            workflow.continue_as_new(args=[said, 2])
        return said


BOUND = DataConverter(payload_codec=Bound())


async def test_every_payload_is_encoded_and_decoded_as_belonging_to_the_same_workflow(tmp_path: Path) -> None:
    async with (
        a_client(tmp_path / "journal.db", data_converter=BOUND) as client,
        a_worker(client, workflows=[Parent, Child], activities=[shout]),
    ):
        handle = await start(client, Parent.run, "a", 1)
        assert await handle.result() == "A ROUND 1 round 2"
        for workflow_id in ("w", "child-1", "child-2"):
            history = await client.get_workflow_handle(workflow_id).fetch_history()
            await Replayer(workflows=[Parent, Child], namespace="default", data_converter=BOUND).replay_workflow(
                history
            )
