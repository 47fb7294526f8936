"""A journal in the public history's JSON."""

from __future__ import annotations

import base64
from datetime import timedelta

from actorflow.converter import Failure, default
from actorflow.core import events as ev
from actorflow.core.history import read_history
from tests.core.given import MINUTE, NOON
from tests.core.history.given import FAILURE, ORDER, STARTED, read_back, scheduled, turns_of, written


def test_a_turn_is_what_arrived_then_its_task_then_what_was_decided() -> None:
    turns = turns_of(
        (STARTED, ev.Patched("change"), scheduled("1"), ev.TimerStarted("1", MINUTE, "patience")),
        (
            ev.ActivityCompleted("1", default().values.encode_one("ok"), attempt=2),
            ev.TimerCancelled("1"),
            ev.Completed(),
        ),
    )
    assert [event["eventType"].removeprefix("EVENT_TYPE_") for event in written(turns)] == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "MARKER_RECORDED",
        "ACTIVITY_TASK_SCHEDULED",
        "TIMER_STARTED",
        "ACTIVITY_TASK_STARTED",
        "ACTIVITY_TASK_COMPLETED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "TIMER_CANCELED",
        "WORKFLOW_EXECUTION_COMPLETED",
    ]


def test_numbers_have_no_gap_and_end_with_the_journals_last_one() -> None:
    turns = turns_of(
        (STARTED, scheduled("1"), scheduled("2"), ev.TimerStarted("1", MINUTE)),
        (ev.TurnFailed(FAILURE),),
        (ev.SignalReceived("s"), ev.ActivityTimedOut("1", FAILURE, attempt=0), ev.ActivityFailed("2", FAILURE)),
        (ev.SignalUnhandled("s"), ev.Terminated()),
    )
    assert [event["eventId"] for event in written(turns)] == [str(n) for n in range(1, turns[-1].number + 1)]


def test_events_name_the_events_they_follow_from() -> None:
    turns = turns_of(
        (STARTED, scheduled("1"), ev.TimerStarted("1", MINUTE)),
        (ev.SignalReceived("stop"), ev.ActivityCancelRequested("1"), ev.TimerCancelled("1")),
        (ev.ActivityCancelled("1", Failure("x", kind="cancelled")),),
    )
    attributes = {event["eventId"]: next(v for k, v in event.items() if "Attributes" in k) for event in written(turns)}
    assert attributes["3"] == {"scheduledEventId": "2"}
    assert attributes["4"] == {"scheduledEventId": "2", "startedEventId": "3"}
    assert attributes["5"]["workflowTaskCompletedEventId"] == "4"
    assert attributes["11"] == {"scheduledEventId": "5", "workflowTaskCompletedEventId": "10"}
    assert attributes["12"] == {"timerId": "1", "startedEventId": "6", "workflowTaskCompletedEventId": "10"}
    assert attributes["13"] == {"scheduledEventId": "5", "attempt": 1}
    assert attributes["14"] == {
        "latestCancelRequestedEventId": "11",
        "scheduledEventId": "5",
        "startedEventId": "13",
    }


def test_payloads_are_base64_with_their_encoding() -> None:
    payloads = written(ORDER)[0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
    assert payloads[0] == {
        "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
        "data": base64.b64encode(b'"book"').decode(),
    }


def test_the_first_event_says_when_the_run_began_and_which_run_it_is() -> None:
    first = written(ORDER, started_at=NOON - MINUTE)[0]
    assert first["eventTime"] == "2030-06-01T11:59:00Z"
    attributes = first["workflowExecutionStartedEventAttributes"]
    assert attributes["workflowType"] == {"name": "Order"}
    assert attributes["originalExecutionRunId"] == attributes["firstExecutionRunId"] == "run-1"
    found = read_history({"events": [first]})
    assert (found.run_id, found.started_at, found.turns) == ("run-1", NOON - MINUTE, ())


def test_an_attempt_has_its_own_time_and_number() -> None:
    began_at = NOON + timedelta(milliseconds=700)
    turns = turns_of((STARTED, scheduled("1")), (ev.ActivityCompleted("1", None, 3, began_at),))
    (started,) = [event for event in written(turns) if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_STARTED"]
    assert started["eventTime"] == "2030-06-01T12:00:00.700000Z"
    assert started["activityTaskStartedEventAttributes"]["attempt"] == 3


def test_a_failed_turn_is_a_failed_workflow_task() -> None:
    turns = turns_of((STARTED,), (ev.TurnFailed(FAILURE),), (ev.TurnFailed(FAILURE, 5, "parked, because"),))
    failed = [event for event in written(turns) if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_FAILED"]
    first, parked = [event["workflowTaskFailedEventAttributes"] for event in failed]
    assert first["cause"] == "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE"
    assert (first["failure"]["message"], first["failure"]["applicationFailureInfo"]) == ("no", {"type": "Nope"})
    assert parked["failure"]["message"] == "parked, because"
    assert parked["failure"]["cause"]["message"] == "no"
    assert read_back(turns) == turns


def test_a_turn_that_failed_over_non_determinism_says_so_in_its_cause() -> None:
    turns = turns_of((STARTED,), (ev.TurnFailed(Failure("x", type="NondeterminismError")),))
    attributes = written(turns)[-1]["workflowTaskFailedEventAttributes"]
    assert attributes["cause"] == "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"
