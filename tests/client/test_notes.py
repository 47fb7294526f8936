"""What clients note about executions, and find them by."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import Client, RPCError, WithStartWorkflowOperation, WorkflowUpdateStage
from actorflow.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from actorflow.core import limits
from actorflow.exceptions import PayloadError, SearchAttributeLimitError, SearchAttributeTypeError
from actorflow.store.sqlite.verify import verify
from tests.support import a_client, a_place, start

CUSTOMER = SearchAttributeKey.for_keyword("Customer")
ACME = TypedSearchAttributes([SearchAttributePair(CUSTOMER, "acme")])


@workflow.defn
class Waits:
    @workflow.update
    def add(self, number: int) -> int:
        return number + 1

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


async def test_whatever_was_noted_at_the_start_is_described_and_listed() -> None:
    async with a_client() as client:
        noted: Any = {
            "memo": {"a": 1, "b": None},
            "search_attributes": ACME,
            "static_summary": "one",
            "static_details": "two",
        }
        handle = await start(client, "Anything", **noted)
        about = await handle.describe()
        assert await about.memo() == {"a": 1, "b": None}
        assert await about.memo_value("a", type_hint=float) == 1.0
        assert (about.search_attributes, about.typed_search_attributes) == ({"Customer": ["acme"]}, ACME)
        assert (await about.static_summary(), await about.static_details()) == ("one", "two")
        listed = [execution async for execution in client.list_workflows("Customer = 'acme'")]
        assert [(one.id, one.typed_search_attributes, await one.memo()) for one in listed] == [
            ("w", ACME, {"a": 1, "b": None})
        ]
        assert (await client.count_workflows("Customer = 'acme'")).count == 1


async def test_an_execution_without_notes_has_empty_ones() -> None:
    async with a_client() as client:
        about = await (await start(client, "Anything")).describe()
        assert (await about.memo(), about.search_attributes, about.typed_search_attributes) == (
            {},
            {},
            TypedSearchAttributes.empty,
        )
        assert (await about.static_summary(), await about.static_details()) == (None, None)
        assert await about.memo_value("a", "nothing") == "nothing"
        with pytest.raises(KeyError, match="does not have a value for key a"):
            await about.memo_value("a")


async def test_a_name_with_another_type_is_refused_and_nothing_begins() -> None:
    async with a_client() as client:
        await start(client, "Anything", search_attributes=ACME)
        with pytest.raises(SearchAttributeTypeError) as refusal:
            await start(client, "Anything", id="other", search_attributes={"Customer": [7]})
        assert (refusal.value.name, refusal.value.declared, refusal.value.given) == ("Customer", "Keyword", "Int")
        assert "workflow 'other'" in str(refusal.value)
        assert "give it as Keyword, or choose another name" in str(refusal.value)
        with pytest.raises(RPCError):
            await client.get_workflow_handle("other").describe()


async def test_each_namespace_has_names_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with a_client(path) as client, await Client.connect(f"sqlite:///{path}", namespace="other") as other:
        await start(client, "Anything", search_attributes=ACME)
        await start(other, "Anything", search_attributes={"Customer": [7]})
        assert [one.id async for one in other.list_workflows("Customer = 7")] == ["w"]
        with pytest.raises(RPCError, match="text for Customer, in quotes"):
            await client.count_workflows("Customer = 7")


async def test_an_unknown_name_in_a_filter_is_answered_with_the_nearest_one() -> None:
    async with a_client() as client:
        await start(client, "Anything", search_attributes=ACME)
        with pytest.raises(RPCError, match=r"unknown column Custommer .*did you mean Customer\?"):
            await client.count_workflows("Custommer = 'acme'")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"memo": {"a": object()}}, PayloadError),
        ({"memo": {"": 1}}, ValueError),
        ({"static_summary": "x" * (limits.TEXT_BYTES_MAX + 1)}, ValueError),
        ({"search_attributes": {"StartTime": ["now"]}}, ValueError),
        ({"search_attributes": {"Customer": "acme"}}, TypeError),
    ],
)
async def test_notes_that_can_not_be_are_refused(options: Any, problem: type[Exception]) -> None:
    async with a_client() as client:
        with pytest.raises(problem):
            await start(client, "Anything", **options)


async def test_a_namespace_has_so_many_names_and_no_more() -> None:
    async with a_client() as client:
        for first in range(0, limits.SEARCH_ATTRIBUTE_NAMES_MAX, limits.SEARCH_ATTRIBUTES_MAX):
            names = {f"A{number}": [1] for number in range(first, first + limits.SEARCH_ATTRIBUTES_MAX)}
            await start(client, "Anything", id=str(first), search_attributes=names)
        with pytest.raises(SearchAttributeLimitError, match="no more than 1000"):
            await start(client, "Anything", search_attributes=ACME)
        await start(client, "Anything", search_attributes={"A7": [8]})


async def test_an_update_with_start_starts_with_notes() -> None:
    async with a_place(Waits) as client:
        operation = WithStartWorkflowOperation(
            Waits.run,
            id="w",
            task_queue="q",
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            memo={"a": 1},
            search_attributes=ACME,
        )
        await client.start_update_with_start_workflow(
            Waits.add, 1, start_workflow_operation=operation, wait_for_stage=WorkflowUpdateStage.COMPLETED
        )
        about = await (await operation.workflow_handle()).describe()
        assert (await about.memo(), about.typed_search_attributes) == ({"a": 1}, ACME)


async def test_who_only_looks_finds_by_search_attributes_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with a_client(path) as client:
        await start(client, "Anything", memo={"a": 1}, search_attributes=ACME)
    async with a_client(path, read_only=True) as onlooker:
        (found,) = [one async for one in onlooker.list_workflows("Customer = 'acme'")]
        assert await found.memo() == {"a": 1}
        assert (await onlooker.get_workflow_handle("w").describe()).typed_search_attributes == ACME


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE search_value SET value = 'bolt'", ["found by Customer = 'acme'", "found by Customer = 'bolt'"]),
        ("DELETE FROM search_value", ["it is not found by Customer = 'acme'"]),
        ("DELETE FROM note", ["it is noted as None"]),
        ("UPDATE note SET notes = 'x'", ["can't be read"]),
        ("INSERT INTO note VALUES (99, '{}')", ["1 rows of note belong to run 99"]),
    ],
)
async def test_verify_finds_notes_that_are_not_those_of_the_journal(
    tmp_path: Path, damage: str, said: list[str]
) -> None:
    path = tmp_path / "journal.db"
    async with a_client(path) as client:
        await start(client, "Anything", search_attributes=ACME)
    assert verify(path).is_sound
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    found = [str(one) for one in verify(path).violations]
    assert len(found) == len(said)
    for what in said:
        assert any(what in one for one in found), found


async def test_a_name_that_no_execution_has_any_more_finds_nothing_and_is_known() -> None:
    tenant = SearchAttributeKey.for_keyword("Tenant")

    @workflow.defn
    class Forgets:
        @workflow.run
        async def run(self) -> None:
            workflow.upsert_search_attributes([tenant.value_unset()])

    async with a_place(Forgets) as client:
        await (await start(client, Forgets, search_attributes={"Tenant": ["a"]})).result()
        assert [one async for one in client.list_workflows("Tenant = 'a'")] == []
        assert (await client.count_workflows("Tenant IS NULL")).count == 1
