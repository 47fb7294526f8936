"""A user makes mistakes with values: each is told what was wrong, and nobody else notices."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    Client,
    RPCError,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowParkedError,
    WorkflowQueryFailedError,
)
from actorflow.common import RetryPolicy
from actorflow.exceptions import ActivityError, ApplicationError, PayloadError
from tests.support import a_client, a_worker, events_of, start

SOON = timedelta(seconds=5)
ONCE = RetryPolicy(maximum_attempts=1)
PATIENCE = 30.0
"""Seconds until a test says that something hangs."""


class Odd(BaseException):
    """Neither an Exception nor a cancellation."""


class Speechless(Exception):
    """Its __str__ is broken."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def complain(kind: str) -> Any:
    match kind:
        case "a BaseException":
            raise Odd("odd")
        case "sys.exit":
            sys.exit(3)
        case "a number as message":
            raise ApplicationError(404)  # pyright: ignore[reportArgumentType]
        case "an exception as message":
            raise ApplicationError(ValueError("inner"))  # pyright: ignore[reportArgumentType]
        case "None as message":
            raise ApplicationError(None)  # pyright: ignore[reportArgumentType]
        case "a lone surrogate as message":
            raise ApplicationError("\ud800")
        case "a class as type":
            raise ApplicationError("x", type=ValueError)  # pyright: ignore[reportArgumentType]
        case "a lone surrogate as type":
            raise ApplicationError("x", type="\ud800")
        case "seconds as next_retry_delay":
            raise ApplicationError("x", next_retry_delay=5)  # pyright: ignore[reportArgumentType]
        case "text as category":
            raise ApplicationError("x", category="benign")  # pyright: ignore[reportArgumentType]
        case "text as non_retryable":
            raise ApplicationError("x", non_retryable="yes")  # pyright: ignore[reportArgumentType]
        case "an object as details":
            raise ApplicationError("x", object())
        case "NaN as details":
            raise ApplicationError("x", float("nan"))
        case "a broken __str__":
            raise Speechless
        case "itself as cause":
            problem = ValueError("loop")
            problem.__cause__ = problem
            raise problem
        case "a very long message":
            raise ApplicationError("x" * 3_000_000)
        case "an exception group":
            raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])
        case "a cancellation nobody asked for":
            raise asyncio.CancelledError
        case "StopIteration":
            raise StopIteration(1)
        case "an object as result":
            return object()
        case "a lone surrogate as result":
            return "\ud800"
        case "a huge result":
            return "x" * 3_000_000
        case "itself as result":
            endless: list[Any] = []
            endless.append(endless)
            return endless
    raise AssertionError(kind)


COMPLAINTS = [
    "a BaseException",
    "sys.exit",
    "a number as message",
    "an exception as message",
    "None as message",
    "a lone surrogate as message",
    "a class as type",
    "a lone surrogate as type",
    "seconds as next_retry_delay",
    "text as category",
    "text as non_retryable",
    "an object as details",
    "NaN as details",
    "a broken __str__",
    "itself as cause",
    "a very long message",
    "an exception group",
    "a cancellation nobody asked for",
    "StopIteration",
    "an object as result",
    "a lone surrogate as result",
    "a huge result",
    "itself as result",
]


@activity.defn
async def complaining(kind: str) -> Any:
    return complain(kind)


@activity.defn
def complaining_in_a_thread(kind: str) -> Any:
    if kind == "KeyboardInterrupt":
        raise KeyboardInterrupt
    return complain(kind)


@activity.defn
async def echo(value: Any) -> Any:
    return value


def options_of(kind: str) -> dict[str, Any]:
    match kind:
        case "start_to_close_timeout=timedelta.max":
            return {"start_to_close_timeout": timedelta.max}
        case "schedule_to_close_timeout=timedelta.max":
            return {"schedule_to_close_timeout": timedelta.max}
        case "schedule_to_start_timeout=timedelta.max":
            return {"schedule_to_start_timeout": timedelta.max}
        case "heartbeat_timeout=timedelta.max":
            return {"heartbeat_timeout": timedelta.max}
        case "start_to_close_timeout=5":
            return {"start_to_close_timeout": 5}
        case "non_retryable_error_types=[ValueError]":
            return {"retry_policy": RetryPolicy(non_retryable_error_types=[ValueError])}  # pyright: ignore[reportArgumentType]
        case "backoff_coefficient=inf":
            return {"retry_policy": RetryPolicy(backoff_coefficient=float("inf"))}
        case "backoff_coefficient=nan":
            return {"retry_policy": RetryPolicy(backoff_coefficient=float("nan"))}
        case "maximum_attempts=1.5":
            return {"retry_policy": RetryPolicy(maximum_attempts=1.5)}  # pyright: ignore[reportArgumentType]
        case "initial_interval=timedelta.max":
            return {"retry_policy": RetryPolicy(initial_interval=timedelta.max)}
        case "retry_policy={}":
            return {"retry_policy": {}}
        case "activity_id=5":
            return {"activity_id": 5}
        case "activity_id='\\ud800'":
            return {"activity_id": "\ud800"}
        case "task_queue='\\ud800'":
            return {"task_queue": "\ud800"}
        case "task_queue=7":
            return {"task_queue": 7}
        case "summary='\\ud800'":
            return {"summary": "\ud800"}
        case "summary=7":
            return {"summary": 7}
        case "cancellation_type='abandon'":
            return {"cancellation_type": "abandon"}
        case "result_type=7":
            return {"result_type": 7}
        case "tsk_queue='q'":
            return {"tsk_queue": "q"}
        case _:
            raise AssertionError(kind)


OPTIONS = [
    "start_to_close_timeout=timedelta.max",
    "schedule_to_close_timeout=timedelta.max",
    "schedule_to_start_timeout=timedelta.max",
    "heartbeat_timeout=timedelta.max",
    "start_to_close_timeout=5",
    "non_retryable_error_types=[ValueError]",
    "backoff_coefficient=inf",
    "backoff_coefficient=nan",
    "maximum_attempts=1.5",
    "initial_interval=timedelta.max",
    "retry_policy={}",
    "activity_id=5",
    "activity_id='\\ud800'",
    "task_queue='\\ud800'",
    "task_queue=7",
    "summary='\\ud800'",
    "summary=7",
    "cancellation_type='abandon'",
    "result_type=7",
    "tsk_queue='q'",
]


async def call_of(kind: str) -> Any:
    match kind:
        case "sleep(timedelta.max)":
            await workflow.sleep(timedelta.max)
        case "sleep(nan)":
            await workflow.sleep(float("nan"))
        case "asyncio.sleep(inf)":
            await asyncio.sleep(float("inf"))
        case "sleep('1')":
            await workflow.sleep("1")  # pyright: ignore[reportArgumentType]
        case "sleep summary='\\ud800'":
            await workflow.sleep(0.001, summary="\ud800")
        case "sleep summary=7":
            await workflow.sleep(0.001, summary=7)  # pyright: ignore[reportArgumentType]
        case "execute_activity(7)":
            await workflow.execute_activity(7, start_to_close_timeout=SOON)  # pyright: ignore[reportCallIssue, reportArgumentType]
        case "execute_activity('\\ud800')":
            await workflow.execute_activity("\ud800", start_to_close_timeout=SOON, retry_policy=ONCE)
        case "execute_activity('')":
            await workflow.execute_activity("", start_to_close_timeout=SOON, retry_policy=ONCE)
        case "a condition that raises":
            await workflow.wait_condition(lambda: complain("a broken __str__"))
        case "a condition that is no function":
            await workflow.wait_condition(None)  # pyright: ignore[reportArgumentType]
        case "deep recursion":
            await call_of(kind)
        case "another thread":
            await asyncio.to_thread(print)
        case _:
            raise AssertionError(kind)


CALLS = [
    "sleep(nan)",
    "sleep('1')",
    "sleep summary='\\ud800'",
    "sleep summary=7",
    "execute_activity(7)",
    "execute_activity('\\ud800')",
    "execute_activity('')",
    "a condition that raises",
    "a condition that is no function",
    "deep recursion",
    "another thread",
]


@workflow.defn
class Odds:
    def __init__(self) -> None:
        self.is_done = False

    @workflow.signal
    def finish(self) -> None:
        self.is_done = True

    @workflow.signal
    def complain(self, kind: str) -> None:
        complain(kind)

    @workflow.query
    def ask(self, kind: str) -> Any:
        return complain(kind)

    @workflow.run
    async def run(self, where: str = "wait", kind: str = "") -> Any:
        match where:
            case "activity":
                return await workflow.execute_activity(
                    complaining, kind, start_to_close_timeout=SOON, retry_policy=ONCE
                )
            case "thread":
                return await workflow.execute_activity(
                    complaining_in_a_thread, kind, start_to_close_timeout=SOON, retry_policy=ONCE
                )
            case "options":
                options: Any = {"start_to_close_timeout": SOON, "retry_policy": ONCE, **options_of(kind)}
                return await workflow.execute_activity("echo", "x", **options)
            case "echo":
                return await workflow.execute_activity(echo, "x", start_to_close_timeout=SOON)
            case "run":
                return complain(kind)
            case "call":
                await call_of(kind)
            case _:
                await workflow.wait_condition(lambda: self.is_done)
        return "done"


async def settled(handle: WorkflowHandle[Any, Any]) -> Any:
    """How an execution came out: its result, or the error; a hang fails the test."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await handle.result()
    except (WorkflowFailureError, WorkflowParkedError) as outcome:
        return outcome


async def assert_nobody_else_noticed(client: Client) -> None:
    async with asyncio.timeout(PATIENCE):
        neighbour = await start(client, Odds.run, "echo", id="neighbour")
        assert await neighbour.result() == "x"


async def outcome_on_a_file(path: Path, where: str, kind: str) -> Any:
    """Run it on a file, see that the neighbours live and that the journal can be read, also afterwards by others."""
    with ThreadPoolExecutor(1) as executor:
        served = {
            "workflows": [Odds],
            "activities": [complaining, complaining_in_a_thread, echo],
            "activity_executor": executor,
            "max_concurrent_activities": 1,
        }
        async with a_client(path) as client, a_worker(client, **served):
            handle = await start(client, Odds.run, where, kind)
            outcome = await settled(handle)
            await assert_nobody_else_noticed(client)
            before = await events_of(handle)
        async with a_client(path) as client:
            assert await events_of(client.get_workflow_handle("w")) == before
            if not isinstance(outcome, WorkflowParkedError):
                again = await settled(client.get_workflow_handle("w"))
                assert repr(getattr(again, "cause", again)) == repr(getattr(outcome, "cause", outcome))
    return outcome


@pytest.mark.parametrize("kind", COMPLAINTS)
async def test_whatever_an_activity_raises_or_returns_its_workflow_learns_of_it(tmp_path: Path, kind: str) -> None:
    outcome = await outcome_on_a_file(tmp_path / "j.db", "activity", kind)
    assert isinstance(outcome, WorkflowFailureError)
    assert isinstance(outcome.cause, ActivityError)
    assert isinstance(outcome.cause.cause, ApplicationError)
    assert isinstance(outcome.cause.cause.message, str)


@pytest.mark.parametrize("kind", [*COMPLAINTS, "KeyboardInterrupt"])
async def test_whatever_a_thread_raises_or_returns_its_workflow_learns_of_it(tmp_path: Path, kind: str) -> None:
    outcome = await outcome_on_a_file(tmp_path / "j.db", "thread", kind)
    assert isinstance(outcome, WorkflowFailureError)
    assert isinstance(outcome.cause, ActivityError)
    assert isinstance(outcome.cause.cause, ApplicationError)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("kind", COMPLAINTS)
async def test_whatever_a_workflow_raises_or_returns_it_fails_or_is_parked(tmp_path: Path, kind: str) -> None:
    outcome = await outcome_on_a_file(tmp_path / "j.db", "run", kind)
    assert isinstance(outcome, WorkflowFailureError | WorkflowParkedError)
    cause = outcome.__cause__
    assert isinstance(cause, ApplicationError)
    assert isinstance(cause.message, str)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("kind", OPTIONS)
async def test_an_odd_activity_option_works_or_is_refused_where_it_is_given(tmp_path: Path, kind: str) -> None:
    outcome = await outcome_on_a_file(tmp_path / "j.db", "options", kind)
    assert outcome == "x" or isinstance(outcome, WorkflowParkedError)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("kind", CALLS)
async def test_an_odd_call_of_a_workflow_works_or_parks_it(tmp_path: Path, kind: str) -> None:
    outcome = await outcome_on_a_file(tmp_path / "j.db", "call", kind)
    assert outcome == "done" or isinstance(outcome, WorkflowFailureError | WorkflowParkedError)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("kind", ["sleep(timedelta.max)", "asyncio.sleep(inf)"])
async def test_a_sleep_without_end_waits_or_parks_and_harms_nobody(tmp_path: Path, kind: str) -> None:
    async with a_client(tmp_path / "j.db") as client, a_worker(client, workflows=[Odds], activities=[echo]):
        handle = await start(client, Odds.run, "call", kind)
        await assert_nobody_else_noticed(client)
        if (await handle.describe()).pending_timers == 0:
            assert isinstance(await settled(handle), WorkflowParkedError)


ANSWERS = [kind for kind in COMPLAINTS if kind != "a cancellation nobody asked for"]


@pytest.mark.parametrize("kind", ANSWERS)
async def test_whatever_a_query_raises_or_returns_only_the_asker_learns_of_it(kind: str) -> None:
    async with a_client() as client, a_worker(client, workflows=[Odds], activities=[echo]):
        handle = await start(client, Odds.run)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(WorkflowQueryFailedError):
                await handle.query(Odds.ask, kind)
            await handle.signal(Odds.finish)
            assert await handle.result() == "done"


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("kind", [kind for kind in COMPLAINTS if "result" not in kind])
async def test_whatever_a_signal_handler_raises_the_workflow_fails_or_is_parked(kind: str) -> None:
    async with a_client() as client, a_worker(client, workflows=[Odds], activities=[echo]):
        handle = await start(client, Odds.run)
        async with asyncio.timeout(PATIENCE):
            await handle.signal(Odds.complain, kind)
        outcome = await settled(handle)
        assert isinstance(outcome, WorkflowFailureError | WorkflowParkedError)
        await assert_nobody_else_noticed(client)
        await handle.fetch_history()


Call = Callable[[Client, WorkflowHandle[Any, Any]], Awaitable[Any]]
CLIENT_CALLS: dict[str, Call] = {
    "cancel(reason='\\ud800')": lambda _, handle: handle.cancel(reason="\ud800"),
    "cancel(reason=5)": lambda _, handle: handle.cancel(reason=5),  # pyright: ignore[reportArgumentType]
    "terminate(reason='\\ud800')": lambda _, handle: handle.terminate(reason="\ud800"),
    "terminate(reason=5)": lambda _, handle: handle.terminate(reason=5),  # pyright: ignore[reportArgumentType]
    "terminate(object())": lambda _, handle: handle.terminate(object()),
    "signal('')": lambda _, handle: handle.signal(""),
    "signal(5)": lambda _, handle: handle.signal(5),  # pyright: ignore[reportCallIssue, reportArgumentType]
    "signal('\\ud800')": lambda _, handle: handle.signal("\ud800"),
    "signal(object())": lambda _, handle: handle.signal("x", object()),
    "signal(request_id='\\ud800')": lambda _, handle: handle.signal("x", request_id="\ud800"),
    "signal(request_id=5)": lambda _, handle: handle.signal("x", request_id=5),  # pyright: ignore[reportCallIssue, reportArgumentType]
    "query('\\ud800')": lambda _, handle: handle.query("\ud800"),
    "query(object())": lambda _, handle: handle.query("ask", object()),
    "start(id='')": lambda client, _: start(client, Odds.run, id=""),
    "start(id=5)": lambda client, _: start(client, Odds.run, id=5),  # pyright: ignore[reportArgumentType]
    "start(id='\\ud800')": lambda client, _: start(client, Odds.run, id="\ud800"),
    "start(object())": lambda client, _: start(client, Odds.run, object(), id="other"),
    "start(nan)": lambda client, _: start(client, Odds.run, float("nan"), id="other"),
    "start(request_id='\\ud800')": lambda client, _: start(client, Odds.run, id="other", request_id="\ud800"),
    "start(request_id=5)": lambda client, _: start(client, Odds.run, id="other", request_id=5),
    "start(id_reuse_policy='no')": lambda client, _: start(client, Odds.run, id="other", id_reuse_policy="no"),
    "start(print)": lambda client, _: start(client, print, id="other"),
    "start(an undecorated class)": lambda client, _: start(client, dict, id="other"),
    "start('')": lambda client, _: start(client, "", id="other"),
    "start(task_queue='')": lambda client, _: client.start_workflow(Odds.run, id="other", task_queue=""),
    "handle('\\ud800').describe": lambda client, _: client.get_workflow_handle("\ud800").describe(),
    "handle('\\ud800').result": lambda client, _: client.get_workflow_handle("\ud800").result(),
    "handle(object()).describe": lambda client, _: client.get_workflow_handle(object()).describe(),  # pyright: ignore[reportArgumentType]
    "handle(5).signal": lambda client, _: client.get_workflow_handle(5).signal("x"),  # pyright: ignore[reportArgumentType]
    "handle(run_id='\\ud800')": lambda client, _: client.get_workflow_handle("w", run_id="\ud800").describe(),
    "handle(run_id=object())": lambda client, _: client.get_workflow_handle("w", run_id=object()).cancel(),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("name", list(CLIENT_CALLS))
async def test_a_client_call_with_an_odd_value_is_refused_and_harms_nobody(tmp_path: Path, name: str) -> None:
    async with a_client(tmp_path / "j.db") as client, a_worker(client, workflows=[Odds], activities=[echo]):
        handle = await start(client, Odds.run)
        await handle.describe()
        async with asyncio.timeout(PATIENCE):
            try:
                await CLIENT_CALLS[name](client, handle)
            except UnicodeEncodeError as refusal:
                raise AssertionError(f"says neither what nor why: {refusal}") from refusal
            except (ValueError, TypeError, RPCError, PayloadError, WorkflowQueryFailedError) as refusal:
                told = str(refusal)
                if not told:
                    raise AssertionError("refused without a word") from refusal
            else:
                await handle.fetch_history()
        await assert_nobody_else_noticed(client)


NAMESPACES: dict[str, Any] = {"empty": "", "a lone surrogate": "\ud800", "a number": 5}


@pytest.mark.parametrize("kind", list(NAMESPACES))
async def test_an_odd_namespace_is_refused_when_connecting(kind: str) -> None:
    with pytest.raises((ValueError, TypeError), match="namespace"):
        async with await Client.connect("memory://", namespace=NAMESPACES[kind]):
            pass


@pytest.mark.usefixtures("quick_retries")
async def test_an_executor_that_was_shut_down_fails_the_attempts_and_not_the_engine() -> None:
    executor = ThreadPoolExecutor(1)
    async with (
        a_client() as client,
        a_worker(client, workflows=[Odds], activities=[complaining_in_a_thread, echo], activity_executor=executor),
    ):
        executor.shutdown()
        handle = await start(client, Odds.run, "thread", "sys.exit")
        outcome = await settled(handle)
        assert isinstance(outcome, WorkflowFailureError)
        assert "shutdown" in str(outcome.cause.__cause__)
        await assert_nobody_else_noticed(client)


async def test_an_activity_that_raises_a_base_exception_gives_its_slot_back() -> None:
    async with (
        a_client() as client,
        a_worker(client, workflows=[Odds], activities=[complaining, echo], max_concurrent_activities=1),
    ):
        for number in range(3):
            handle = await start(client, Odds.run, "activity", "a BaseException", id=f"w{number}")
            outcome = await settled(handle)
            assert isinstance(outcome, WorkflowFailureError)
            assert "Odd" in str(outcome.cause.__cause__)
        await assert_nobody_else_noticed(client)
