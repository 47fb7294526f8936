"""What executions send each other arrives once, in whatever moment of its receiver's life it comes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowContinuedAsNewError
from actorflow.exceptions import CancelledError, TerminatedError, TimeoutError, WorkflowAlreadyStartedError
from actorflow.workflow import ParentClosePolicy
from tests.crashes import invariants
from tests.crashes.gated import a_gated_client
from tests.support import a_client, a_place, a_worker, failure_of, start


@activity.defn
async def nothing() -> None:
    """Be done at once."""


@workflow.defn
class Listens:
    """Collects what it is told, until it is told "finish"."""

    def __init__(self) -> None:
        self._told: list[str] = []

    @workflow.signal
    def tell(self, text: str) -> None:
        self._told.append(text)

    @workflow.query
    def told(self) -> list[str]:
        return self._told

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "finish" in self._told)
        return self._told


@workflow.defn
class Hurries:
    """Is over with its first turn or its second, and says what it was told until then."""

    def __init__(self) -> None:
        self._told: list[str] = []

    @workflow.signal
    def tell(self, text: str) -> None:
        self._told.append(text)

    @workflow.run
    async def run(self, works: bool = False) -> list[str]:
        if works:
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=5))
        return self._told


@workflow.defn
class Tells:
    """Tells another workflow something, once it is asked to, and says what came of it."""

    def __init__(self) -> None:
        self._is_asked = False

    @workflow.signal
    def ask(self) -> None:
        self._is_asked = True

    @workflow.run
    async def run(self, to: str, text: str, at_once: bool = False) -> str:
        await workflow.wait_condition(lambda: at_once or self._is_asked)
        try:
            await workflow.get_external_workflow_handle(to).signal("tell", text)
        except Exception as problem:
            return type(problem).__name__
        return "told"


@workflow.defn
class Restless:
    """Continues as new with its first turn, and then listens."""

    @workflow.run
    async def run(self, is_first: bool) -> None:
        if is_first:
            workflow.continue_as_new(False)
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Parents:
    """Starts a child and leaves it to its policy, at once or when it is told to."""

    def __init__(self) -> None:
        self._may_leave = False

    @workflow.signal
    def leave(self) -> None:
        self._may_leave = True

    @workflow.run
    async def run(self, child_type: str, child_id: str, queue: str, policy: int, waits: bool = False) -> str:
        await workflow.start_child_workflow(
            child_type, id=child_id, task_queue=queue, parent_close_policy=ParentClosePolicy(policy)
        )
        await workflow.wait_condition(lambda: self._may_leave or not waits)
        return "done"


@workflow.defn
class Delegates:
    """Lets a child do the work, once it is asked to."""

    def __init__(self) -> None:
        self._is_asked = False

    @workflow.signal
    def ask(self) -> None:
        self._is_asked = True

    @workflow.run
    async def run(self, child_id: str, queue: str) -> str:
        await workflow.wait_condition(lambda: self._is_asked)
        await workflow.execute_child_workflow("Hurries", id=child_id, task_queue=queue)
        return "done"


ALL = [Listens, Hurries, Tells, Restless, Parents, Delegates]
IN_MEMORY = 100
"""Programs of a worker whose runs are not read again while a gate of the store is closed: that would wait for it."""


@pytest.mark.parametrize("cached", [0, 100])
async def test_a_start_that_is_refused_has_no_successor(cached: int) -> None:
    async with a_place(*ALL, max_cached_workflows=cached) as client:
        existing = await start(client, Listens.run)
        with pytest.raises(WorkflowAlreadyStartedError):
            await start(client, Restless.run, True)
        await client.get_workflow_handle("w").signal("tell", "finish")
        assert await existing.result() == ["finish"]


@pytest.mark.parametrize("cached", [0, 100])
async def test_a_start_that_is_refused_has_told_nobody_anything(cached: int) -> None:
    async with a_place(*ALL, max_cached_workflows=cached) as client:
        existing, other = await start(client, Listens.run), await start(client, Listens.run, id="other")
        with pytest.raises(WorkflowAlreadyStartedError):
            await start(client, Tells.run, "other", "phantom", True)
        for handle in (existing, other):
            await handle.signal("tell", "finish")
            assert await handle.result() == ["finish"]


@pytest.mark.parametrize("begins", ["as a child", "by a client"])
async def test_a_run_that_has_just_begun_takes_what_is_under_way_to_it(tmp_path: Path, begins: str) -> None:
    path = tmp_path / "j.db"
    async with (
        asyncio.timeout(10),
        a_gated_client(path) as (client, store),
        a_worker(client, workflows=ALL, activities=[nothing], max_cached_workflows=IN_MEMORY),
        asyncio.TaskGroup() as group,
    ):
        sender = await start(client, Tells.run, "hurried", "hello", id="sender")
        store.before_commit.close()
        if begins == "as a child":
            beginning = start(client, Parents.run, "Hurries", "hurried", "q", ParentClosePolicy.ABANDON, id="parent")
        else:
            beginning = start(client, Hurries.run, True, id="hurried")
        group.create_task(beginning)
        await store.before_commit.reached.wait()
        group.create_task(sender.signal(Tells.ask))
        await rounds()  # the sender sends it to somebody who is not there yet
        store.before_commit.open()
        store.before_commit.close()  # the begin is written, and what the sender sends held up
        await store.before_commit.reached.wait()
        await rounds()  # whoever has begun could come to an end now
        store.before_commit.open()
        assert await sender.result() == "told"
        assert await client.get_workflow_handle("hurried").result() == ["hello"]
    invariants.check(path)


async def test_a_child_that_a_worker_finds_before_its_parent_knows_that_it_has_begun_waits_for_that(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.db"
    async with (
        asyncio.timeout(10),
        a_gated_client(path) as (client, store),
        a_worker(client, workflows=ALL, max_cached_workflows=IN_MEMORY),
    ):
        parent = await start(client, Delegates.run, "child", "late", id="parent")
        store.after_commit.close(for_one=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(parent.signal(Delegates.ask))
            await store.after_commit.reached.wait()  # the child is on disk, and nobody here has heard of that
            async with a_worker(client, workflows=ALL, task_queue="late"):
                await rounds()
                store.after_commit.open()
                assert await parent.result() == "done"
    invariants.check(path)


async def test_a_run_that_is_being_read_does_not_miss_what_is_written_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with asyncio.timeout(10), a_gated_client(path) as (client, store):  # noqa: SIM117 - what waits, and what comes
        async with a_worker(client, workflows=[Tells], task_queue="other"):
            receiver = await start(client, Listens.run, id="receiver")
            store.after_load.close(for_one=True)
            store.before_commit.close()
            sending = asyncio.ensure_future(
                client.start_workflow(Tells.run, args=["receiver", "hello", True], id="sender", task_queue="other")
            )
            await store.before_commit.reached.wait()
            asking = asyncio.ensure_future(receiver.query(Listens.told))
            await store.after_load.reached.wait()  # the receiver was read without what is being written to it
            store.before_commit.open()
            sender = await sending
            await rounds()
            async with a_worker(client, workflows=[Listens]):
                store.after_load.open()
                assert await asking == ["hello"]
                assert await sender.result() == "told"
                await receiver.signal(Listens.tell, "finish")
                assert await receiver.result() == ["hello", "finish"]
    invariants.check(path)


async def test_a_child_without_a_worker_that_was_to_end_with_its_parent_ends_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with (
        asyncio.timeout(10),
        a_gated_client(path) as (client, store),
        a_worker(client, workflows=ALL, max_cached_workflows=IN_MEMORY),
    ):
        parent = await start(
            client, Parents.run, "Listens", "child", "nowhere", ParentClosePolicy.TERMINATE, True, id="parent"
        )
        await rounds()
        store.after_load.close()
        await parent.signal(Parents.leave)
        await store.after_load.reached.wait()  # the child was to be ended now
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, workflows=ALL):
        assert isinstance(await failure_of(client.get_workflow_handle("child")), TerminatedError)
    invariants.check(path)


async def test_a_run_that_never_began_times_out_after_a_restart_beside_any_worker(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with a_client(path) as client:
        await client.start_workflow(Listens.run, id="w", task_queue="nowhere", run_timeout=timedelta(milliseconds=300))
    async with asyncio.timeout(10), a_client(path) as client, a_worker(client, workflows=ALL):
        assert isinstance(await failure_of(client.get_workflow_handle("w")), TimeoutError)
    invariants.check(path)


@pytest.mark.parametrize("cached", [0, 100])
async def test_a_question_to_a_run_that_is_to_begin_later_is_answered_once_it_has_begun(cached: int) -> None:
    async with a_place(*ALL, max_cached_workflows=cached) as client:
        handle = await start(client, Listens.run, start_delay=timedelta(milliseconds=300))
        await handle.signal(Listens.tell, "hello")
        assert await handle.query(Listens.told) == ["hello"]
        await handle.signal(Listens.tell, "finish")
        assert await handle.result() == ["hello", "finish"]


@workflow.defn
class Stops:
    """Asks another run to stop."""

    @workflow.run
    async def run(self, workflow_id: str, run_id: str) -> None:
        await workflow.get_external_workflow_handle(workflow_id, run_id=run_id).cancel()


async def test_a_later_run_of_a_chain_can_be_cancelled_by_its_run_id() -> None:
    async with a_place(*ALL, Stops) as client:
        first = await start(client, Restless.run, True)
        with pytest.raises(WorkflowContinuedAsNewError) as continued:
            await first.result(follow_runs=False)
        second = continued.value.new_execution_run_id
        await (await start(client, Stops.run, "w", second, id="stops")).result()
        assert isinstance(await failure_of(first), CancelledError)


async def rounds() -> None:
    """More rounds of the event loop than what is being done needs while nothing is written."""
    for _ in range(200):
        await asyncio.sleep(0)
