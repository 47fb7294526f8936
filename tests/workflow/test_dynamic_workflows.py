"""A workflow that runs every type nobody else does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.common import RawValue
from actorflow.exceptions import ApplicationError
from actorflow.worker import Replayer, Worker
from tests.support import a_client, a_place, a_worker, execute, failure_of, start


@workflow.defn(dynamic=True)
class Anything:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any:
        kind = workflow.info().workflow_type
        if kind == "waits":
            await workflow.wait_condition(lambda: self.is_over)
        if kind == "breaks":
            raise LookupError("as configured")
        convert = workflow.payload_converter()
        return [kind, *[convert.from_payload(value.payload, int) for value in args]]

    @workflow.signal
    def end(self) -> None:
        self.is_over = True

    @workflow.dynamic_config
    def config(self) -> workflow.DynamicWorkflowConfig:
        kind = workflow.info().workflow_type
        return workflow.DynamicWorkflowConfig(failure_exception_types=[LookupError] if kind == "breaks" else None)


@workflow.defn
class Known:
    @workflow.run
    async def run(self) -> str:
        return "known"


async def test_a_dynamic_workflow_runs_every_type_nobody_else_does_with_raw_values() -> None:
    async with a_place(Anything, Known) as client:
        assert await execute(client, "whatever", 1, 2, id="a") == ["whatever", 1, 2]
        assert await execute(client, Known.run, id="b") == "known"


async def test_its_config_says_what_fails_a_type() -> None:
    async with a_place(Anything) as client:
        cause = await failure_of(await start(client, "breaks"))
        assert isinstance(cause, ApplicationError)
        assert cause.type == "LookupError"


async def test_a_dynamic_workflow_goes_on_in_another_process_life(tmp_path: Path) -> None:
    async with a_place(Anything, path=tmp_path / "j.db") as client:
        await start(client, "waits")
    async with a_client(tmp_path / "j.db") as client:
        handle = client.get_workflow_handle("w")
        await handle.signal(Anything.end)
        async with a_worker(client, workflows=[Anything]):
            assert await handle.result() == ["waits"]
            history = await handle.fetch_history()
    await Replayer(workflows=[Anything]).replay_workflow(history)


async def test_a_dynamic_workflow_can_not_be_named_by_its_method() -> None:
    async with a_client() as client:
        with pytest.raises(TypeError, match="Anything is dynamic; start it by a type"):
            await start(client, Anything.run)


async def test_one_worker_has_one_dynamic_workflow() -> None:
    @workflow.defn(dynamic=True)
    class Another:
        @workflow.run
        async def run(self, args: Sequence[RawValue]) -> None: ...

    async with a_client() as client:
        with pytest.raises(TypeError, match="More than one dynamic workflow"):
            Worker(client, task_queue="q", workflows=[Anything, Another])


def test_only_a_dynamic_workflow_has_a_dynamic_config() -> None:
    with pytest.raises(ValueError, match=r"must be @workflow.defn\(dynamic=True\)"):

        @workflow.defn
        class Plain:
            @workflow.dynamic_config
            def config(self) -> workflow.DynamicWorkflowConfig:
                return workflow.DynamicWorkflowConfig()

            @workflow.run
            async def run(self) -> None: ...


def test_a_dynamic_config_must_answer_at_once() -> None:
    async def config(self: object) -> workflow.DynamicWorkflowConfig:
        return workflow.DynamicWorkflowConfig()

    with pytest.raises(TypeError, match="must answer at once"):
        workflow.dynamic_config(config)
