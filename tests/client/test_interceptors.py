"""Interceptors of a client: what they see of each call, what they can change, and who may be one."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, client as public, workflow
from actorflow.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    StartWorkflowInput,
    WithStartWorkflowOperation,
    WorkflowUpdateStage,
)
from actorflow.common import WorkflowIDConflictPolicy
from actorflow.converter import PayloadConverter
from tests.support import a_worker, failure_of

MINUTE = timedelta(minutes=1)
CALLS = sorted(
    name
    for cls in OutboundInterceptor.__mro__
    for name in vars(cls)
    if not name.startswith("_") and callable(getattr(cls, name))
)


class Records(Interceptor):
    """Notes each call with its input, and passes it on."""

    def __init__(self, name: str = "", calls: list[tuple[str, Any]] | None = None) -> None:
        self.name = name
        self.calls: list[tuple[str, Any]] = [] if calls is None else calls

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Recording(next, self)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class _Recording(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, records: Records) -> None:
        super().__init__(next)
        self.records = records


def _recorded(name: str) -> Any:
    def call(self: _Recording, input: Any) -> Any:
        self.records.calls.append((self.records.name + name, dataclasses.replace(input)))
        return getattr(self.next, name)(input)

    return call


for _name in CALLS:
    setattr(_Recording, _name, _recorded(_name))


class Leaves:
    """Leaves itself open; ``left`` has an entry for each attempt whose code has ended."""

    def __init__(self) -> None:
        self.left: asyncio.Queue[None] = asyncio.Queue()

    @activity.defn
    async def leave_open(self) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: self.left.put_nowait(None))
        activity.raise_complete_async()


@workflow.defn
class Conversation:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, first: str) -> list[str]:
        self.heard.insert(0, first)
        await workflow.wait_condition(lambda: "bye" in self.heard)
        return self.heard

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)

    @workflow.query
    def count(self, more: int) -> int:
        return len(self.heard) + more

    @workflow.update
    def add(self, word: str) -> str:
        self.heard.append(word)
        return word.upper()


@workflow.defn
class Outside:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity_method(Leaves.leave_open, start_to_close_timeout=MINUTE)


async def test_an_interceptor_sees_every_call_about_an_execution() -> None:
    seen = Records()
    async with (
        await Client.connect("memory://", interceptors=[seen]) as client,
        a_worker(client, workflows=[Conversation]),
    ):
        handle = await client.start_workflow(
            Conversation.run, "hello", id="w", task_queue="q", start_signal="hear", start_signal_args=["early"]
        )
        await handle.signal(Conversation.hear, "you")
        assert await handle.query(Conversation.count, 1) == 4
        assert await handle.execute_update(Conversation.add, "there") == "THERE"
        assert (await handle.describe()).id == "w"
        assert len((await handle.fetch_history()).events) > 2
        assert [found.id async for found in client.list_workflows("", limit=5)] == ["w"]
        assert (await client.count_workflows()).count == 1
        await handle.cancel(reason="enough")
        other = WithStartWorkflowOperation(
            Conversation.run, "a", id="v", task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        assert (
            await client.execute_update_with_start_workflow(Conversation.add, "b", start_workflow_operation=other)
            == "B"
        )
        await (await other.workflow_handle()).terminate("because", reason="of")
    by_name = dict(seen.calls)
    assert sorted(by_name) == [
        "cancel_workflow",
        "count_workflows",
        "describe_workflow",
        "fetch_workflow_history_events",
        "list_workflows",
        "query_workflow",
        "signal_workflow",
        "start_update_with_start_workflow",
        "start_workflow",
        "start_workflow_update",
        "terminate_workflow",
    ]
    start = by_name["start_workflow"]
    assert (start.workflow, list(start.args), start.id, start.headers) == ("Conversation", ["hello"], "w", {})
    assert (start.start_signal, list(start.start_signal_args)) == ("hear", ["early"])
    signal, query, update = (
        by_name[f"{what}_workflow{more}"] for what, more in (("signal", ""), ("query", ""), ("start", "_update"))
    )
    assert (signal.id, signal.signal, list(signal.args)) == ("w", "hear", ["you"])
    assert (query.query, list(query.args), query.ret_type) == ("count", [1], int)
    assert (update.update, list(update.args), update.wait_for_stage) == (
        "add",
        ["there"],
        WorkflowUpdateStage.COMPLETED,
    )
    assert by_name["cancel_workflow"].reason == "enough"
    assert by_name["list_workflows"].limit == 5
    both = by_name["start_update_with_start_workflow"]
    assert (both.start_workflow_input.id, both.update_workflow_input.update) == ("v", "add")
    assert (list(by_name["terminate_workflow"].args), by_name["terminate_workflow"].reason) == (["because"], "of")


async def test_an_interceptor_sees_what_is_said_of_activities_from_outside() -> None:
    seen, leaves = Records(), Leaves()
    async with (
        await Client.connect("memory://", interceptors=[seen]) as client,
        a_worker(client, workflows=[Outside], activities=[leaves.leave_open]),
    ):
        for id, end in (("done", "complete"), ("failed", "fail"), ("stopped", "report_cancellation")):
            workflow_handle = await client.start_workflow(Outside.run, id=id, task_queue="q")
            handle = client.get_async_activity_handle(workflow_id=id, run_id=None, activity_id="1")
            await leaves.left.get()
            await handle.heartbeat("alive")
            if end == "complete":
                await handle.complete("by hand")
                assert await workflow_handle.result() == "by hand"
            elif end == "fail":
                await handle.fail(ValueError("no"), last_heartbeat_details=["then"])
                await workflow_handle.terminate()
            else:
                with pytest.raises(public.RPCError):  # nobody has asked for it
                    await handle.report_cancellation("why")
                await workflow_handle.terminate()
    by_name = dict(seen.calls)
    assert list(by_name["heartbeat_async_activity"].details) == ["alive"]
    assert by_name["complete_async_activity"].result == "by hand"
    assert isinstance(by_name["fail_async_activity"].error, ValueError)
    assert list(by_name["report_cancellation_async_activity"].details) == ["why"]


async def test_an_interceptor_sees_every_call_about_a_schedule_and_gives_its_starts_headers() -> None:
    seen = Records()
    converter = PayloadConverter.default

    class Marks(OutboundInterceptor):
        async def create_schedule(self, input: public.CreateScheduleInput) -> public.ScheduleHandle:
            action = input.schedule.action
            assert isinstance(action, ScheduleActionStartWorkflow)
            action.headers = {"by": converter.to_payload("a schedule")}
            return await super().create_schedule(input)

    class Marking(Interceptor):
        def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
            return Marks(next)

    told: asyncio.Queue[str] = asyncio.Queue()

    @activity.defn
    async def tell(word: str) -> None:
        told.put_nowait(word)

    @workflow.defn
    class Told:
        @workflow.run
        async def run(self) -> None:
            word = workflow.payload_converter().from_payload(workflow.info().headers["by"], str)
            await workflow.execute_activity(tell, word, start_to_close_timeout=MINUTE)

    async def later(input: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(input.description.schedule)

    async with await Client.connect("memory://", interceptors=[seen, Marking()]) as client:
        action = ScheduleActionStartWorkflow("Told", id="told", task_queue="q")
        schedule = Schedule(action, ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(days=900))]))
        handle = await client.create_schedule("s", schedule)
        await handle.update(later)
        async with a_worker(client, workflows=[Told], activities=[tell]):
            await handle.trigger()
            assert await told.get() == "a schedule"
        description = await handle.describe()
        await handle.pause(note="for now")
        await handle.unpause()
        now = client.engine.clock.now()
        await handle.backfill(ScheduleBackfill(now, now))
        assert [one.id async for one in await client.list_schedules()] == ["s"]
        await handle.delete()
    assert isinstance(description.schedule.action, ScheduleActionStartWorkflow)
    assert description.schedule.action.headers == {"by": converter.to_payload("a schedule")}
    assert {name for name in seen.names if name in CALLS} == {name for name in CALLS if "schedule" in name}
    assert dict(seen.calls)["pause_schedule"].note == "for now"


class Polite(Interceptor):
    """Changes what is said, and what is answered."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Polite(next)


class _Polite(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> public.WorkflowHandle[Any, Any]:
        input.args, input.id, input.memo = ["good morning"], f"polite-{input.id}", {"changed": True}
        return await super().start_workflow(input)

    async def signal_workflow(self, input: public.SignalWorkflowInput) -> None:
        await super().signal_workflow(dataclasses.replace(input, args=[f"{word}, please" for word in input.args]))

    async def query_workflow(self, input: public.QueryWorkflowInput) -> Any:
        return -await super().query_workflow(input)


async def test_what_an_interceptor_changes_counts() -> None:
    async with (
        await Client.connect("memory://", interceptors=[Polite()]) as client,
        a_worker(client, workflows=[Conversation]),
    ):
        handle = await client.start_workflow(Conversation.run, "hi", id="w", task_queue="q")
        assert handle.id == "polite-w"
        await handle.signal(Conversation.hear, "listen")
        assert await handle.query(Conversation.count, 0) == -2
        await Client(client.service_client).get_workflow_handle(handle.id).signal("hear", "bye")
        assert await handle.result() == ["good morning", "listen, please", "bye"]
        assert await (await handle.describe()).memo() == {"changed": True}


class Refuses(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        class Refusing(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> public.WorkflowHandle[Any, Any]:
                raise PermissionError(f"{input.id} may not be started")

        return Refusing(next)


async def test_what_an_interceptor_raises_reaches_the_caller_and_nothing_has_happened() -> None:
    async with await Client.connect("memory://", interceptors=[Refuses()]) as client:
        with pytest.raises(PermissionError, match="w may not be started"):
            await client.start_workflow(Conversation.run, "hi", id="w", task_queue="q")
        assert (await client.count_workflows()).count == 0


async def test_the_first_interceptor_is_outermost_and_a_clone_of_the_client_has_the_same() -> None:
    calls: list[tuple[str, Any]] = []
    outer, inner = Records("outer ", calls), Records("inner ", calls)
    async with await Client.connect("memory://", interceptors=[outer, inner]) as client:
        await client.count_workflows()
        assert outer.names == ["outer count_workflows", "inner count_workflows"]
        await Client(**client.config()).count_workflows()
        assert len(calls) == 4


async def test_a_handle_of_a_list_goes_through_the_interceptors() -> None:
    seen = Records()
    async with await Client.connect("memory://", interceptors=[seen]) as client:
        await client.start_workflow(Conversation.run, "hi", id="w", task_queue="q")
        assert [one.workflow_id async for one in client.list_workflows().map_histories()] == ["w"]
    assert seen.names == ["start_workflow", "list_workflows", "fetch_workflow_history_events"]


class Forgetful(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor) -> None:
        pass


class MakesNothing(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> Any:
        return None


class MakesForgetful(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return Forgetful(next)


@pytest.mark.parametrize(
    ("interceptors", "problem"),
    [
        ([Records], r"interceptors\[0\] is the class Records; pass an instance"),
        ([Records(), object()], r"interceptors\[1\] must be an actorflow.client.Interceptor"),
        ([MakesNothing()], "intercept_client of MakesNothing must return an OutboundInterceptor, not None"),
        ([MakesForgetful()], r"Forgetful is an interceptor without a next one; let its __init__ call super\(\)"),
    ],
)
async def test_what_is_no_interceptor_is_refused_by_name(interceptors: Sequence[Any], problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        await Client.connect("memory://", interceptors=interceptors)


async def test_headers_have_to_be_payloads() -> None:
    class Wrong(OutboundInterceptor):
        async def signal_workflow(self, input: public.SignalWorkflowInput) -> None:
            input.headers = {"user": "ada"}  # pyright: ignore[reportAttributeAccessIssue]
            await super().signal_workflow(input)

    class Wrongly(Interceptor):
        def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
            return Wrong(next)

    async with (
        await Client.connect("memory://", interceptors=[Wrongly()]) as client,
        a_worker(client, workflows=[Conversation]),
    ):
        handle = await client.start_workflow(Conversation.run, "hi", id="w", task_queue="q")
        with pytest.raises(TypeError, match="header 'user' must be a payload"):
            await handle.signal(Conversation.hear, "you")
        await handle.terminate()
        assert (await failure_of(handle)).__class__.__name__ == "TerminatedError"
