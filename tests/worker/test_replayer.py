"""Histories replayed against code: what passes, what is found, and how it is said."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowHistory, WorkflowParkedError
from actorflow.exceptions import PayloadError
from actorflow.worker import Replayer, WorkflowReplayResult
from tests.core.history.given import BEGINNING, event, payload
from tests.support import a_client, a_place, execute, failure_of, start

SOON = timedelta(seconds=5)
quick = pytest.mark.usefixtures("quick_retries")


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@workflow.defn
class Doubles:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.signal
    async def end(self) -> None:
        self.is_over = True

    @workflow.run
    async def run(self, number: int, waits: bool = False) -> int:
        found = await workflow.execute_activity(double, number, start_to_close_timeout=SOON)
        await asyncio.sleep(0.001)
        if waits:
            await workflow.wait_condition(lambda: self.is_over)
        return found


@workflow.defn(name="Doubles")
class SleepsFirst(Doubles):
    @workflow.run
    async def run(self, number: int, waits: bool = False) -> int:
        await asyncio.sleep(0.001)
        return await workflow.execute_activity(double, number, start_to_close_timeout=SOON)


@workflow.defn(name="Doubles")
class Raises(Doubles):
    @workflow.run
    async def run(self, number: int, waits: bool = False) -> int:
        raise LookupError("lost")


async def history_of(*args: Any, ends: bool = True) -> WorkflowHistory:
    async with a_place(Doubles, activities=[double]) as client:
        handle = await start(client, Doubles.run, *args)
        if ends:
            await handle.result()
        else:
            async with asyncio.timeout(5):
                while not any(event.event_type == "TimerFired" for event in (await handle.fetch_history()).events):
                    await handle.query("__stack_trace")
        return await handle.fetch_history()


async def test_a_closed_run_replays() -> None:
    history = await history_of(3)
    result = await Replayer(workflows=[Doubles]).replay_workflow(history)
    assert result == WorkflowReplayResult(history, None)


async def test_an_open_run_replays() -> None:
    history = await history_of(3, True, ends=False)
    assert (await Replayer(workflows=[Doubles]).replay_workflow(history)).replay_failure is None


async def test_a_history_from_json_replays_without_engine_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (await history_of(3)).to_json()
    monkeypatch.chdir(tmp_path)
    history = WorkflowHistory.from_json("w", text)
    await Replayer(workflows=[Doubles]).replay_workflow(history)
    with pytest.raises(workflow.NondeterminismError):
        await Replayer(workflows=[SleepsFirst]).replay_workflow(history)
    assert list(tmp_path.iterdir()) == []


async def test_code_that_asks_for_something_else_raises_a_non_determinism_error_with_event_and_line() -> None:
    with pytest.raises(workflow.NondeterminismError) as failed:
        await Replayer(workflows=[SleepsFirst]).replay_workflow(await history_of(3))
    error = failed.value
    assert (error.number, error.recorded, error.asked) == (
        5,
        "schedule activity double (id 1)",
        "start timer (id 1)",
    )
    assert "SleepsFirst.run" in error.line


async def test_a_failure_is_returned_if_it_is_not_to_be_raised() -> None:
    history = await history_of(3)
    result = await Replayer(workflows=[SleepsFirst]).replay_workflow(history, raise_on_replay_failure=False)
    assert result.history is history
    assert isinstance(result.replay_failure, workflow.NondeterminismError)


async def test_non_determinism_is_raised_although_it_is_configured_to_fail_workflows() -> None:
    replayer = Replayer(workflows=[SleepsFirst], workflow_failure_exception_types=[Exception])
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(await history_of(3))


async def test_a_type_that_is_not_registered_is_a_runtime_error() -> None:
    @workflow.defn
    class Other:
        @workflow.run
        async def run(self) -> None: ...

    with pytest.raises(RuntimeError, match=r"Workflow type Doubles is not registered .* knows Other"):
        await Replayer(workflows=[Other]).replay_workflow(await history_of(3))


async def test_code_that_raises_what_fails_a_turn_is_a_runtime_error_with_its_cause() -> None:
    with pytest.raises(RuntimeError, match="LookupError on replay: lost") as failed:
        await Replayer(workflows=[Raises]).replay_workflow(await history_of(3))
    assert isinstance(failed.value.__cause__, LookupError)


def test_a_replayer_needs_workflows_it_can_tell_apart() -> None:
    with pytest.raises(ValueError, match="At least one workflow"):
        Replayer(workflows=[])
    with pytest.raises(ValueError, match="More than one workflow named Doubles"):
        Replayer(workflows=[Doubles, SleepsFirst])
    with pytest.raises(TypeError, match="not a workflow class"):
        Replayer(workflows=[int])


# Histories of a server


@workflow.defn(name="Order")
class FromElsewhere:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    async def say(self, word: str) -> None:
        self.heard.append(word)

    @workflow.run
    async def run(self, item: str) -> list[str]:
        if workflow.patched("faster"):
            await workflow.execute_activity("pack", item, start_to_close_timeout=SOON)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: len(self.heard) == 2, timeout=60)
        return self.heard


@workflow.defn(name="Order")
class OtherwiseElsewhere(FromElsewhere):
    @workflow.run
    async def run(self, item: str) -> list[str]:
        if workflow.patched("faster"):
            await workflow.execute_activity("pack", item, start_to_close_timeout=SOON)
        return self.heard


def served() -> WorkflowHistory:
    """What a server would export: tasks that time out, messages that come while a task waits or runs."""
    patch = {"payloads": [payload({"id": "faster", "deprecated": False})]}
    patches = {"indexedFields": {"TemporalChangeVersion": payload(["faster"])}}
    pack = {"activityId": "1", "activityType": {"name": "pack"}, "taskQueue": {"name": "orders"}}
    events = [
        *BEGINNING,
        event(5, "MARKER_RECORDED", {"markerName": "core_patch", "details": {"patch-data": patch}}),
        event(6, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", {"searchAttributes": patches}),
        event(7, "ACTIVITY_TASK_SCHEDULED", pack),
        event(8, "WORKFLOW_EXECUTION_SIGNALED", {"signalName": "say", "input": {"payloads": [payload("a")]}}),
        event(9, "WORKFLOW_TASK_SCHEDULED"),
        event(10, "WORKFLOW_TASK_STARTED"),
        event(11, "WORKFLOW_TASK_TIMED_OUT"),
        event(12, "ACTIVITY_TASK_STARTED", {"scheduledEventId": "7", "attempt": 1}),
        event(13, "ACTIVITY_TASK_COMPLETED", {"scheduledEventId": "7", "startedEventId": "12"}),
        event(14, "WORKFLOW_TASK_SCHEDULED"),
        event(15, "WORKFLOW_TASK_STARTED"),
        event(16, "WORKFLOW_TASK_COMPLETED"),
        event(17, "TIMER_STARTED", {"timerId": "1", "startToFireTimeout": "60s"}),
        event(18, "WORKFLOW_TASK_SCHEDULED"),
        event(19, "WORKFLOW_EXECUTION_SIGNALED", {"signalName": "say", "input": {"payloads": [payload("b")]}}),
        event(20, "WORKFLOW_TASK_STARTED"),
        event(21, "WORKFLOW_TASK_COMPLETED"),
        event(22, "TIMER_CANCELED", {"timerId": "1", "startedEventId": "17"}),
        event(23, "WORKFLOW_EXECUTION_COMPLETED", {"result": {"payloads": [payload(["a", "b"])]}}),
    ]
    return WorkflowHistory.from_json("w", {"events": events})


async def test_a_history_that_a_server_has_exported_replays() -> None:
    await Replayer(workflows=[FromElsewhere]).replay_workflow(served())


async def test_an_error_in_a_servers_history_names_the_servers_event() -> None:
    with pytest.raises(workflow.NondeterminismError) as failed:
        await Replayer(workflows=[OtherwiseElsewhere]).replay_workflow(served())
    assert (failed.value.number, failed.value.recorded) == (17, "start timer (id 1)")


# Several


async def histories(*found: WorkflowHistory) -> AsyncIterator[WorkflowHistory]:
    for history in found:
        yield history


async def several() -> list[WorkflowHistory]:
    async with a_place(Doubles, Dozes, activities=[double]) as client:
        await execute(client, Dozes.run, id="good")
        await execute(client, Doubles.run, 1, id="bad")
        await execute(client, Doubles.run, 2, id="worse")
        return [history async for history in client.list_workflows("").map_histories()]


@workflow.defn
class Dozes:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(0.001)


async def test_failures_of_several_are_collected_by_run_id() -> None:
    found = await several()
    replayer = Replayer(workflows=[SleepsFirst, Dozes])
    results = await replayer.replay_workflows(histories(*found), raise_on_replay_failure=False)
    bad = {history.run_id for history in found if history.workflow_id != "good"}
    assert set(results.replay_failures) == bad
    assert all(isinstance(problem, workflow.NondeterminismError) for problem in results.replay_failures.values())


async def test_the_first_failure_of_several_is_raised_and_the_rest_is_not_looked_at() -> None:
    looked_at: list[str] = []

    async def watched() -> AsyncIterator[WorkflowHistory]:
        for history in sorted(await several(), key=lambda history: history.workflow_id):
            looked_at.append(history.workflow_id)
            yield history

    with pytest.raises(workflow.NondeterminismError):
        await Replayer(workflows=[SleepsFirst, Dozes]).replay_workflows(watched())
    assert looked_at == ["bad"]


async def test_the_iterator_gives_one_result_after_the_other_and_may_be_left_early() -> None:
    found = await several()
    async with Replayer(workflows=[Doubles, Dozes]).workflow_replay_iterator(histories(*found)) as results:
        async for result in results:
            assert result == WorkflowReplayResult(found[0], None)
            break
    async with Replayer(workflows=[Doubles, Dozes]).workflow_replay_iterator(histories(*found)) as results:
        assert [result.history.run_id async for result in results] == [history.run_id for history in found]


# Runs that are in trouble, or have not got far


@workflow.defn
class Stumbles:
    @workflow.run
    async def run(self, number: int) -> None:
        await workflow.execute_activity(double, number, start_to_close_timeout=SOON)
        raise LookupError("a bug")


@workflow.defn(name="Stumbles")
class Mended(Stumbles):
    @workflow.run
    async def run(self, number: int) -> None:
        await workflow.execute_activity(double, number, start_to_close_timeout=SOON)


async def parked_history() -> WorkflowHistory:
    async with a_place(Stumbles, activities=[double]) as client:
        handle = await start(client, Stumbles.run, 1)
        with pytest.raises(WorkflowParkedError):
            await handle.result()
        return await handle.fetch_history()


@quick
async def test_a_parked_run_replays_up_to_the_turn_that_fails() -> None:
    history = await parked_history()
    assert [event.event_type for event in history.events][-1] == "TurnFailed"
    for code in (Stumbles, Mended):
        assert (await Replayer(workflows=[code]).replay_workflow(history)).replay_failure is None
        again = WorkflowHistory.from_json("w", history.to_json_dict())
        assert (await Replayer(workflows=[code]).replay_workflow(again)).replay_failure is None


@quick
async def test_a_parked_runs_public_history_shows_failed_workflow_tasks() -> None:
    events = (await parked_history()).to_json_dict()["events"]
    failed = [event["workflowTaskFailedEventAttributes"] for event in events if event["eventType"].endswith("FAILED")]
    assert [attributes["failure"]["message"].splitlines()[0] for attributes in failed] == [
        "a bug",
        "its workflow code failed 5 times in the same turn with LookupError: a bug",
    ]


async def test_a_run_that_waits_for_its_first_worker_has_nothing_to_replay() -> None:
    async with a_client() as client:
        history = await (await start(client, Doubles.run, 1)).fetch_history()
    assert (history.events, history.to_json_dict()) == ([], {"events": []})
    assert (await Replayer(workflows=[Doubles]).replay_workflow(history)).replay_failure is None


async def test_a_terminated_run_replays_up_to_its_end() -> None:
    async with a_place(Doubles, activities=[double]) as client:
        handle = await start(client, Doubles.run, 1, True)
        await handle.query("__stack_trace")
        await handle.terminate(reason="enough")
        history = await handle.fetch_history()
    for found in (history, WorkflowHistory.from_json("w", history.to_json())):
        await Replayer(workflows=[Doubles]).replay_workflow(found)
        assert [event.event_type for event in found.events][-1] == "Terminated"


async def test_a_run_that_failed_over_its_own_input_replays_with_the_same_failure_types() -> None:
    async with a_place(Doubles, workflow_failure_exception_types=[PayloadError]) as client:
        handle = await start(client, "Doubles", "not a number")
        await failure_of(handle)
        history = await handle.fetch_history()
    replayer = Replayer(workflows=[Doubles], workflow_failure_exception_types=[PayloadError])
    assert (await replayer.replay_workflow(history)).replay_failure is None


@workflow.defn
class Remembers:
    @workflow.run
    async def run(self) -> list[str]:
        if workflow.now() - workflow.info().start_time > timedelta(seconds=0):
            await asyncio.sleep(0.001)
        about = workflow.info()
        return [about.workflow_id, about.run_id, about.workflow_type, about.task_queue]


async def test_a_run_that_waited_for_its_worker_still_knows_when_it_began(tmp_path: Path) -> None:
    async with a_client(tmp_path / "j.db") as client:
        await start(client, Remembers.run)
    async with a_place(Remembers, path=tmp_path / "j.db") as client:
        handle = client.get_workflow_handle("w")
        await handle.result()
        history = await handle.fetch_history()
    assert "TimerStarted" in [event.event_type for event in history.events]
    for found in (history, WorkflowHistory.from_json("w", history.to_json())):
        await Replayer(workflows=[Remembers]).replay_workflow(found)


# Patches


@workflow.defn(name="Doubles")
class PatchedDoubles(Doubles):
    @workflow.run
    async def run(self, number: int, waits: bool = False) -> int:
        if workflow.patched("sleep first"):
            await asyncio.sleep(0.001)
        found = await workflow.execute_activity(double, number, start_to_close_timeout=SOON)
        if not workflow.patched("sleep first"):
            await asyncio.sleep(0.001)
        return found


async def test_a_patch_keeps_old_histories_replaying() -> None:
    await Replayer(workflows=[PatchedDoubles]).replay_workflow(await history_of(3))


async def test_a_history_with_the_marker_replays_with_the_patch_and_not_without_it() -> None:
    async with a_place(PatchedDoubles, activities=[double]) as client:
        await execute(client, PatchedDoubles.run, 3)
        history = await client.get_workflow_handle("w").fetch_history()
    for found in (history, WorkflowHistory.from_json("w", history.to_json())):
        await Replayer(workflows=[PatchedDoubles]).replay_workflow(found)
        with pytest.raises(workflow.NondeterminismError, match="take patch sleep first"):
            await Replayer(workflows=[Doubles]).replay_workflow(found)
