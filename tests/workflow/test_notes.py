"""Memo, search attributes and headers as workflows read and change them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import Client, WorkflowParkedError, WorkflowQueryFailedError
from actorflow.common import (
    RetryPolicy,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
)
from actorflow.converter import DataConverter
from actorflow.core.events import RunOptions
from actorflow.exceptions import ApplicationError, SearchAttributeTypeError
from actorflow.service import StartRequest
from actorflow.store.sqlite.verify import verify
from actorflow.worker import Replayer
from tests.support import a_client, a_place, a_worker, execute, start

CUSTOMER = SearchAttributeKey.for_keyword("Customer")
STEP = SearchAttributeKey.for_int("Step")
TAGS = SearchAttributeKey.for_keyword_list("Tags")


def typed(*pairs: Any) -> TypedSearchAttributes:
    return TypedSearchAttributes([SearchAttributePair(*pair) for pair in pairs])


async def found(client: Client, query: str) -> list[str]:
    return sorted([execution.id async for execution in client.list_workflows(query)])


@workflow.defn
class Notes:
    """Changes its notes before and after a wait, and tells what it sees."""

    def __init__(self) -> None:
        self.is_done = False

    @workflow.signal
    def finish(self) -> None:
        self.is_done = True

    @workflow.query
    def seen(self) -> list[Any]:
        return [workflow.memo(), workflow.info().search_attributes]

    @workflow.query
    def meddle(self) -> None:
        workflow.upsert_memo({"a": 2})

    @workflow.run
    async def run(self) -> list[Any]:
        before = workflow.info().typed_search_attributes
        workflow.upsert_search_attributes([STEP.value_set(1)])
        workflow.upsert_memo({"b": [1, 2], "a": None})
        await workflow.wait_condition(lambda: self.is_done)
        workflow.upsert_search_attributes({"Step": [2], "Tags": ["x", "y"]})
        workflow.upsert_search_attributes([CUSTOMER.value_unset()])
        info = workflow.info()
        assert info.typed_search_attributes[STEP] == 2
        assert sorted(info.raw_memo) == ["b"]
        return [before.get(CUSTOMER), workflow.memo_value("b", type_hint=list[int]), workflow.memo_value("a", "gone")]


async def test_notes_are_read_and_changed_at_once_and_shown_by_queries(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with a_place(Notes, path=path) as client:
        handle = await start(client, Notes, memo={"a": 1}, search_attributes=typed((CUSTOMER, "acme")))
        assert await handle.query("seen") == [{"b": [1, 2]}, {"Customer": ["acme"], "Step": [1]}]
        assert await found(client, "Step = 1 AND Customer = 'acme'") == ["w"]
        await handle.signal("finish")
        assert await handle.result() == ["acme", [1, 2], "gone"]
        about = await handle.describe()
        assert about.typed_search_attributes == typed((STEP, 2), (TAGS, ["x", "y"]))
        assert await about.memo() == {"b": [1, 2]}
        assert await found(client, "Tags = 'y' AND Step > 1") == ["w"]
        assert await found(client, "Customer = 'acme'") == []
        history = await handle.fetch_history()
        await Replayer(workflows=[Notes]).replay_workflow(history)
    assert verify(path).violations == ()


async def test_a_memo_without_an_entry_says_so() -> None:
    @workflow.defn
    class Asks:
        @workflow.run
        async def run(self) -> str:
            try:
                workflow.memo_value("nothing")
            except KeyError as problem:
                return str(problem)
            return ""

    async with a_place(Asks) as client:
        assert "nothing" in await execute(client, Asks)


async def test_a_query_can_not_change_notes() -> None:
    async with a_place(Notes) as client:
        handle = await start(client, Notes)
        with pytest.raises(WorkflowQueryFailedError, match="can't change the memo"):
            await handle.query("meddle")
        assert await handle.query("seen") == [{"b": [1, 2]}, {"Step": [1]}]


@workflow.defn
class Continues:
    @workflow.run
    async def run(self, runs: int) -> list[Any]:
        if runs:
            workflow.upsert_search_attributes([STEP.value_set(runs)])
            workflow.upsert_memo({"runs": runs})
            if runs == 2:
                workflow.continue_as_new(args=[runs - 1], memo={"new": 1}, search_attributes=typed((CUSTOMER, "bolt")))
            workflow.continue_as_new(args=[runs - 1])
        return [workflow.memo(), workflow.info().search_attributes]


async def test_a_run_that_continues_keeps_the_notes_as_they_are_unless_it_replaces_them() -> None:
    async with a_place(Continues) as client:
        kept = await execute(client, Continues, 1, memo={"a": 1}, search_attributes={"Customer": ["acme"]})
        assert kept == [{"a": 1, "runs": 1}, {"Customer": ["acme"], "Step": [1]}]
        replaced = await execute(client, Continues, 2, id="v", memo={"a": 1})
        assert replaced == [{"new": 1, "runs": 1}, {"Customer": ["bolt"], "Step": [1]}]


async def test_what_is_noted_on_the_way_out_is_kept_too() -> None:
    @workflow.defn
    class Leaves:
        @workflow.run
        async def run(self, runs: int) -> Any:
            try:
                if runs:
                    workflow.continue_as_new(runs - 1)
            finally:
                if runs:
                    workflow.upsert_memo({"left": True})
            return workflow.memo()

    async with a_place(Leaves) as client:
        assert await execute(client, Leaves, 1) == {"left": True}


async def test_a_retry_begins_with_the_notes_the_first_run_began_with() -> None:
    @workflow.defn
    class Retries:
        @workflow.run
        async def run(self) -> Any:
            told = [workflow.memo(), workflow.info().search_attributes]
            workflow.upsert_memo({"a": 2})
            workflow.upsert_search_attributes([STEP.value_set(2)])
            if workflow.info().attempt == 1:
                raise ApplicationError("once more")
            return told

    async with a_place(Retries) as client:
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        told = await execute(client, Retries, memo={"a": 1}, search_attributes=typed((STEP, 1)), retry_policy=policy)
        assert told == [{"a": 1}, {"Step": [1]}]


async def test_a_child_has_notes_of_its_own() -> None:
    @workflow.defn
    class Child:
        @workflow.run
        async def run(self) -> Any:
            return [workflow.memo(), workflow.info().search_attributes]

    @workflow.defn
    class Parent:
        @workflow.run
        async def run(self) -> Any:
            return await workflow.execute_child_workflow(
                Child.run,
                id="child",
                memo={"of": "child"},
                search_attributes={"Customer": ["bolt"]},
                static_summary="a child",
                static_details="of its parent",
            )

    async with a_place(Parent, Child) as client:
        told = await execute(client, Parent, memo={"of": "parent"}, search_attributes=typed((CUSTOMER, "acme")))
        assert told == [{"of": "child"}, {"Customer": ["bolt"]}]
        assert await found(client, "Customer = 'bolt'") == ["child"]
        about = await client.get_workflow_handle("child").describe()
        assert (await about.static_summary(), await about.static_details()) == ("a child", "of its parent")


async def test_a_name_of_another_type_parks_the_workflow_that_uses_it_and_says_what_now() -> None:
    @workflow.defn
    class Mistaken:
        @workflow.run
        async def run(self) -> None:
            workflow.upsert_search_attributes([SearchAttributeKey.for_keyword("Step").value_set("one")])

    async with a_place(Notes, Mistaken) as client:
        await start(client, Notes)
        handle = await start(client, Mistaken, id="mistaken")
        with pytest.raises(WorkflowParkedError) as parked:
            await handle.query("__stack_trace")
        assert "'Step' is of type Int in namespace 'default', but was given as Keyword" in str(parked.value.__cause__)
        assert await found(client, "Step = 1") == ["w"]


async def test_untyped_values_take_the_type_their_name_has() -> None:
    @workflow.defn
    class Untyped:
        @workflow.run
        async def run(self) -> None:
            workflow.upsert_search_attributes({"Tags": ["z"]})

    async with a_place(Notes, Untyped) as client:
        first = await start(client, Notes)
        await first.signal("finish")
        await first.result()
        await execute(client, Untyped, id="u")
        assert (await client.get_workflow_handle("u").describe()).typed_search_attributes == typed((TAGS, ["z"]))
        assert await found(client, "Tags = 'z'") == ["u"]


async def test_notes_survive_the_process_and_a_worker_that_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with a_client(path) as client:  # nobody hosts it: it waits in its inbox
        await start(client, Notes, memo={"a": 1}, search_attributes=typed((CUSTOMER, "acme")))
        assert await found(client, "Customer = 'acme'") == ["w"]
    assert verify(path).violations == ()
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, workflows=[Notes]):
        handle = client.get_workflow_handle("w")
        assert await handle.query("seen") == [{"b": [1, 2]}, {"Customer": ["acme"], "Step": [1]}]
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, workflows=[Notes]):
        handle = client.get_workflow_handle("w")
        await handle.signal("finish")
        assert await handle.result() == ["acme", [1, 2], "gone"]
        with pytest.raises(SearchAttributeTypeError, match="'Step' is of type Int"):
            await start(client, Notes, id="v", search_attributes={"Step": ["one"]})
    assert verify(path).violations == ()


async def test_headers_of_the_start_reach_the_run_and_those_that_follow_it() -> None:
    @workflow.defn
    class Heard:
        @workflow.run
        async def run(self, runs: int) -> Any:
            if runs:
                workflow.continue_as_new(runs - 1)
            headers = workflow.info().headers
            return {name: workflow.payload_converter().from_payload(payload) for name, payload in headers.items()}

    async with a_place(Heard) as client:
        values = DataConverter.default.values
        headers = {"trace": values.encode_one("abc")}
        request = StartRequest("default", "w", "Heard", "q", values.encode([1]), options=RunOptions(headers=headers))
        await client.engine.service.start(request)
        assert await client.get_workflow_handle("w").result() == {"trace": "abc"}
