"""Children: started, awaited, signalled, cancelled, and what becomes of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import RPCError, WorkflowExecutionStatus, WorkflowFailureError
from actorflow.common import RetryPolicy, WorkflowIDReusePolicy
from actorflow.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    RetryState,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)
from actorflow.store.sqlite.verify import verify
from actorflow.workflow import ChildWorkflowCancellationType, ParentClosePolicy
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start

SOON = timedelta(seconds=5)


class Stage:
    """What a test waits for; each has its own."""

    waits = asyncio.Event()


@pytest.fixture(autouse=True)
def _stage() -> None:
    Stage.waits = asyncio.Event()


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@workflow.defn
class Doubles:
    @workflow.run
    async def run(self, number: int) -> int:
        if number == 13:
            raise ApplicationError("unlucky", "a detail", type="Unlucky")
        return await workflow.execute_activity(double, number, start_to_close_timeout=SOON)


@workflow.defn
class Waits:
    """Waits to be told, and says whether it was cancelled."""

    def __init__(self) -> None:
        self.told: str | None = None

    @workflow.run
    async def run(self, on_cancel: str = "") -> str:
        Stage.waits.set()
        try:
            await workflow.wait_condition(lambda: self.told is not None)
        except asyncio.CancelledError:
            if on_cancel == "swallow":
                return "went on"
            raise
        return self.told or ""

    @workflow.signal
    def tell(self, what: str) -> None:
        self.told = what

    @workflow.query
    def about(self) -> dict[str, Any]:
        info = workflow.info()
        parent, root = info.parent, info.root
        return {
            "parent": parent and [parent.workflow_id, parent.run_id, parent.namespace],
            "root": root and [root.workflow_id, root.run_id],
        }


@workflow.defn
class Parent:
    """Does what a list of steps says."""

    @workflow.run
    async def run(self, how: str, argument: Any = None) -> Any:
        return await getattr(self, how)(argument)

    async def one(self, number: int) -> int:
        return await workflow.execute_child_workflow(Doubles.run, number, id="child")

    async def many(self, count: int) -> list[int]:
        return await asyncio.gather(*[workflow.execute_child_workflow(Doubles.run, number) for number in range(count)])

    async def by_name(self, number: int) -> int:
        return await workflow.execute_child_workflow("Doubles", number, id="child", result_type=int)

    async def chain(self, _: None) -> list[Any]:
        with pytest.raises(ChildWorkflowError) as failed:
            await workflow.execute_child_workflow(Doubles.run, 13, id="child")
        error, cause = failed.value, failed.value.cause
        assert isinstance(cause, ApplicationError)
        return [error.workflow_id, error.workflow_type, error.namespace, error.message, cause.type, list(cause.details)]

    async def signals(self, _: None) -> str:
        handle = await workflow.start_child_workflow(Waits.run, id="child")
        await handle.signal(Waits.tell, "hello")
        return await handle

    async def taken(self, _: None) -> list[str | None]:
        await workflow.start_child_workflow(Waits.run, id="child")
        with pytest.raises(WorkflowAlreadyStartedError) as refused:
            await workflow.start_child_workflow(Waits.run, id="child")
        return [refused.value.workflow_id, refused.value.workflow_type]

    async def parents_own_id(self, _: None) -> str:
        with pytest.raises(WorkflowAlreadyStartedError):
            await workflow.execute_child_workflow(Parent.run, "one", id=workflow.info().workflow_id)
        return "refused"

    async def waits_for(self, options: dict[str, Any]) -> str:
        cancellation = ChildWorkflowCancellationType(options.get("cancellation", 2))
        return await workflow.execute_child_workflow(
            Waits.run, options.get("on_cancel", ""), id="child", cancellation_type=cancellation
        )

    async def leaves(self, policy: int) -> str:
        await workflow.start_child_workflow(Waits.run, id="child", parent_close_policy=ParentClosePolicy(policy))
        return "left"

    async def goes_on(self, policy: int) -> str:
        if workflow.info().continued_run_id is None:
            await self.leaves(policy)
            workflow.continue_as_new(args=["goes_on", policy])
        return "left"

    async def unsent(self, how: str) -> list[str]:
        task = asyncio.create_task(workflow.execute_child_workflow(Waits.run, id="child"))
        if how == "started":
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return ["cancelled"]
        except ChildWorkflowError as error:
            return [type(error.cause).__name__]
        return ["?"]

    async def retries(self, _: None) -> str:
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        return await workflow.execute_child_workflow(Stubborn.run, 2, id="child", retry_policy=policy)

    async def gives_up(self, _: None) -> str:
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=2)
        with pytest.raises(ChildWorkflowError) as failed:
            await workflow.execute_child_workflow(Stubborn.run, 9, id="child", retry_policy=policy)
        assert failed.value.retry_state is not None
        return failed.value.retry_state.name

    async def follows(self, count: int) -> list[int]:
        handle = await workflow.start_child_workflow(Counts.run, count, id="child")
        first = handle.first_execution_run_id
        result = await handle
        assert first == handle.first_execution_run_id
        return [result]

    async def times_out(self, _: None) -> list[str | None]:
        with pytest.raises(ChildWorkflowError) as failed:
            await workflow.execute_child_workflow(Waits.run, id="child", run_timeout=timedelta(milliseconds=20))
        cause = failed.value.cause
        assert isinstance(cause, TimeoutError)
        return [cause.message, cause.type.name if cause.type else None]

    async def reuses(self, policy: int) -> str:
        await workflow.execute_child_workflow(Doubles.run, 1, id="child")
        try:
            await workflow.execute_child_workflow(
                Doubles.run, 2, id="child", id_reuse_policy=WorkflowIDReusePolicy(policy)
            )
        except WorkflowAlreadyStartedError:
            return "refused"
        return "ran"

    async def raises(self, _: None) -> None:
        await workflow.execute_child_workflow(Doubles.run, 13, id="child")

    async def waits_in_a_group(self, _: None) -> list[Any]:
        handles = [await workflow.start_child_workflow(Doubles.run, number) for number in range(3)]
        done, pending = await workflow.wait(handles)
        return [sorted(handle.result() for handle in done), len(pending)]

    async def ids(self, _: None) -> list[bool]:
        first = await workflow.start_child_workflow(Doubles.run, 1)
        second = await workflow.start_child_workflow(Doubles.run, 1)
        return [first.id != second.id, len(first.id) == 36]


@workflow.defn
class Stubborn:
    @workflow.run
    async def run(self, failures: int) -> str:
        attempt = workflow.info().attempt
        if attempt <= failures:
            raise ApplicationError(f"attempt {attempt}")
        return f"attempt {attempt}"


@workflow.defn
class Counts:
    @workflow.run
    async def run(self, count: int) -> int:
        if count > 0:
            workflow.continue_as_new(count - 1)
        return 42


EVERYBODY = (Parent, Doubles, Waits, Stubborn, Counts)


async def runs(how: str, argument: Any = None, path: Path | None = None) -> Any:
    async with a_place(*EVERYBODY, activities=[double], path=path) as client:
        return await execute(client, Parent.run, how, argument)


async def test_a_child_gives_its_parent_its_result() -> None:
    assert await runs("one", 4) == 8


async def test_a_child_is_found_by_the_name_of_its_type() -> None:
    assert await runs("by_name", 4) == 8


async def test_children_run_side_by_side() -> None:
    assert await runs("many", 10) == [2 * number for number in range(10)]


async def test_a_child_without_an_id_gets_a_random_one() -> None:
    assert await runs("ids") == [True, True]


async def test_children_can_be_waited_for_like_other_futures() -> None:
    assert await runs("waits_in_a_group") == [[0, 2, 4], 0]


async def test_a_failed_child_says_which_it_was_and_why() -> None:
    assert await runs("chain") == ["child", "Doubles", "default", "Child workflow failed", "Unlucky", ["a detail"]]


async def test_a_child_error_that_leaves_run_fails_the_parent_with_the_chain_preserved() -> None:
    async with a_place(*EVERYBODY, activities=[double]) as client:
        failure = await failure_of(await start(client, Parent.run, "raises"))
    assert isinstance(failure, ChildWorkflowError)
    assert failure.workflow_id == "child"
    assert failure.initiated_event_id > 0
    assert isinstance(failure.cause, ApplicationError)
    assert failure.cause.type == "Unlucky"


async def test_a_child_is_signalled_through_its_handle() -> None:
    assert await runs("signals") == "hello"


async def test_a_child_whose_id_is_taken_cannot_be_started() -> None:
    assert await runs("taken") == ["child", "Waits"]


async def test_a_workflow_cannot_be_its_own_child() -> None:
    assert await runs("parents_own_id") == "refused"


@pytest.mark.parametrize(("policy", "becomes"), [(1, "ran"), (2, "refused"), (3, "refused")])
async def test_the_reuse_policy_of_a_child_looks_at_its_last_run(policy: int, becomes: str) -> None:
    assert await runs("reuses", policy) == becomes


async def test_a_child_that_is_retried_is_one_child() -> None:
    assert await runs("retries") == "attempt 3"


async def test_a_child_that_is_not_retried_any_more_says_why() -> None:
    assert await runs("gives_up") == RetryState.MAXIMUM_ATTEMPTS_REACHED.name


async def test_a_child_that_continues_as_new_is_one_child() -> None:
    assert await runs("follows", 3) == [42]


async def test_a_child_that_times_out_fails_with_a_timeout() -> None:
    assert await runs("times_out") == ["Workflow timed out", "START_TO_CLOSE"]


async def test_a_child_knows_its_parent_and_its_root() -> None:
    async with a_place(*EVERYBODY) as client:
        parent = await start(client, Parent.run, "waits_for", {})
        about = await _of_child(client, "child")
        run_id = parent.result_run_id
        assert about == {"parent": ["w", run_id, "default"], "root": ["w", run_id]}
        await client.get_workflow_handle("child").signal(Waits.tell, "bye")
        assert await parent.result() == "bye"
        alone = await start(client, Waits.run, id="alone")
        assert await alone.query(Waits.about) == {"parent": None, "root": None}


async def _of_child(client: Any, workflow_id: str) -> Any:
    """Ask a child once it is there."""
    await Stage.waits.wait()
    return await client.get_workflow_handle(workflow_id).query(Waits.about)


async def test_a_cancelled_parent_waits_until_its_child_has_closed() -> None:
    async with a_place(*EVERYBODY) as client:
        parent = await start(client, Parent.run, "waits_for", {})
        await _of_child(client, "child")
        await parent.cancel()
        assert isinstance(await failure_of(parent), CancelledError)
        assert await _status(client, "child") is WorkflowExecutionStatus.CANCELED
        assert (await parent.describe()).status is WorkflowExecutionStatus.CANCELED


async def test_a_child_that_swallows_its_cancellation_completes_for_its_parent_too() -> None:
    async with a_place(*EVERYBODY) as client:
        parent = await start(client, Parent.run, "waits_for", {"on_cancel": "swallow"})
        await _of_child(client, "child")
        await parent.cancel()
        assert await parent.result() == "went on"


@pytest.mark.parametrize(
    ("cancellation", "asks"),
    [
        (ChildWorkflowCancellationType.TRY_CANCEL, True),
        (ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED, True),
        (ChildWorkflowCancellationType.ABANDON, False),
    ],
)
async def test_a_cancelled_wait_for_a_child_ends_as_its_cancellation_type_says(
    cancellation: ChildWorkflowCancellationType, asks: bool
) -> None:
    async with a_place(*EVERYBODY) as client:
        parent = await start(client, Parent.run, "waits_for", {"cancellation": int(cancellation)})
        await _of_child(client, "child")
        await parent.cancel()
        assert isinstance(await failure_of(parent), CancelledError)
        # The parent is over, so its close policy ends a child that was left alone, or has not ended yet.
        await failure_of(client.get_workflow_handle("child"))
        events = await events_of(parent)
        assert ("CancelSent" in events) is asks
        is_confirmed = cancellation is ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED
        assert ("MessageDelivered" in events) is is_confirmed


@pytest.mark.parametrize("how", ["unstarted", "started"])
async def test_a_child_that_is_cancelled_before_it_was_sent_is_never_sent(how: str) -> None:
    async with a_place(*EVERYBODY) as client:
        parent = await start(client, Parent.run, "unsent", how)
        assert await parent.result() == (["cancelled"] if how == "unstarted" else ["CancelledError"])
        assert "ChildScheduled" not in await events_of(parent)
        with pytest.raises(RPCError):
            await client.get_workflow_handle("child").describe()


async def _status(client: Any, workflow_id: str) -> Any:
    return (await client.get_workflow_handle(workflow_id).describe()).status


@pytest.mark.parametrize("how", ["leaves", "goes_on"])
@pytest.mark.parametrize(
    ("policy", "ends"),
    [
        (ParentClosePolicy.TERMINATE, TerminatedError),
        (ParentClosePolicy.REQUEST_CANCEL, CancelledError),
        (ParentClosePolicy.ABANDON, None),
    ],
)
async def test_a_child_that_is_open_when_its_parent_closes_ends_as_the_policy_says(
    how: str, policy: ParentClosePolicy, ends: type | None, tmp_path: Path
) -> None:
    async with a_place(*EVERYBODY, path=tmp_path / "j.db") as client:
        assert await execute(client, Parent.run, how, int(policy)) == "left"
        child = client.get_workflow_handle("child")
        if ends is None:
            assert await _status(client, "child") is WorkflowExecutionStatus.RUNNING
            await child.signal(Waits.tell, "still here")
            assert await child.result() == "still here"
        else:
            assert isinstance(await failure_of(child), ends)
    assert verify(tmp_path / "j.db").is_sound


async def test_a_terminated_parent_takes_its_children_with_it() -> None:
    async with a_place(*EVERYBODY) as client:
        parent = await start(client, Parent.run, "waits_for", {})
        await _of_child(client, "child")
        await parent.terminate(reason="enough")
        failure = await failure_of(client.get_workflow_handle("child"))
        assert isinstance(failure, TerminatedError)
        assert failure.message == "by parent close policy"


async def test_a_terminated_child_fails_its_parent_with_a_terminated_error() -> None:
    async with a_place(*EVERYBODY) as client:
        parent = await start(client, Parent.run, "waits_for", {})
        await _of_child(client, "child")
        await client.get_workflow_handle("child").terminate()
        failure = await failure_of(parent)
        assert isinstance(failure, ChildWorkflowError)
        assert isinstance(failure.cause, TerminatedError)


async def test_a_child_on_another_task_queue_waits_for_its_worker(tmp_path: Path) -> None:
    @workflow.defn
    class Elsewhere:
        @workflow.run
        async def run(self) -> int:
            return await workflow.execute_child_workflow(Doubles.run, 3, id="child", task_queue="elsewhere")

    async with a_client(tmp_path / "j.db") as client, asyncio.timeout(10):
        async with a_worker(client, workflows=[Elsewhere]):
            parent = await start(client, Elsewhere.run)  # durable with its first turn, and that with the child
            assert await _status(client, "child") is WorkflowExecutionStatus.RUNNING
        async with (
            a_worker(client, workflows=[Doubles], activities=[double], task_queue="elsewhere"),
            a_worker(client, workflows=[Elsewhere]),
        ):
            assert await parent.result() == 6
    assert verify(tmp_path / "j.db").is_sound


async def test_children_and_results_survive_a_restart(tmp_path: Path) -> None:
    async with a_place(*EVERYBODY, path=tmp_path / "j.db") as client:
        await start(client, Parent.run, "waits_for", {})
        await _of_child(client, "child")
    async with a_place(*EVERYBODY, path=tmp_path / "j.db") as client:
        await client.get_workflow_handle("child").signal(Waits.tell, "after")
        assert await client.get_workflow_handle("w").result() == "after"
    assert verify(tmp_path / "j.db").is_sound


async def test_an_activity_error_of_a_child_is_behind_the_childs_error() -> None:
    @activity.defn
    async def fails() -> None:
        raise ApplicationError("broken", non_retryable=True)

    @workflow.defn
    class Fails:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(fails, start_to_close_timeout=SOON)

    @workflow.defn
    class Calls:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_child_workflow(Fails.run)

    async with a_place(Fails, Calls, activities=[fails]) as client:
        with pytest.raises(WorkflowFailureError) as failed:
            await execute(client, Calls.run)
    chain = [failed.value.cause]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    assert [type(link) for link in chain] == [ChildWorkflowError, ActivityError, ApplicationError]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"id": ""}, "workflow id is empty"),
        ({"run_timeout": timedelta(seconds=-1)}, "must not be negative"),
        ({"retry_policy": RetryPolicy(maximum_attempts=-1)}, "maximum_attempts"),
        ({"cron_schedule": "often"}, "cron schedule"),
        ({"task_que": "q"}, "did you mean 'task_queue'"),
        ({"args": [1, 2, 3]}, "takes other arguments"),
        ({"id_reuse_policy": WorkflowIDReusePolicy.TERMINATE_IF_RUNNING}, "TERMINATE_IF_RUNNING of child workflow"),
    ],
)
async def test_a_child_that_cannot_be_is_refused_where_it_is_asked_for(options: dict[str, Any], problem: str) -> None:
    @workflow.defn
    class Asks:
        @workflow.run
        async def run(self) -> str:
            try:
                await workflow.execute_child_workflow(Waits.run, **options)
            except (ValueError, TypeError) as refusal:
                return str(refusal)
            return "?"

    async with a_place(Asks, Waits) as client:
        assert problem in await execute(client, Asks.run)
