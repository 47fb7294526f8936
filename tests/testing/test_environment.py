"""The environment of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.exceptions import EngineStoppedError
from actorflow.testing import WorkflowEnvironment
from tests.support import a_worker, execute


@workflow.defn
class Greets:
    @workflow.run
    async def run(self, name: str) -> str:
        return f"hello {name}"


async def test_a_local_environment_is_closed_with_its_block() -> None:
    async with await WorkflowEnvironment.start_local(namespace="mine") as environment:
        assert environment.client.namespace == "mine"
        assert not environment.supports_time_skipping
        async with a_worker(environment.client, workflows=[Greets]):
            assert await execute(environment.client, Greets.run, "you") == "hello you"
    with pytest.raises(EngineStoppedError):
        await environment.client.get_workflow_handle("w").describe()


async def test_a_local_environment_may_keep_its_journal_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "j%20.db"
    for number in range(2):
        environment = await WorkflowEnvironment.start_local(db_filename=str(path))
        if number == 0:
            async with a_worker(environment.client, workflows=[Greets]):
                await execute(environment.client, Greets.run, "you")
        assert await environment.client.get_workflow_handle("w").result() == "hello you"
        await environment.shutdown()
    assert path.exists()


async def test_private_environments_share_nothing() -> None:
    async with (
        await WorkflowEnvironment.start_local() as one,
        await WorkflowEnvironment.start_local() as two,
        a_worker(one.client, workflows=[Greets]),
        a_worker(two.client, workflows=[Greets]),
    ):
        assert await execute(one.client, Greets.run, "one") == "hello one"
        assert await execute(two.client, Greets.run, "two") == "hello two"


@pytest.mark.parametrize("starter", [WorkflowEnvironment.start_time_skipping, WorkflowEnvironment.start_local])
async def test_options_about_a_server_are_accepted_and_misspelt_ones_are_not(starter: Any) -> None:
    async with await starter(port=7233, download_dest_dir="/nowhere") as environment:
        assert environment.client.namespace == "default"
    with pytest.raises(TypeError, match=r"'data_convertor' is not an option .* did you mean 'data_converter'"):
        await starter(data_convertor=None)
