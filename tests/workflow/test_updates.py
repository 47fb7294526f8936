"""Updates, as clients and workflows see them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    RPCError,
    RPCStatusCode,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from actorflow.exceptions import ApplicationError, CancelledError, WorkflowParkedError
from tests.support import a_client, a_place, a_worker, events_of, start

ACCEPTED, COMPLETED = WorkflowUpdateStage.ACCEPTED, WorkflowUpdateStage.COMPLETED


@activity.defn
async def price(item: str) -> int:
    return len(item)


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.is_paid = False
        self.is_free = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.is_paid)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.items

    @workflow.update
    def put(self, item: str) -> int:
        self.items.append(item)
        return len(self.items)

    @put.validator
    def check_put(self, item: str) -> None:
        if not item:
            raise ValueError("put something")

    @workflow.update
    async def cost(self, item: str) -> int:
        return await workflow.execute_activity(price, item, start_to_close_timeout=timedelta(seconds=5))

    @workflow.update
    async def until_free(self) -> str:
        await workflow.wait_condition(lambda: self.is_free)
        return "free"

    @workflow.update
    async def refuse(self) -> None:
        raise ApplicationError("not today", type="Refused")

    @workflow.update
    async def is_cancelled(self) -> None:
        raise asyncio.CancelledError

    @workflow.update
    async def breaks(self) -> None:
        raise KeyError("a bug")

    @workflow.signal
    def free(self) -> None:
        self.is_free = True

    @workflow.signal
    def pay(self) -> None:
        self.is_paid = True


@workflow.defn
class Leaves:
    def __init__(self) -> None:
        self.may_leave = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.may_leave)
        return "left"

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def never(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def leave(self) -> str:
        self.may_leave = True
        return "bye"


async def test_an_update_changes_the_workflow_and_answers() -> None:
    async with a_place(Basket, activities=[price]) as client:
        handle = await start(client, Basket.run)
        assert await handle.execute_update(Basket.put, "lamp") == 1
        assert await handle.execute_update(Basket.put, "bulb") == 2
        assert await handle.execute_update(Basket.cost, "lamp") == 4
        assert await handle.execute_update("put", "cable") == 3
        await handle.signal(Basket.pay)
        assert await handle.result() == ["lamp", "bulb", "cable"]


async def test_an_update_is_journaled_as_accepted_and_completed() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        await handle.execute_update(Basket.put, "lamp")
        assert await events_of(handle) == ["Started", "UpdateAccepted", "UpdateCompleted"]


async def test_a_rejected_update_fails_with_its_cause_and_leaves_no_trace() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(Basket.put, "")
        assert isinstance(failed.value.cause, ApplicationError)
        assert (failed.value.cause.type, failed.value.cause.message) == ("ValueError", "put something")
        assert await events_of(handle) == ["Started"]


async def test_an_unknown_update_is_rejected_by_name() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update("steal", "lamp")
        assert "steal" in str(failed.value.cause)
        assert "put" in str(failed.value.cause)


async def test_an_update_that_cannot_be_decoded_is_rejected() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        for arguments in ([{"not": "a str"}], [], ["a", "b"]):
            with pytest.raises(WorkflowUpdateFailedError):
                await handle.execute_update("put", args=arguments)
        assert await handle.execute_update(Basket.put, "lamp") == 1


async def test_a_failure_in_a_handler_is_the_callers_and_the_workflow_goes_on() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(Basket.refuse)
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == "Refused"
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(Basket.is_cancelled)
        assert isinstance(failed.value.cause, CancelledError)
        assert await handle.execute_update(Basket.put, "lamp") == 1


async def test_the_same_id_is_the_same_update() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        answers = await asyncio.gather(*[handle.execute_update(Basket.put, "lamp", id="put-1") for _ in range(5)])
        assert answers == [1] * 5
        assert await handle.execute_update(Basket.put, "bulb", id="put-1") == 1
        await handle.signal(Basket.pay)
        assert await handle.result() == ["lamp"]
        assert await handle.execute_update(Basket.put, "lamp", id="put-1") == 1


async def test_an_accepted_update_can_be_waited_for_later_and_by_others() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        update = await handle.start_update(Basket.until_free, wait_for_stage=ACCEPTED, id="u")
        assert (update.id, update.workflow_id) == ("u", "w")
        assert update.workflow_run_id == handle.result_run_id
        others: list[WorkflowUpdateHandle[str]] = [
            client.get_workflow_handle("w").get_update_handle("u", result_type=str),
            client.get_workflow_handle_for(Basket.run, "w").get_update_handle_for(Basket.until_free, "u"),
            await handle.start_update(Basket.until_free, wait_for_stage=ACCEPTED, id="u"),
        ]
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(one.result()) for one in (update, *others)]
            await handle.signal(Basket.free)
        assert [task.result() for task in waiting] == ["free"] * 4


async def test_a_started_update_that_is_rejected_says_so_in_its_result() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        update = await handle.start_update(Basket.put, "", wait_for_stage=ACCEPTED)
        with pytest.raises(WorkflowUpdateFailedError):
            await update.result()


async def test_nobody_can_wait_for_an_update_to_be_admitted() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(ValueError, match="ACCEPTED"):
            await handle.start_update(Basket.put, "x", wait_for_stage=WorkflowUpdateStage.ADMITTED)


async def test_an_update_nobody_asked_for_is_not_found() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(RPCError) as refused:
            await handle.get_update_handle("nothing").result()
        assert refused.value.status is RPCStatusCode.NOT_FOUND


async def test_an_update_to_a_closed_or_unknown_run_is_not_found() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        await handle.signal(Basket.pay)
        await handle.result()
        for one in (handle, client.get_workflow_handle("nobody")):
            with pytest.raises(RPCError) as refused:
                await one.execute_update("put", "late")
            assert refused.value.status is RPCStatusCode.NOT_FOUND


async def test_an_update_that_ends_its_workflow_is_answered() -> None:
    async with a_place(Leaves) as client:
        handle = await start(client, Leaves.run)
        assert await handle.execute_update(Leaves.leave) == "bye"
        assert await handle.result() == "left"


async def test_an_accepted_update_whose_workflow_ends_first_fails() -> None:
    async with a_place(Leaves) as client:
        handle = await start(client, Leaves.run)
        update = await handle.start_update(Leaves.never, wait_for_stage=ACCEPTED, id="u")
        await handle.execute_update(Leaves.leave)
        for one in (update, handle.get_update_handle("u")):
            with pytest.raises(WorkflowUpdateFailedError) as failed:
                await one.result()
            assert isinstance(failed.value.cause, ApplicationError)
            assert failed.value.cause.type == "AcceptedUpdateCompletedWorkflow"


async def test_whoever_waits_for_an_update_of_a_terminated_workflow_is_told() -> None:
    async with a_place(Leaves) as client:
        handle = await start(client, Leaves.run)
        update = await handle.start_update(Leaves.never, wait_for_stage=ACCEPTED)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(asyncio.wait_for(_failure(update), 5))
            await asyncio.sleep(0)
            await handle.terminate()
        assert waiting.result() == "AcceptedUpdateCompletedWorkflow"


async def _failure(update: WorkflowUpdateHandle[None]) -> str | None:
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await update.result()
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause.type


async def test_a_bug_in_a_handler_parks_the_workflow_and_says_so() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
            await handle.execute_update(Basket.breaks, rpc_timeout=timedelta(seconds=0.05))
        about = await handle.describe()
        assert about.turn_failures == 1


async def test_an_answer_that_does_not_come_in_time_is_an_error_of_its_own(tmp_path: Path) -> None:
    async with a_client(tmp_path / "w.db") as client:
        handle = await start(client, Basket.run)
        with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
            await handle.execute_update(Basket.put, "lamp", id="u", rpc_timeout=timedelta(seconds=0.05))
        async with a_worker(client, workflows=[Basket]):  # the update was stored, and is done now
            assert await handle.execute_update(Basket.put, "lamp", id="u") == 1


async def test_an_accepted_update_survives_a_restart_and_completes_once(tmp_path: Path) -> None:
    async with a_place(Basket, path=tmp_path / "w.db") as client:
        handle = await start(client, Basket.run)
        await handle.start_update(Basket.until_free, wait_for_stage=ACCEPTED, id="u")
    async with a_place(Basket, path=tmp_path / "w.db") as client:
        handle = client.get_workflow_handle_for(Basket.run, "w")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(handle.get_update_handle_for(Basket.until_free, "u").result())
            await handle.signal(Basket.free)
        assert waiting.result() == "free"
        assert (await events_of(handle)).count("UpdateCompleted") == 1


async def test_many_updates_are_done_in_the_order_in_which_they_came() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        answers = await asyncio.gather(*[handle.execute_update(Basket.put, str(number)) for number in range(200)])
        assert answers == list(range(1, 201))


@workflow.defn
class Stock:
    def __init__(self) -> None:
        self.left = 1
        self.is_closed = False
        self.was_replaying: list[bool] = []

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.left < 0)
        return self.left

    @workflow.signal
    def close(self) -> None:
        self.is_closed = True

    @workflow.update
    def take(self) -> int:
        self.left -= 1
        return self.left

    @take.validator
    def check_take(self) -> None:
        if workflow.unsafe.is_replaying():
            raise ValueError("this is no replay")
        if self.is_closed or not self.left:
            raise ValueError("nothing left")


async def test_a_validator_knows_what_earlier_updates_have_done() -> None:
    async with a_place(Stock) as client:
        handle = await start(client, Stock.run)
        answers = await asyncio.gather(*[handle.execute_update(Stock.take) for _ in range(3)], return_exceptions=True)
        assert answers[0] == 0
        assert [type(answer) for answer in answers[1:]] == [WorkflowUpdateFailedError] * 2


async def test_a_validator_knows_signals_that_were_accepted_before(tmp_path: Path) -> None:
    async with a_client(tmp_path / "w.db") as client:
        handle = await start(client, Stock.run)
        await handle.signal(Stock.close)
        async with asyncio.TaskGroup() as group:
            late = group.create_task(_failure_of(handle.execute_update(Stock.take)))
            async with a_worker(client, workflows=[Stock]):
                assert "nothing left" in await late


async def _failure_of(call: Awaitable[object]) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await call
    return str(failed.value.cause)


async def test_an_update_to_a_parked_workflow_is_refused_at_once(parks_at_once: None) -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(WorkflowParkedError):
            await handle.execute_update(Basket.breaks)
        with pytest.raises(WorkflowParkedError):
            await handle.execute_update(Basket.put, "lamp")


async def test_who_asks_for_an_outcome_while_the_workflow_ends_is_told() -> None:
    async with a_place(Leaves) as client:
        for number in range(50):
            handle = await start(client, Leaves.run, id=f"w-{number}")
            await handle.start_update(Leaves.never, wait_for_stage=ACCEPTED, id="u")
            async with asyncio.TaskGroup() as group:
                ending = group.create_task(handle.execute_update(Leaves.leave))
                asking = group.create_task(_failure_of(handle.get_update_handle("u").result()))
            assert ending.result() == "bye"
            assert "AcceptedUpdateCompletedWorkflow" in asking.result()


@pytest.mark.parametrize("stage", ["COMPLETED", None, 7])
async def test_what_is_no_stage_is_refused(stage: Any) -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(ValueError, match="WorkflowUpdateStage"):
            await handle.start_update(Basket.put, "x", wait_for_stage=stage)


async def test_a_timeout_that_is_no_timedelta_is_refused_before_anything_is_sent() -> None:
    async with a_place(Basket) as client:
        handle = await start(client, Basket.run)
        with pytest.raises(TypeError, match="timedelta"):
            await handle.execute_update(Basket.put, "x", rpc_timeout=5)  # pyright: ignore[reportCallIssue, reportArgumentType]
        assert await events_of(handle) == ["Started"]
