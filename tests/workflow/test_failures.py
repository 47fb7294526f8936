"""What fails a workflow, what fails only its turn, and how a parked one goes on."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowParkedError,
)
from actorflow.common import RetryPolicy
from actorflow.core import limits
from actorflow.exceptions import (
    ActivityError,
    ApplicationError,
    MailboxFullError,
    RetryState,
    TerminatedError,
)
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start

SOON = timedelta(seconds=5)
ONCE = RetryPolicy(maximum_attempts=1)
quick = pytest.mark.usefixtures("quick_retries")


class Mine(Exception):
    """A failure by configuration."""


class Yours(Mine):
    """A subclass of one."""


@activity.defn
async def fails() -> None:
    try:
        raise KeyError("deep")
    except KeyError as problem:
        raise ApplicationError("no", {"a": 1}, [2], type="Nope", non_retryable=True) from problem


@workflow.defn
class Fails:
    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.signal
    async def raises(self, kind: str) -> None:
        raise_a(kind)

    @workflow.run
    async def run(self, kind: str) -> Any:
        if kind == "wait":
            await workflow.wait_condition(lambda: False)
        if kind == "activity":
            await workflow.execute_activity(fails, start_to_close_timeout=SOON)
        if kind == "wrapped":
            try:
                await workflow.execute_activity(fails, start_to_close_timeout=SOON)
            except ActivityError as problem:
                raise ApplicationError("wrapped", type="Outer") from problem
        if kind == "timeout":
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)
        if kind == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(workflow.execute_activity(fails, start_to_close_timeout=SOON))
        raise_a(kind)


@workflow.defn(failure_exception_types=[Mine])
class FailsByMine(Fails):
    @workflow.run
    async def run(self, kind: str) -> Any:
        raise_a(kind)


def raise_a(kind: str) -> None:
    match kind:
        case "application":
            raise ApplicationError("no", {"a": 1}, type="Nope", next_retry_delay=timedelta(seconds=3))
        case "builtin timeout":
            raise TimeoutError("late")
        case "mine":
            raise Mine("mine")
        case "yours":
            raise Yours("yours")
        case _:
            raise KeyError(kind)


async def test_an_application_error_fails_the_workflow_with_everything_it_carries() -> None:
    async with a_place(Fails) as client:
        cause = await failure_of(await start(client, Fails.run, "application"))
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, cause.details) == ("no", "Nope", ({"a": 1},))
    assert cause.next_retry_delay == timedelta(seconds=3)
    assert str(cause) == "Nope: no"
    assert "raise_a" in cause.stack_trace


@pytest.mark.parametrize("kind", ["builtin timeout", "timeout"])
async def test_a_timeout_fails_the_workflow(kind: str) -> None:
    async with a_place(Fails) as client:
        cause = await failure_of(await start(client, Fails.run, kind))
    assert isinstance(cause, ApplicationError)
    assert cause.type == "TimeoutError"


async def test_a_failure_out_of_a_signal_handler_fails_the_workflow() -> None:
    async with a_place(Fails) as client:
        handle = await start(client, Fails.run, "wait")
        await handle.signal(Fails.raises, "application")
        assert str(await failure_of(handle)) == "Nope: no"


@pytest.mark.parametrize("kind", ["mine", "yours"])
async def test_an_exception_the_definition_names_fails_the_workflow(kind: str) -> None:
    async with a_place(FailsByMine) as client:
        cause = await failure_of(await start(client, FailsByMine.run, kind))
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message) == (kind.title(), kind)


@pytest.mark.parametrize("kind", ["mine", "yours"])
async def test_an_exception_the_worker_names_fails_the_workflow(kind: str) -> None:
    async with a_place(Fails, workflow_failure_exception_types=[Mine]) as client:
        cause = await failure_of(await start(client, Fails.run, kind))
    assert isinstance(cause, ApplicationError)
    assert cause.type == kind.title()


async def test_a_failed_activity_keeps_its_whole_chain_up_to_the_client() -> None:
    async with a_place(Fails, activities=[fails]) as client:
        cause = await failure_of(await start(client, Fails.run, "activity"))
    assert isinstance(cause, ActivityError)
    assert (cause.activity_type, cause.activity_id) == ("fails", "1")
    assert cause.retry_state == RetryState.NON_RETRYABLE_FAILURE
    application = cause.cause
    assert isinstance(application, ApplicationError)
    assert application.__cause__ is application.cause
    assert (application.type, application.details, application.non_retryable) == ("Nope", ({"a": 1}, [2]), True)
    root = application.cause
    assert isinstance(root, ApplicationError)
    assert (root.type, root.message) == ("KeyError", "'deep'")
    assert "in fails" in application.stack_trace


async def test_the_event_an_activity_error_names_is_the_one_that_scheduled_it() -> None:
    async with a_place(Fails, activities=[fails]) as client:
        handle = await start(client, Fails.run, "activity")
        cause = await failure_of(handle)
        history = await handle.fetch_history()
    assert isinstance(cause, ActivityError)
    scheduled = [event.event_id for event in history.events if event.event_type == "ActivityScheduled"]
    assert scheduled == [cause.scheduled_event_id]


async def test_a_failure_raised_from_another_keeps_it_as_its_cause() -> None:
    async with a_place(Fails, activities=[fails]) as client:
        cause = await failure_of(await start(client, Fails.run, "wrapped"))
    assert isinstance(cause, ApplicationError)
    assert cause.type == "Outer"
    assert isinstance(cause.cause, ActivityError)
    assert isinstance(cause.cause.cause, ApplicationError)


async def test_an_exception_group_fails_the_workflow_where_it_is_a_configured_failure() -> None:
    async with a_place(Fails, activities=[fails], workflow_failure_exception_types=[ExceptionGroup]) as client:
        cause = await failure_of(await start(client, Fails.run, "group"))
    assert isinstance(cause, ApplicationError)
    assert cause.type == "ExceptionGroup"


# Turns that fail


class Code:
    """The workflow code of a process: broken until somebody fixes it."""

    is_broken = True
    works = asyncio.Event()
    """Set once the program got past the place where it broke."""


@pytest.fixture(autouse=True)
def _broken_code() -> None:
    Code.is_broken = True
    Code.works = asyncio.Event()


@activity.defn
async def note(name: str) -> str:
    return name


@workflow.defn
class Repaired:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.signal
    def say(self, what: Any) -> None:
        self.heard.append(what)
        if what == "break" and Code.is_broken:
            raise KeyError("broken code")
        if not Code.is_broken:
            Code.works.set()

    @workflow.query
    def so_far(self) -> list[Any]:
        return self.heard

    @workflow.run
    async def run(self, breaks_at: str = "") -> list[Any]:
        if breaks_at == "start" and Code.is_broken:
            raise KeyError("broken code")
        if not Code.is_broken:
            Code.works.set()
        self.heard.append(await workflow.execute_activity(note, "first", start_to_close_timeout=SOON))
        if breaks_at == "middle" and Code.is_broken:
            workflow.start_activity(note, "never", start_to_close_timeout=SOON)
            raise KeyError("broken code")
        await workflow.wait_condition(lambda: "stop" in self.heard)
        return self.heard


async def parked(handle: Any) -> WorkflowParkedError:
    with pytest.raises(WorkflowParkedError) as error:
        await handle.result()
    return error.value


@quick
async def test_a_group_parks_the_workflow_and_says_what_is_in_it_and_what_to_do() -> None:
    async with a_place(Fails, activities=[fails]) as client:
        error = await parked(await start(client, Fails.run, "group"))
    assert "ActivityError: Activity task failed (" in error.reason
    assert "catch it with except* and raise what failed" in error.reason


@quick
@pytest.mark.parametrize("breaks_at", ["start", "middle"])
async def test_a_bug_parks_the_workflow_and_everybody_is_told_why(breaks_at: str) -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, breaks_at)
        error = await parked(handle)
        assert (error.workflow_id, error.run_id) == ("w", handle.result_run_id)
        assert "KeyError" in error.reason
        cause = error.__cause__
        assert isinstance(cause, ApplicationError)
        assert (cause.type, cause.message) == ("KeyError", "'broken code'")
        assert "test_failures.py" in cause.stack_trace
        about = await handle.describe()
        assert about.status == WorkflowExecutionStatus.RUNNING
        assert about.parked is not None
        assert "KeyError" in about.parked
        assert about.turn_failures >= limits.TURN_FAILURES_BEFORE_PARKING
        assert about.last_failure is not None
        assert "test_failures.py" in about.last_failure
        assert "broken code" in about.last_failure


@quick
async def test_a_failing_turn_is_logged_with_the_users_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Repaired, activities=[note]) as client:
        await parked(await start(client, Repaired.run, "start"))
    failed = [record for record in caplog.records if "Failed activation" in record.message]
    assert len(failed) >= limits.TURN_FAILURES_BEFORE_PARKING
    assert all(record.levelno == logging.WARNING for record in failed)
    assert "parked" in failed[limits.TURN_FAILURES_BEFORE_PARKING - 1].message
    assert failed[0].exc_text is not None
    assert "broken code" in failed[0].exc_text


@quick
async def test_a_parked_workflow_goes_on_by_itself_once_its_code_works() -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, "middle")
        await parked(handle)
        Code.is_broken = False
        await handle.signal(Repaired.say, "stop")
        await Code.works.wait()
        assert await handle.result() == ["first", "stop"]
        about = await handle.describe()
        assert (about.parked, about.last_failure, about.turn_failures) == (None, None, 0)


@quick
async def test_what_a_failed_turn_asked_for_never_happens() -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, "middle")
        await parked(handle)
        history = await handle.fetch_history()
        assert [e.attributes["activity_id"] for e in history.events if e.event_type == "ActivityScheduled"] == ["1"]


@quick
async def test_the_history_tells_the_first_failure_of_a_turn_and_its_parking_and_no_more() -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, "middle")
        await parked(handle)
        await parked(handle)
        failures = [e for e in (await handle.fetch_history()).events if e.event_type == "TurnFailed"]
    assert [bool(event.attributes.get("parked")) for event in failures] == [False, True]


@quick
@pytest.mark.parametrize("breaks_at", ["start", "signal"])
async def test_messages_accepted_while_parked_are_handled_once_and_in_order_by_the_next_process(
    tmp_path: Path, breaks_at: str
) -> None:
    path = tmp_path / "j.db"
    served = {"workflows": [Repaired], "activities": [note]}
    async with asyncio.timeout(10):
        async with a_client(path) as client, a_worker(client, **served):
            handle = await start(client, Repaired.run, breaks_at)
            if breaks_at == "signal":
                await handle.signal(Repaired.say, 0)
                await handle.signal(Repaired.say, "break")
            await parked(handle)
            for number in range(1, 6):
                await handle.signal(Repaired.say, number, request_id=f"r{number}")
                await handle.signal(Repaired.say, number, request_id=f"r{number}")
            assert (await handle.describe()).inbox_messages >= 5
        async with a_client(path) as client:
            handle = client.get_workflow_handle("w")
            await parked(handle)
            await handle.signal(Repaired.say, 6)
            Code.is_broken = False
            async with a_worker(client, **served):
                await handle.signal(Repaired.say, "stop")
                await Code.works.wait()
                heard = await handle.result()
    said = [entry for entry in heard if entry != "first"]
    expected = [1, 2, 3, 4, 5, 6, "stop"]
    assert said == (expected if breaks_at == "start" else [0, "break", *expected])


@quick
async def test_a_query_on_a_parked_workflow_says_that_it_is_parked() -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, "start")
        await parked(handle)
        with pytest.raises(WorkflowParkedError, match="broken code") as error:
            await handle.query(Repaired.so_far)
        assert isinstance(error.value.__cause__, ApplicationError)


@quick
async def test_a_parked_workflow_can_be_terminated() -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, "start")
        await parked(handle)
        await handle.terminate(reason="enough")
        assert isinstance(await failure_of(handle), TerminatedError)
        about = await handle.describe()
        assert about.status == WorkflowExecutionStatus.TERMINATED
        assert about.parked is None


@quick
async def test_a_query_on_a_workflow_terminated_before_it_ever_ran_finds_its_initial_state() -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, "start")
        await parked(handle)
        await handle.terminate()
        assert await handle.query(Repaired.so_far) == []


@quick
async def test_a_parked_workflow_can_be_cancelled_and_hears_of_it_once_its_code_works() -> None:
    async with a_place(Repaired, activities=[note]) as client:
        handle = await start(client, Repaired.run, "start")
        await parked(handle)
        await handle.cancel(reason="stop it")
        Code.is_broken = False
        await Code.works.wait()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED


@quick
async def test_a_parked_workflow_harms_no_other() -> None:
    async with a_place(Repaired, Fails, activities=[note]) as client:
        await parked(await start(client, Repaired.run, "start"))
        handle = await start(client, Repaired.run, id="other")
        await handle.signal(Repaired.say, "stop")
        assert sorted(await handle.result()) == ["first", "stop"]


@quick
@pytest.mark.parametrize("is_parked", [True, False])
async def test_an_inbox_is_bounded_also_where_nobody_reads_it(
    monkeypatch: pytest.MonkeyPatch, *, is_parked: bool
) -> None:
    monkeypatch.setattr(limits, "MAILBOX_MESSAGES_MAX", 5)
    async with a_place(Repaired, activities=[note]) as client:
        if is_parked:
            handle = await start(client, Repaired.run, "start")
            await parked(handle)
        else:
            handle = await client.start_workflow("Nobody", id="w", task_queue="elsewhere")
        sent = await asyncio.gather(*[handle.signal("say", n) for n in range(20)], return_exceptions=True)
        refused = [refusal for refusal in sent if refusal is not None]
        assert refused
        assert all(isinstance(refusal, MailboxFullError) and "'w' holds 5" in str(refusal) for refusal in refused)
        assert (await handle.describe()).inbox_messages <= 6


@quick
async def test_a_result_that_can_not_be_encoded_parks_the_workflow_with_a_sentence_that_says_so() -> None:
    @workflow.defn
    class ReturnsAnObject:
        @workflow.run
        async def run(self) -> Any:
            return object()

    async with a_place(ReturnsAnObject) as client:
        with pytest.raises(WorkflowParkedError, match="type object can't be encoded"):
            await execute(client, ReturnsAnObject.run)


@workflow.defn
class EncodesBadly:
    @workflow.run
    async def run(self, kind: str) -> list[str]:
        endless: list[Any] = []
        endless.append(endless)
        bad = {
            "nan": float("nan"),
            "surrogate": "\ud800",
            "deep": endless,
            "large": "x" * 3_000_000,
            "object": object(),
        }
        try:
            await workflow.execute_activity(note, bad[kind], start_to_close_timeout=SOON)
        except Exception as problem:
            return [type(problem).__name__, str(problem)]
        return []


@pytest.mark.parametrize(
    ("kind", "says"),
    [("nan", "NaN"), ("surrogate", "surrogate"), ("deep", "too deep"), ("large", "limit"), ("object", "type object")],
)
async def test_an_argument_that_can_not_be_encoded_surfaces_at_the_call_and_schedules_nothing(
    kind: str, says: str
) -> None:
    async with a_place(EncodesBadly, activities=[note]) as client:
        handle = await start(client, EncodesBadly.run, kind)
        name, text = await handle.result()
        assert name.startswith("Payload")
        assert says in text
        assert "ActivityScheduled" not in await events_of(handle)


# Non-determinism, end to end


@workflow.defn(name="Changing")
class Changing:
    def __init__(self) -> None:
        self.is_done = False

    @workflow.signal
    def finish(self) -> None:
        self.is_done = True

    @workflow.run
    async def run(self) -> str:
        name = "first" if Code.is_broken else "second"
        await workflow.execute_activity(name, "x", start_to_close_timeout=SOON)
        await workflow.wait_condition(lambda: self.is_done)
        Code.works.set()
        return name


@activity.defn(name="first")
async def first(value: str) -> str:
    return value


@activity.defn(name="second")
async def second(value: str) -> str:
    return value


async def waiting_on(path: Path) -> None:
    async with a_client(path) as client, a_worker(client, workflows=[Changing], activities=[first, second]):
        handle = await start(client, Changing.run)
        while "ActivityCompleted" not in await events_of(handle):
            await asyncio.to_thread(lambda: None)


@quick
async def test_changed_code_parks_with_a_non_determinism_error_and_the_old_code_frees_it(tmp_path: Path) -> None:
    await waiting_on(tmp_path / "j.db")
    Code.is_broken = False  # the code changes
    async with asyncio.timeout(10), a_client(tmp_path / "j.db") as client:
        async with a_worker(client, workflows=[Changing], activities=[first, second]):
            handle = client.get_workflow_handle("w")
            await handle.signal("finish")
            error = await parked(handle)
            cause = error.__cause__
            assert isinstance(cause, ApplicationError)
            assert cause.type == "NondeterminismError"
            for part in ("event 5", "schedule activity first", "schedule activity second", "test_failures.py", "run"):
                assert part in cause.message
        Code.is_broken = True
        async with a_worker(client, workflows=[Changing], activities=[first, second]):
            await Code.works.wait()
            assert await handle.result() == "first"


@pytest.mark.parametrize("failure_type", [workflow.NondeterminismError, Exception])
async def test_non_determinism_fails_the_workflow_where_it_is_a_configured_failure(
    tmp_path: Path, failure_type: type[BaseException]
) -> None:
    await waiting_on(tmp_path / "j.db")
    Code.is_broken = False
    async with (
        asyncio.timeout(10),
        a_client(tmp_path / "j.db") as client,
        a_worker(
            client,
            workflows=[Changing],
            activities=[first, second],
            workflow_failure_exception_types=[failure_type],
        ),
    ):
        handle = client.get_workflow_handle("w")
        await handle.signal("finish")
        cause = await failure_of(handle)
        assert isinstance(cause, ApplicationError)
        assert "determinism" in cause.message.lower()


async def test_undecodable_input_fails_the_workflow_where_the_error_is_a_configured_failure() -> None:
    @workflow.defn
    class TakesANumber:
        @workflow.run
        async def run(self, number: int) -> int:
            return number

    async with a_place(TakesANumber, workflow_failure_exception_types=[Exception]) as client:
        cause = await failure_of(await start(client, "TakesANumber", "x"))
    assert "can't read" in str(cause) or "takes" in str(cause)
