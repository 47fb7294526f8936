"""Interceptors of a worker: around activities and workflows, and in front of what their code calls."""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from actorflow import activity, client as clients, workflow
from actorflow.client import Client, WorkflowUpdateFailedError
from actorflow.common import RetryPolicy
from actorflow.converter import PayloadConverter
from actorflow.exceptions import ActivityError, ApplicationError, WorkflowParkedError
from actorflow.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ContinueAsNewInput,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    Replayer,
    SharedStateManager,
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from tests.support import a_client, a_worker, execute, failure_of, start
from tests.worker import in_processes

MINUTE = timedelta(minutes=1)
ONCE = RetryPolicy(maximum_attempts=1)
CONVERTER = PayloadConverter.default

user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")
HEADER = "user"


def sent(headers: Any) -> Any:
    """Headers with the user's, if there is one."""
    return headers if user.get() == "nobody" else {**headers, HEADER: CONVERTER.to_payload(user.get())}


@contextmanager
def received(headers: Any) -> Iterator[None]:
    token = user.set(CONVERTER.from_payload(headers[HEADER], str)) if HEADER in headers else None
    try:
        yield
    finally:
        if token is not None:
            user.reset(token)


class Propagates(clients.Interceptor, Interceptor):
    """Passes the user on with everything that is sent."""

    def intercept_client(self, next: clients.OutboundInterceptor) -> clients.OutboundInterceptor:
        return _FromClient(next)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _ToActivity(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _ToWorkflow


class _FromClient(clients.OutboundInterceptor):
    async def start_workflow(self, input: clients.StartWorkflowInput) -> clients.WorkflowHandle[Any, Any]:
        input.headers = sent(input.headers)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: clients.SignalWorkflowInput) -> None:
        input.headers = sent(input.headers)
        await super().signal_workflow(input)

    async def query_workflow(self, input: clients.QueryWorkflowInput) -> Any:
        input.headers = sent(input.headers)
        return await super().query_workflow(input)

    async def start_workflow_update(self, input: clients.StartWorkflowUpdateInput) -> clients.WorkflowUpdateHandle[Any]:
        input.headers = sent(input.headers)
        return await super().start_workflow_update(input)


class _ToActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        with received(input.headers):
            return await super().execute_activity(input)


class _ToWorkflow(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_FromWorkflow(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        with received(input.headers):
            return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        with received(input.headers):
            await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        with received(input.headers):
            return await super().handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        with received(input.headers):
            super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        with received(input.headers):
            return await super().handle_update_handler(input)


class _FromWorkflow(WorkflowOutboundInterceptor):
    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        input.headers = sent(input.headers)
        super().continue_as_new(input)

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        input.headers = sent(input.headers)
        await super().signal_child_workflow(input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        input.headers = sent(input.headers)
        await super().signal_external_workflow(input)

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = sent(input.headers)
        return super().start_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = sent(input.headers)
        return await super().start_child_workflow(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = sent(input.headers)
        return super().start_local_activity(input)


@activity.defn
async def who() -> str:
    return user.get()


@activity.defn
def who_in_a_thread() -> str:
    return f"{activity.info().activity_type} {user.get()}"


@workflow.defn
class Child:
    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.told) == 2)
        return [user.get(), *self.told]

    @workflow.signal
    async def tell(self) -> None:
        await workflow.sleep(0)
        self.told.append(user.get())


@workflow.defn
class Journey:
    """Goes through everything that passes headers on."""

    def __init__(self) -> None:
        self.signals: list[str] = []
        self.updates: list[str] = []

    @workflow.run
    async def run(self, seen: list[str]) -> list[Any]:
        seen = [*seen, user.get()]
        if len(seen) == 1:
            workflow.continue_as_new(seen)
        await workflow.wait_condition(lambda: bool(self.signals and self.updates))
        options: Any = {"start_to_close_timeout": MINUTE}
        seen.append(await workflow.execute_activity(who, **options))
        seen.append(await workflow.execute_activity(who_in_a_thread, **options))
        seen.append(await workflow.execute_local_activity(who, **options))
        child = await workflow.start_child_workflow(Child.run, id="child")
        await child.signal(Child.tell)
        await workflow.get_external_workflow_handle("child").signal("tell")
        return [*seen, *self.signals, *self.updates, *(await child)]

    @workflow.signal
    def tell(self) -> None:
        self.signals.append(f"signal of {user.get()}")

    @workflow.query
    def ask(self) -> str:
        return f"query of {user.get()}"

    @workflow.update
    async def add(self) -> str:
        await workflow.sleep(0)
        self.updates.append(f"update of {user.get()}")
        return self.updates[-1]

    @add.validator
    def check(self) -> None:
        if user.get() == "mallory":
            raise ValueError("mallory may not")


@pytest.mark.parametrize("cached", [0, 100])
async def test_a_header_travels_from_the_client_through_everything_that_is_sent(cached: int) -> None:
    with ThreadPoolExecutor(1) as threads:
        async with (
            asyncio.timeout(20),
            await Client.connect("memory://", interceptors=[Propagates()]) as client,
            a_worker(
                client,
                workflows=[Journey, Child],
                activities=[who, who_in_a_thread],
                activity_executor=threads,
                max_cached_workflows=cached,
            ),
        ):
            user.set("ada")
            handle = await start(client, Journey.run, [])
            user.set("mallory")
            current = client.get_workflow_handle("w")
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await current.execute_update(Journey.add)
            assert "mallory may not" in str(refused.value.cause)
            user.set("grace")
            assert await current.query(Journey.ask) == "query of grace"
            await current.signal(Journey.tell)
            assert await current.execute_update(Journey.add) == "update of grace"
            by_threads = "who_in_a_thread ada"
            assert await handle.result() == [
                *("ada", "ada"),
                *("ada", by_threads, "ada"),
                "signal of grace",
                "update of grace",
                *("ada", "ada", "ada"),
            ]
            history = await current.fetch_history()
    names = {event.event_type for event in history.events if "headers" in str(event.attributes)}
    assert names == {"Started", "SignalReceived", "UpdateAccepted", "ActivityScheduled", "ChildScheduled", "SignalSent"}
    await Replayer(workflows=[Journey], interceptors=[Propagates()]).replay_workflow(history)
    exported = clients.WorkflowHistory.from_json("w", history.to_json())
    await Replayer(workflows=[Journey], interceptors=[Propagates()]).replay_workflow(exported)


async def test_without_headers_nothing_of_them_is_journaled() -> None:
    async with (
        await Client.connect("memory://", interceptors=[Propagates()]) as client,
        a_worker(client, workflows=[Calls], activities=[who]),
    ):
        handle = await start(client, Calls.run)
        assert await handle.result() == "nobody"
        assert "headers" not in str((await handle.fetch_history()).events)


@workflow.defn
class Calls:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(who, start_to_close_timeout=MINUTE, retry_policy=ONCE)


# What interceptors change


class Adds(Interceptor):
    """Notes when it is passed, on the way in and out; for workflows and activities."""

    def __init__(self, name: str, passed: list[str]) -> None:
        self.name = name
        self.passed = passed

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        adds = self

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                adds.passed.append(f"{adds.name} activity {activity.info().activity_type}")
                return f"{adds.name}({await super().execute_activity(input)})"

        return Inbound(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        adds = self

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                assert input.type is Calls
                if not workflow.unsafe.is_replaying():
                    adds.passed.append(f"{adds.name} {workflow.info().workflow_type}")
                return f"{adds.name}<{await super().execute_workflow(input)}>"

        return Inbound


class OfBoth(Adds, clients.Interceptor):
    """In the client, too."""


async def test_the_first_is_outermost_and_those_of_the_client_come_before_the_workers() -> None:
    passed: list[str] = []
    async with (
        await Client.connect("memory://", interceptors=[OfBoth("client", passed)]) as client,
        a_worker(
            client,
            workflows=[Calls],
            activities=[who],
            interceptors=[Adds("outer", passed), Adds("inner", passed)],
            max_cached_workflows=100,
        ),
    ):
        assert await execute(client, Calls.run) == "client<outer<inner<client(outer(inner(nobody)))>>>"
    assert passed == [
        *("client Calls", "outer Calls", "inner Calls"),
        *("client activity who", "outer activity who", "inner activity who"),
    ]


class Changes(Interceptor):
    """Changes whatever a workflow is told and asks for."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions["shout"] = str.upper
        return _ChangesIn


class _ChangesIn(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        assert workflow.info().workflow_id == "w"
        super().init(_ChangesOut(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        input.args = [f"{input.args[0]}!"]
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        input.signal, input.args = "hear", [workflow.extern_functions()["shout"](input.args[0])]
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        return {"answer": await super().handle_query(input)}

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        return [input.id, await super().handle_update_handler(input)]


class _ChangesOut(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        assert (input.activity, input.ret_type) == ("repeat", str)
        input.start_to_close_timeout = MINUTE  # the workflow has left it out
        input.args = [*input.args, 2]
        return super().start_activity(input)

    def info(self) -> workflow.Info:
        return super().info()


@activity.defn
async def repeat(word: str, times: int = 1) -> str:
    return word * times


@workflow.defn
class Listens:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, word: str) -> list[str]:
        await workflow.wait_condition(lambda: len(self.heard) == 2)
        return [await workflow.execute_activity(repeat, word), *self.heard]

    @workflow.signal
    def hear(self, word: str) -> None:
        self.heard.append(word)

    @workflow.signal
    def whisper(self, word: str) -> None:
        raise AssertionError("every signal becomes hear")

    @workflow.query(dynamic=True)
    def ask(self, name: str, words: Sequence[Any]) -> str:
        return f"{name} {len(words)}"

    @workflow.update
    def say(self, word: str) -> str:
        self.heard.append(word)
        return word


async def test_what_an_interceptor_of_workflows_changes_counts() -> None:
    async with (
        a_client() as client,
        a_worker(client, workflows=[Listens], activities=[repeat], interceptors=[Changes()]),
    ):
        handle = await start(client, Listens.run, "a")
        await handle.signal("whisper", "psst")
        assert await handle.query("anything", args=[1, 2]) == {"answer": "anything 2"}
        assert await handle.execute_update("say", "u", id="the-update") == ["the-update", "u"]
        assert await handle.result() == ["a!a!", "PSST", "u"]
        history = await handle.fetch_history()
    await Replayer(workflows=[Listens], interceptors=[Changes()]).replay_workflow(history)
    with pytest.raises(RuntimeError, match="raised AssertionError on replay"):
        await Replayer(workflows=[Listens]).replay_workflow(history)


# Activities


class Watches(Interceptor):
    """Notes what activities ask for, and what comes of it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _WatchesIn(next, self.seen)


class _WatchesIn(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, seen: list[Any]) -> None:
        super().__init__(next)
        self.seen = seen

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_WatchesOut(outbound, self.seen))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        self.seen.append((type(input.executor).__name__, list(input.args)))
        try:
            return await super().execute_activity(input)
        except BaseException as problem:
            self.seen.append(type(problem).__name__)
            raise


class _WatchesOut(ActivityOutboundInterceptor):
    def __init__(self, next: ActivityOutboundInterceptor, seen: list[Any]) -> None:
        super().__init__(next)
        self.seen = seen

    def info(self) -> activity.Info:
        self.seen.append("info")
        return super().info()

    def heartbeat(self, *details: Any) -> None:
        self.seen.append(details)
        super().heartbeat("changed", *details)


@activity.defn
async def beats(word: str) -> list[Any]:
    activity.heartbeat(word)
    if activity.info().attempt == 1:
        raise ApplicationError("once more")
    return list(activity.info().heartbeat_details)


@activity.defn(name="beats")
def beats_in_a_thread(word: str) -> list[Any]:
    activity.heartbeat(word)
    if activity.info().attempt == 1:
        raise ApplicationError("once more")
    return list(activity.info().heartbeat_details)


@workflow.defn
class Beats:
    @workflow.run
    async def run(self) -> list[Any]:
        quick = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        result: Any = await workflow.execute_activity("beats", "x", start_to_close_timeout=MINUTE, retry_policy=quick)
        return result


@pytest.mark.parametrize("code", [beats, beats_in_a_thread])
async def test_an_interceptor_of_activities_stands_on_both_sides_of_the_code(code: Any) -> None:
    watches = Watches()
    with ThreadPoolExecutor(1) as threads:
        async with (
            asyncio.timeout(10),
            a_client() as client,
            a_worker(client, workflows=[Beats], activities=[code], activity_executor=threads, interceptors=[watches]),
        ):
            assert await execute(client, Beats.run) == ["changed", "x"]
    executor = "NoneType" if code is beats else "ThreadPoolExecutor"
    attempt = [(executor, ["x"]), ("x",), "info"]
    assert watches.seen == [*attempt, "ApplicationError", *attempt, "info"]


async def test_code_in_a_process_has_its_interceptors_in_the_worker() -> None:
    watches = Watches()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool, context.Manager() as manager:
        async with (
            asyncio.timeout(60),
            a_client() as client,
            a_worker(
                client,
                workflows=[Beats],
                activities=[in_processes.beats],
                activity_executor=pool,
                shared_state_manager=SharedStateManager.create_from_multiprocessing(manager),
                interceptors=[watches],
            ),
        ):
            assert await execute(client, Beats.run) == ["changed", "x"]
    assert ("ProcessPoolExecutor", ["x"]) in watches.seen
    assert ("x",) in watches.seen
    assert "ApplicationError" in watches.seen


@activity.defn
async def waits() -> None:
    activity.heartbeat()
    await asyncio.Event().wait()


@activity.defn(name="waits")
def waits_in_a_thread() -> None:
    while True:
        activity.heartbeat()
        activity.wait_for_cancelled_sync(0.01)


@workflow.defn
class Stops:
    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(
            "waits",
            start_to_close_timeout=MINUTE,
            heartbeat_timeout=MINUTE,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.sleep(0.05)
        handle.cancel()
        try:
            await handle
        except ActivityError as stopped:
            return type(stopped.cause).__name__
        return "not stopped"


@pytest.mark.parametrize("code", [waits, waits_in_a_thread])
async def test_an_activity_is_cancelled_through_its_interceptors(code: Any) -> None:
    watches = Watches()
    with ThreadPoolExecutor(1) as threads:
        async with (
            asyncio.timeout(10),
            a_client() as client,
            a_worker(client, workflows=[Stops], activities=[code], activity_executor=threads, interceptors=[watches]),
        ):
            assert await execute(client, Stops.run) == "CancelledError"
    assert watches.seen[-1] == "CancelledError"


# Mistakes


class Raises(Interceptor):
    """Raises instead of calling the code of workflows or activities."""

    def __init__(self, problem: BaseException, *, where: str) -> None:
        self.problem = problem
        self.where = where

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        raises = self

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                raise raises.problem

        return Inbound(next) if self.where == "activity" else next

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        raises = self

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                raise raises.problem

        return Inbound if self.where == "workflow" else None


async def test_what_an_interceptor_raises_fails_an_attempt() -> None:
    raises = Raises(ValueError("not today"), where="activity")
    async with a_client() as client, a_worker(client, workflows=[Calls], activities=[who], interceptors=[raises]):
        problem = await failure_of(await start(client, Calls.run))
        assert isinstance(problem, ActivityError)
        assert isinstance(problem.cause, ApplicationError)
        assert (problem.cause.type, problem.cause.message) == ("ValueError", "not today")


async def test_a_failure_an_interceptor_raises_fails_the_workflow() -> None:
    raises = Raises(ApplicationError("not today"), where="workflow")
    async with a_client() as client, a_worker(client, workflows=[Calls], activities=[who], interceptors=[raises]):
        assert str(await failure_of(await start(client, Calls.run))) == "not today"


@pytest.mark.usefixtures("quick_retries")
async def test_anything_else_an_interceptor_raises_parks_the_workflow_which_goes_on_without_it() -> None:
    raises = Raises(KeyError("a bug"), where="workflow")
    async with a_client() as client:
        async with a_worker(client, workflows=[Calls], activities=[who], interceptors=[raises]):
            handle = await start(client, Calls.run)
            with pytest.raises(WorkflowParkedError):
                await handle.result()
        async with a_worker(client, workflows=[Calls], activities=[who]):
            assert await handle.result() == "nobody"


class Forgetful(WorkflowInboundInterceptor):
    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        pass


class Hoards(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        pass


class Gives(Interceptor):
    def __init__(self, cls: Any) -> None:
        self.cls = cls

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> Any:
        return self.cls


@pytest.mark.parametrize(
    ("interceptors", "problem"),
    [
        ([Propagates], r"interceptors\[0\] is the class Propagates; pass an instance"),
        ([clients.Interceptor()], r"interceptors\[0\] must be an actorflow.worker.Interceptor"),
        ([Gives("a text")], "workflow_interceptor_class of Gives must return a class derived from"),
        ([Gives(Hoards(None))], "must return a class derived from"),  # pyright: ignore[reportArgumentType]
    ],
)
async def test_what_is_no_interceptor_is_refused_by_name(interceptors: Sequence[Any], problem: str) -> None:
    async with a_client() as client:
        with pytest.raises(TypeError, match=problem):
            a_worker(client, workflows=[Calls], activities=[who], interceptors=interceptors)
    with pytest.raises(TypeError, match=problem):
        Replayer(workflows=[Calls], interceptors=interceptors)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        (
            Forgetful,
            r"Forgetful is an interceptor without a next one; let its __init__ call super\(\).__init__\(next\)",
        ),
        (Hoards, r"init of Hoards keeps the outbound interceptor to itself; call self.next.init\(outbound\)"),
    ],
)
async def test_an_interceptor_that_breaks_the_chain_parks_the_workflow_by_name(cls: Any, problem: str) -> None:
    async with a_client() as client, a_worker(client, workflows=[Calls], activities=[who], interceptors=[Gives(cls)]):
        handle = await start(client, Calls.run)
        with pytest.raises(WorkflowParkedError) as parked:
            await handle.result()
        assert re.search(problem, str(parked.value.__cause__))
