"""Starting a workflow together with a signal or an update."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actorflow import workflow
from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from actorflow.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.exceptions import WorkflowAlreadyStartedError
from tests.support import a_client, a_place, a_worker, events_of

USE_EXISTING, FAIL = WorkflowIDConflictPolicy.USE_EXISTING, WorkflowIDConflictPolicy.FAIL


@workflow.defn
class Cart:
    def __init__(self) -> None:
        self.items: list[str] = []

    @workflow.run
    async def run(self, owner: str) -> list[str]:
        self.items.append(f"of {owner}")
        await workflow.wait_condition(lambda: "done" in self.items)
        return self.items

    @workflow.signal
    def note(self, *items: str) -> None:
        self.items.extend(items)

    @workflow.update
    def put(self, item: str) -> int:
        self.items.append(item)
        return len(self.items)

    @workflow.update
    async def slowly(self) -> str:
        await workflow.sleep(0.01)
        return workflow.info().run_id

    @workflow.update
    async def until(self, item: str) -> str:
        await workflow.wait_condition(lambda: item in self.items)
        return item

    @put.validator
    def check(self, item: str) -> None:
        if not item:
            raise ValueError("nothing")


runs: list[str] = []


@workflow.defn
class Visited:
    """Says whose code runs."""

    @workflow.run
    async def run(self, owner: str) -> None:
        if not workflow.unsafe.is_replaying():
            runs.append(owner)
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def note(self) -> None:
        pass

    @workflow.update
    def put(self) -> str:
        return "put"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with a_place(Cart) as client:
        yield client


async def begin(client: Client, **options: object) -> None:
    start: dict[str, object] = {"id": "c", "task_queue": "q", **options}
    await client.start_workflow(Cart.run, "Ada", **start)  # pyright: ignore[reportCallIssue, reportArgumentType]


def an_operation(conflict: WorkflowIDConflictPolicy = USE_EXISTING) -> WithStartWorkflowOperation[Cart, list[str]]:
    return WithStartWorkflowOperation(Cart.run, "Ada", id="c", task_queue="q", id_conflict_policy=conflict)


async def test_a_signal_sent_with_the_start_is_handled_before_the_first_line(client: Client) -> None:
    await begin(client, start_signal="note", start_signal_args=["a", "b"])
    handle = client.get_workflow_handle_for(Cart.run, "c")
    await handle.signal(Cart.note, "done")
    assert await handle.result() == ["a", "b", "of Ada", "done"]
    assert (await events_of(handle))[:2] == ["Started", "SignalReceived"]


async def test_an_open_workflow_gets_the_signal_instead(client: Client) -> None:
    await begin(client)
    await begin(client, start_signal="note", start_signal_args=["a"])
    await begin(client, start_signal="note", start_signal_args=["done"])
    assert await client.get_workflow_handle_for(Cart.run, "c").result() == ["of Ada", "a", "done"]


async def test_a_repeated_start_with_a_signal_takes_effect_once(client: Client) -> None:
    for _ in range(3):
        await begin(client, start_signal="note", start_signal_args=["a"], request_id="r")
    handle = client.get_workflow_handle_for(Cart.run, "c")
    await handle.signal(Cart.note, "done")
    assert await handle.result() == ["a", "of Ada", "done"]


async def test_a_closed_workflow_that_may_not_be_repeated_refuses_start_and_signal(client: Client) -> None:
    await begin(client, start_signal="note", start_signal_args=["done"])
    await client.get_workflow_handle("c").result()
    with pytest.raises(WorkflowAlreadyStartedError):
        await begin(client, start_signal="note", id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)


async def test_an_existing_one_can_be_replaced_and_the_new_one_gets_the_signal(client: Client) -> None:
    await begin(client)
    replace = WorkflowIDConflictPolicy.TERMINATE_EXISTING
    await begin(client, start_signal="note", start_signal_args=["done"], id_conflict_policy=replace)
    assert await client.get_workflow_handle_for(Cart.run, "c").result() == ["done", "of Ada"]


async def test_start_and_signal_wait_together_for_a_worker(tmp_path: Path) -> None:
    async with a_client(tmp_path / "w.db") as client:
        await begin(client, start_signal="note", start_signal_args=["a"])
        async with a_worker(client, workflows=[Cart]):
            handle = client.get_workflow_handle_for(Cart.run, "c")
            await handle.signal(Cart.note, "done")
            assert (await handle.result())[0] == "a"


async def test_an_update_sent_with_the_start_is_answered(client: Client) -> None:
    operation = an_operation()
    answer = await client.execute_update_with_start_workflow(Cart.put, "a", start_workflow_operation=operation)
    assert answer == 1
    handle = await operation.workflow_handle()
    assert handle.id == "c"
    await handle.signal(Cart.note, "done")
    assert await handle.result() == ["a", "of Ada", "done"]


async def test_an_open_workflow_gets_the_update_instead(client: Client) -> None:
    await begin(client)
    update = await client.start_update_with_start_workflow(
        Cart.put, "a", start_workflow_operation=an_operation(), wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="u"
    )
    assert (update.id, await update.result()) == ("u", 2)


async def test_the_workflow_is_started_also_if_its_update_is_rejected(client: Client) -> None:
    operation = an_operation()
    with pytest.raises(WorkflowUpdateFailedError):
        await client.execute_update_with_start_workflow(Cart.put, "", start_workflow_operation=operation)
    assert (await (await operation.workflow_handle()).describe()).id == "c"


async def test_a_start_that_is_refused_is_told_to_whoever_waits_for_the_handle(client: Client) -> None:
    await begin(client)
    operation = an_operation(FAIL)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(_refused(operation))
        await asyncio.sleep(0)
        with pytest.raises(WorkflowAlreadyStartedError):
            await client.execute_update_with_start_workflow(Cart.put, "a", start_workflow_operation=operation)
    assert waiting.done()


async def _refused(operation: WithStartWorkflowOperation[Cart, list[str]]) -> None:
    with pytest.raises(WorkflowAlreadyStartedError):
        await operation.workflow_handle()


async def test_an_operation_is_good_for_one_call(client: Client) -> None:
    operation = an_operation()
    await client.execute_update_with_start_workflow(Cart.put, "a", start_workflow_operation=operation)
    with pytest.raises(RuntimeError, match="one call"):
        await client.execute_update_with_start_workflow(Cart.put, "a", start_workflow_operation=operation)


def test_an_operation_must_say_what_an_open_workflow_means() -> None:
    with pytest.raises(ValueError, match="id_conflict_policy"):
        an_operation(WorkflowIDConflictPolicy.UNSPECIFIED)


async def test_an_update_that_replaces_an_open_workflow_is_answered_by_the_new_one(client: Client) -> None:
    await begin(client)
    operation = an_operation(WorkflowIDConflictPolicy.TERMINATE_EXISTING)
    update = await client.start_update_with_start_workflow(
        Cart.slowly, start_workflow_operation=operation, wait_for_stage=WorkflowUpdateStage.ACCEPTED
    )
    current = await client.get_workflow_handle("c").describe()
    assert update.workflow_run_id == current.run_id
    assert await update.result() == current.run_id


async def test_the_handle_is_there_before_the_update_is_over(client: Client) -> None:
    operation = an_operation()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(
            client.execute_update_with_start_workflow(Cart.until, "open", start_workflow_operation=operation)
        )
        handle = await operation.workflow_handle()
        await handle.signal(Cart.note, "open")
    assert call.result() == "open"


async def test_a_cancelled_call_does_not_cancel_who_waits_for_the_handle(client: Client) -> None:
    operation = an_operation(FAIL)
    call = asyncio.ensure_future(
        client.execute_update_with_start_workflow(Cart.until, "never", start_workflow_operation=operation)
    )
    waiting = asyncio.ensure_future(operation.workflow_handle())
    await asyncio.sleep(0)
    call.cancel()
    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(outcome, RPCError)
    assert outcome.status is RPCStatusCode.CANCELLED


async def test_an_operation_that_names_no_queue_fails_for_everybody(client: Client) -> None:
    operation = WithStartWorkflowOperation(Cart.run, "Ada", id="c", id_conflict_policy=FAIL)
    with pytest.raises(TypeError, match="task_queue"):
        await client.execute_update_with_start_workflow(Cart.put, "a", start_workflow_operation=operation)
    with pytest.raises(TypeError, match="task_queue"):
        await operation.workflow_handle()


async def test_a_text_is_not_a_list_of_arguments(client: Client) -> None:
    with pytest.raises(TypeError, match=r"\['ab'\]"):
        await begin(client, start_signal="note", start_signal_args="ab")


@pytest.mark.parametrize("cached", [0, 100])
@pytest.mark.parametrize("conflict", [USE_EXISTING, FAIL])
async def test_no_code_runs_for_a_run_that_another_one_is_in_the_way_of(
    conflict: WorkflowIDConflictPolicy, cached: int
) -> None:
    runs.clear()
    async with a_place(Visited, max_cached_workflows=cached) as client:
        first = await client.start_workflow(Visited.run, "first", id="v", task_queue="q")
        assert await first.execute_update(Visited.put) == "put"
        operation: WithStartWorkflowOperation[Visited, None] = WithStartWorkflowOperation(
            Visited.run, "second", id="v", task_queue="q", id_conflict_policy=conflict
        )
        if conflict == USE_EXISTING:
            update = client.execute_update_with_start_workflow(Visited.put, start_workflow_operation=operation)
            assert await update == "put"
            await client.start_workflow(Visited.run, "third", id="v", task_queue="q", start_signal="note")
        else:
            with pytest.raises(WorkflowAlreadyStartedError):
                await client.execute_update_with_start_workflow(Visited.put, start_workflow_operation=operation)
        assert [execution.id async for execution in client.list_workflows()] == ["v"]
    assert set(runs) == {"first"}
