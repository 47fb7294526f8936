"""Handlers and activities for names nobody else knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowUpdateFailedError
from actorflow.common import RawValue
from actorflow.workflow.definition import name_of_handler
from tests.support import a_place, start

SOON = timedelta(seconds=5)


@workflow.defn
class Hears:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: ["bye"] in self.heard)
        return self.heard

    @workflow.signal
    def named(self, text: str) -> None:
        self.heard.append(["named", text])

    @workflow.signal(dynamic=True)
    def anything(self, name: str, args: Sequence[RawValue]) -> None:
        convert = workflow.payload_converter()
        self.heard.append([name, *[convert.from_payload(value.payload, int) for value in args]])

    @workflow.query(dynamic=True)
    def ask(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name} of {len(args)}"

    @workflow.query
    def known(self) -> str:
        return "known"

    @workflow.update(dynamic=True)
    async def change(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name} {workflow.payload_converter().from_payloads([value.payload for value in args])}"

    @change.validator
    def check(self, name: str, args: Sequence[RawValue]) -> None:
        if name == "forbidden":
            raise ValueError("no")


async def test_a_dynamic_signal_handler_gets_the_name_and_raw_values_of_what_nobody_else_handles() -> None:
    async with a_place(Hears) as client:
        handle = await start(client, Hears.run)
        await handle.signal("named", "a")
        await handle.signal("other", args=[1, 2])
        await handle.signal("bye")
        assert await handle.result() == [["named", "a"], ["other", 1, 2], ["bye"]]


async def test_dynamic_queries_and_updates_answer_for_every_other_name() -> None:
    async with a_place(Hears) as client:
        handle = await start(client, Hears.run)
        assert await handle.query("known") == "known"
        assert await handle.query("size", args=[1, 2]) == "size of 2"
        assert await handle.execute_update("grow", args=[1, "x"]) == "grow [1, 'x']"
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("forbidden")


@workflow.defn
class SetsLate:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.sleep(0.01)
        workflow.set_dynamic_signal_handler(self.hear)
        await workflow.wait_condition(lambda: "end" in self.heard)
        return self.heard

    def hear(self, name: str, args: Sequence[RawValue]) -> None:
        self.heard.append(name)


async def test_a_dynamic_handler_set_later_gets_what_waited_for_it() -> None:
    async with a_place(SetsLate) as client:
        handle = await start(client, SetsLate.run)
        for name in ("a", "b", "a"):
            await handle.signal(name)
        await handle.signal("end")
        heard = await handle.result()
        assert sorted(heard) == ["a", "a", "b", "end"]


async def test_dynamic_query_and_update_handlers_can_be_set_at_run_time() -> None:
    async with a_place(SetsEarly) as client:
        handle = await start(client, SetsEarly.run)
        assert await handle.query("x") == "asked x"
        assert await handle.execute_update("y") == "did y"


@workflow.defn
class SetsEarly:
    @workflow.run
    async def run(self) -> None:
        workflow.set_dynamic_query_handler(lambda name, args: f"asked {name}")
        workflow.set_dynamic_update_handler(lambda name, args: f"did {name}")
        await workflow.wait_condition(lambda: False)


@activity.defn
async def known(number: int) -> int:
    return number


@activity.defn(dynamic=True)
async def unknown(args: Sequence[RawValue]) -> str:
    return f"{activity.info().activity_type} of {len(args)}"


@workflow.defn
class Calls:
    @workflow.run
    async def run(self) -> list[Any]:
        raw: RawValue = await workflow.execute_activity("known", 7, start_to_close_timeout=SOON, result_type=RawValue)
        return [
            await workflow.execute_activity("known", raw, start_to_close_timeout=SOON),
            await workflow.execute_activity("mystery", args=[1, 2], start_to_close_timeout=SOON),
        ]


async def test_a_dynamic_activity_runs_every_type_nobody_else_does_and_raw_values_pass_through() -> None:
    async with a_place(Calls, activities=[known, unknown]) as client:
        handle = await start(client, Calls.run)
        assert await handle.result() == [7, "mystery of 2"]


def test_a_name_and_dynamic_together_are_refused() -> None:
    with pytest.raises(RuntimeError, match="choose one"):
        activity.defn(name="a", dynamic=True)(_plain)
    with pytest.raises(RuntimeError, match="choose one"):
        workflow.signal(name="a", dynamic=True)(_plain)


async def _plain(args: Sequence[RawValue]) -> None:
    """Takes one argument."""


def test_a_dynamic_handler_with_other_parameters_is_refused() -> None:
    with pytest.raises(TypeError, match="Sequence"):

        class Wrong:
            @workflow.query(dynamic=True)
            def ask(self, name: str) -> None: ...

    with pytest.raises(TypeError, match="one argument"):

        @activity.defn(dynamic=True)
        async def wrong(a: int, b: int) -> None: ...


def test_the_older_form_of_a_dynamic_handler_is_warned_about_and_works() -> None:
    with pytest.warns(DeprecationWarning, match="RawValue"):

        @workflow.defn
        class Old:
            @workflow.run
            async def run(self) -> None: ...

            @workflow.signal(dynamic=True)
            def hear(self, name: str, *args: Any) -> None: ...


def test_a_dynamic_handler_cannot_be_named_by_its_method() -> None:
    with pytest.raises(TypeError, match="by a name"):
        name_of_handler(Hears.ask, "__actorflow_query__", "query")
