"""Clients made from clients, as ported programs make them, and when the journal closes then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import Client
from actorflow.converter import DataConverter
from actorflow.exceptions import EngineStoppedError
from actorflow.testing import WorkflowEnvironment
from tests.support import a_client, a_worker


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return f"hello {name}"


def starting(client: Client, id: str = "w") -> Any:
    return client.start_workflow(Greeting.run, "you", id=id, task_queue="q")


async def test_a_clone_is_like_its_original_but_for_what_was_changed(tmp_path: Path) -> None:
    async with a_client(tmp_path / "j.db", namespace="mine", identity="me", task_queue="theirs") as client:
        clone = Client(**client.config())
        assert clone.config() == client.config()
        config = client.config()
        config["namespace"] = "yours"
        config["identity"] = "you"
        config["data_converter"] = DataConverter()
        other = Client(**config)
        assert (other.namespace, other.identity) == ("yours", "you")
        assert other.data_converter is config["data_converter"] is not client.data_converter
        assert other.engine is clone.engine is client.engine
        await starting(client)
        await starting(other)  # of the same id: namespaces are kept apart
        assert [found.namespace async for found in other.list_workflows()] == ["yours"]


async def test_a_clone_runs_workers_of_its_own() -> None:
    async with a_client() as client:
        config = client.config()
        config["namespace"] = "yours"
        clone = Client(**config)
        async with a_worker(clone, workflows=[Greeting]):
            assert await (await starting(clone)).result() == "hello you"


async def test_closing_a_clone_leaves_the_journal_open() -> None:
    async with a_client() as client:
        async with Client(**client.config()) as clone:
            await starting(clone)
        await clone.close()
        await starting(client, "another")


async def test_a_clone_goes_on_when_its_original_is_closed() -> None:
    async with a_client() as client:
        clone = Client(**client.config())
    await starting(clone)
    await clone.close()
    with pytest.raises(EngineStoppedError):
        await starting(clone, "another")


async def test_a_client_that_took_the_place_of_another_closes_the_journal() -> None:
    client = await Client.connect("memory://")
    client = Client(**client.config())
    engine = client.engine
    async with client:
        await starting(client)
    assert engine.is_stopped


async def test_a_clone_that_was_dropped_does_not_hold_the_journal() -> None:
    async with a_client() as client:
        await starting(Client(**client.config()))
        engine = client.engine
    assert engine.is_stopped


async def test_a_clone_of_an_environments_client_does_not_close_the_environment() -> None:
    async with await WorkflowEnvironment.start_local() as environment:
        async with Client(**environment.client.config()) as clone:
            await starting(clone)
        await starting(environment.client, "another")
        engine = environment.client.engine
    assert engine.is_stopped
