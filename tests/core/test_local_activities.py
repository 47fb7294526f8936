"""Local activities in the core: what is journaled, what is checked on replay, and markers of other SDKs."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowHistory
from actorflow.core import events as ev
from actorflow.core.state import ExecutionState, turn_width
from actorflow.core.turn import Turn
from actorflow.worker import Replayer
from actorflow.workflow import NondeterminismError
from tests.core.given import NOON

SOON = timedelta(seconds=5)


@activity.defn
async def fetch(name: str) -> str:
    return name.upper()


@workflow.defn(name="Fetches")
class Fetches:
    @workflow.run
    async def run(self) -> list[str]:
        first = await workflow.execute_local_activity(fetch, "a", start_to_close_timeout=SOON)
        second = await workflow.execute_local_activity(fetch, "b", start_to_close_timeout=SOON)
        await workflow.sleep(1)
        return [first, second]


@workflow.defn(name="Fetches")
class FetchesNothing:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(1)


@workflow.defn(name="Fetches")
class FetchesSomethingElse:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_local_activity("other", "a", start_to_close_timeout=SOON)


def payload(value: Any) -> dict[str, Any]:
    data = b64encode(json.dumps(value).encode()).decode()
    return {"metadata": {"encoding": b64encode(b"json/plain").decode()}, "data": data}


def marker(number: int, seq: int, result: str) -> dict[str, Any]:
    data = {
        "seq": seq,
        "attempt": 1,
        "activity_id": str(seq),
        "activity_type": "fetch",
        "complete_time": {"seconds": 1_700_000_000, "nanos": 5000},
        "backoff": None,
        "original_schedule_time": {"seconds": 1_700_000_000, "nanos": 0},
    }
    details = {"data": {"payloads": [payload(data)]}, "result": {"payloads": [payload(result)]}}
    attributes = {"markerName": "core_local_activity", "details": details, "workflowTaskCompletedEventId": "4"}
    return event(number, "MARKER_RECORDED", "markerRecorded", attributes)


def event(number: int, kind: str, key: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "eventId": str(number),
        "eventTime": "2026-01-01T12:00:00Z",
        "eventType": f"EVENT_TYPE_{kind}",
        f"{key}EventAttributes": attributes,
    }


OF_ANOTHER_SDK = {
    "events": [
        event(
            1,
            "WORKFLOW_EXECUTION_STARTED",
            "workflowExecutionStarted",
            {"workflowType": {"name": "Fetches"}, "taskQueue": {"name": "q"}, "originalExecutionRunId": "r"},
        ),
        event(2, "WORKFLOW_TASK_SCHEDULED", "workflowTaskScheduled", {}),
        event(3, "WORKFLOW_TASK_STARTED", "workflowTaskStarted", {}),
        event(4, "WORKFLOW_TASK_COMPLETED", "workflowTaskCompleted", {}),
        marker(5, 1, "A"),
        marker(6, 2, "B"),
        event(7, "TIMER_STARTED", "timerStarted", {"timerId": "1", "startToFireTimeout": "1s"}),
    ]
}


async def test_a_history_of_an_sdk_that_runs_them_within_one_task_replays() -> None:
    history = WorkflowHistory.from_json("w", OF_ANOTHER_SDK)
    assert [event.event_type for event in history.events] == [
        "Started",
        "LocalActivityResolved",
        "LocalActivityResolved",
        "TimerStarted",
    ]
    await Replayer(workflows=[Fetches]).replay_workflow(history)


@pytest.mark.parametrize("code", [FetchesNothing, FetchesSomethingElse])
async def test_code_that_asks_for_another_local_activity_or_none_is_found_out(code: type) -> None:
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=[code]).replay_workflow(WorkflowHistory.from_json("w", OF_ANOTHER_SDK))


def test_its_begin_is_no_event_of_the_public_history_and_keeps_the_run_busy() -> None:
    state = ExecutionState()
    scheduled = ev.LocalActivityScheduled("1", "fetch", SOON)
    events = (ev.Started("Fetches", "q"), scheduled)
    state.apply(Turn(turn_width(events), NOON, events))
    assert (state.last_event, state.open_activities) == (4, 1)
    ended = ev.LocalActivityResolved("1", "fetch", NOON)
    assert state.admits(ended)
    events = (ended,)
    state.apply(Turn(state.last_event + turn_width(events), NOON, events))
    assert (state.last_event, state.open_activities) == (8, 0)
    assert not state.admits(ended)
