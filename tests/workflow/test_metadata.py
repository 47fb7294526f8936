"""What a workflow tells about itself: its handlers, and what it says it is doing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import WorkflowQueryFailedError
from actorflow.common import RawValue
from tests.core.given import Run
from tests.support import a_place, start

METADATA = "__temporal_workflow_metadata"


@workflow.defn(name="delivery")
class Delivers:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.run
    async def run(self) -> str:
        workflow.set_current_details("**packing**")
        workflow.set_query_handler("later", lambda: 1)
        await workflow.wait_condition(lambda: self.is_over)
        return workflow.get_current_details()

    @workflow.signal(description="It has arrived.")
    def arrive(self) -> None:
        workflow.set_current_details("arrived")
        self.is_over = True

    @workflow.signal
    def again(self) -> None: ...

    @workflow.query(name="place", description="Where it is.")
    def where(self) -> str:
        return "here"

    @workflow.query
    def says(self) -> None:
        workflow.set_current_details("from a query")

    @workflow.update(description="Send it elsewhere.")
    def redirect(self, to: str) -> None: ...

    @workflow.update(dynamic=True, description="Anything else.")
    def other(self, name: str, args: Sequence[RawValue]) -> None: ...


async def test_every_workflow_tells_its_handlers_with_their_descriptions() -> None:
    async with a_place(Delivers) as client:
        handle = await start(client, Delivers.run)
        told = await handle.query(METADATA)
        assert told["definition"]["type"] == "delivery"
        assert told["definition"]["signalDefinitions"] == [
            {"name": "again"},
            {"name": "arrive", "description": "It has arrived."},
        ]
        assert told["definition"]["updateDefinitions"] == [
            {"description": "Anything else."},
            {"name": "redirect", "description": "Send it elsewhere."},
        ]
        queries = {query["name"]: query.get("description", "") for query in told["definition"]["queryDefinitions"]}
        assert sorted(queries) == ["__stack_trace", METADATA, "later", "place", "says"]
        assert queries["place"] == "Where it is."


async def test_the_current_details_are_told_and_survive_a_rebuild() -> None:
    async with a_place(Delivers, max_cached_workflows=0) as client:
        handle = await start(client, Delivers.run)
        assert (await handle.query(METADATA))["currentDetails"] == "**packing**"
        await handle.signal(Delivers.arrive)
        assert await handle.result() == "arrived"
        assert (await handle.query(METADATA))["currentDetails"] == "arrived"


async def test_details_can_not_be_set_in_a_query() -> None:
    async with a_place(Delivers) as client:
        handle = await start(client, Delivers.run)
        with pytest.raises(WorkflowQueryFailedError, match="can't set the current details in a query"):
            await handle.query(Delivers.says)
        assert (await handle.query(METADATA))["currentDetails"] == "**packing**"


@workflow.defn
class Looks:
    @workflow.signal
    def named(self) -> None: ...

    @workflow.query(dynamic=True)
    def ask(self, name: str, args: Sequence[RawValue]) -> str:
        return name

    @workflow.run
    async def run(self) -> list[bool]:
        def change() -> None: ...

        workflow.set_update_handler("change", change)
        ask: Callable[..., Any] | None = workflow.get_dynamic_query_handler()
        assert ask is not None
        return [
            workflow.get_signal_handler("named") == self.named,
            workflow.get_signal_handler("unknown") is None,
            workflow.get_dynamic_signal_handler() is None,
            ask("x", []) == "x",
            workflow.get_query_handler("x") is None,
            workflow.get_update_handler("change") is change,
            workflow.get_dynamic_update_handler() is None,
        ]


def test_a_program_can_look_up_its_handlers() -> None:
    run = Run(Looks)
    run.start()
    assert run.result == [True] * 7


@workflow.defn
class Judges:
    @workflow.run
    async def run(self) -> list[bool]:
        problems = (KeyError("x"), TimeoutError(), ValueError())
        return [workflow.is_failure_exception(problem) for problem in problems]


def test_a_program_can_ask_what_would_fail_it() -> None:
    run = Run(Judges, failure_types=(KeyError,))
    run.start()
    assert run.result == [True, True, False]


@workflow.defn
class Draws:
    @workflow.run
    async def run(self) -> list[Any]:
        own, other = workflow.new_random("own"), workflow.new_random("other")
        workflow.register_random_seed_callback(lambda seed: None)
        same = workflow.new_random().random() == workflow.random().random()
        await workflow.sleep(1)
        return [workflow.random_seed(), own.random(), other.random(), same]


def test_named_sources_of_chance_are_their_own_and_the_same_on_replay() -> None:
    results: list[Any] = []
    for rebuilds in (False, True):
        run = Run(Draws, rebuilds=rebuilds)
        run.start()
        results.append(run.finish().result)
    assert results[0] == results[1]
    _, own, other, same = results[0]
    assert own != other
    assert same
