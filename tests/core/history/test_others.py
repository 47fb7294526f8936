"""Children, messages to others and runs that follow in the public history's JSON, ours and others'."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from actorflow.converter import ChildRef, Failure, default
from actorflow.core import events as ev
from actorflow.core.history import read_history
from actorflow.core.letters import NOBODY
from actorflow.exceptions import HistoryFormatError
from tests.core.given import MINUTE, NOON, SECOND
from tests.core.history.given import BEGINNING, FAILURE, STARTED, at, child, event, payload, read, turns_of, written


def attributes_of(event: dict[str, Any]) -> dict[str, Any]:
    return next(value for key, value in event.items() if key.endswith("EventAttributes"))


def started_with(**options: Any) -> dict[str, Any]:
    """The first event of a run that brought this along, started at noon."""
    begun = msgspec.structs.replace(STARTED, options=ev.RunOptions(**options))
    return attributes_of(written(turns_of((begun,)), started_at=NOON)[0])


# Written


def test_a_child_is_named_by_the_event_that_asked_for_it_and_by_that_of_its_start() -> None:
    turns = turns_of(
        (STARTED, child("c", parent_close=2, run_timeout=MINUTE, summary="the parcel")),
        (ev.ChildStarted(5, "run-c"),),
        (ev.ChildCompleted(5, default().values.encode_one("sent")), ev.Completed()),
    )
    initiated, started, completed = [event for event in written(turns) if "CHILD" in event["eventType"]]
    assert initiated["userMetadata"]["summary"] == payload("the parcel")
    assert attributes_of(initiated) == {
        "workflowId": "c",
        "workflowType": {"name": "Parcel"},
        "taskQueue": {"name": "q", "kind": "TASK_QUEUE_KIND_NORMAL"},
        "workflowRunTimeout": "60s",
        "parentClosePolicy": "PARENT_CLOSE_POLICY_ABANDON",
        "workflowTaskCompletedEventId": "4",
        "workflowIdReusePolicy": "WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE",
    }
    about = {
        "workflowExecution": {"workflowId": "c", "runId": "run-c"},
        "workflowType": {"name": "Parcel"},
        "initiatedEventId": "5",
    }
    assert attributes_of(started) == about
    assert attributes_of(completed) == {**about, "startedEventId": "6", "result": {"payloads": [payload("sent")]}}


def test_a_child_that_can_not_start_says_which_and_why() -> None:
    turns = turns_of((STARTED, child("c")), (ev.ChildStartFailed(5),))
    assert attributes_of(written(turns)[5]) == {
        "workflowId": "c",
        "workflowType": {"name": "Parcel"},
        "cause": "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS",
        "initiatedEventId": "5",
    }


def test_a_reply_is_of_the_kind_of_its_message() -> None:
    turns = turns_of(
        (STARTED, ev.SignalSent("a", "s"), ev.CancelSent("b"), ev.SignalSent("c", "s"), ev.CancelSent("d")),
        (ev.MessageDelivered(5), ev.MessageDelivered(6), ev.MessageRefused(7, NOBODY), ev.MessageRefused(8, NOBODY)),
    )
    replies = written(turns)[8:12]
    assert [reply["eventType"].removeprefix("EVENT_TYPE_") for reply in replies] == [
        "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED",
        "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
        "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
    ]
    assert [attributes_of(reply)["workflowExecution"]["workflowId"] for reply in replies] == ["a", "b", "c", "d"]
    assert [attributes_of(reply)["cause"] for reply in replies[2:]] == [
        "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND",
        "CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND",
    ]


def test_an_end_names_the_run_that_follows_and_says_why_none_does() -> None:
    ends = {
        ev.Completed(successor="run-2"): {"newExecutionRunId": "run-2"},
        ev.Failed(FAILURE, successor="run-2"): {"newExecutionRunId": "run-2", "retryState": "RETRY_STATE_IN_PROGRESS"},
        ev.Failed(FAILURE, 4): {"retryState": "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED"},
        ev.Failed(FAILURE): {"retryState": "RETRY_STATE_RETRY_POLICY_NOT_SET"},
        ev.ContinuedAsNew("Order", "q", successor="run-2"): {
            "newExecutionRunId": "run-2",
            "workflowType": {"name": "Order"},
            "initiator": "CONTINUE_AS_NEW_INITIATOR_WORKFLOW",
        },
    }
    for end, said in ends.items():
        assert attributes_of(written(turns_of((STARTED, end)))[-1]).items() >= said.items()


def test_a_run_that_timed_out_has_no_task_for_it() -> None:
    history = written(turns_of((STARTED,), (ev.TimedOut(3),)))
    assert len(history) == 5
    assert history[4]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT"
    assert attributes_of(history[4]) == {"retryState": "RETRY_STATE_TIMEOUT"}


def test_the_first_event_says_whom_the_run_follows_and_how_long_it_may_take() -> None:
    said = started_with(
        first_run_id="run-a",
        continued_run_id="run-b",
        initiator="retry",
        attempt=3,
        not_before=NOON + 5 * SECOND,
        chain_expires_at=NOON + MINUTE,
        execution_timeout=MINUTE,
        run_timeout=30 * SECOND,
        retry=ev.RetryRule(),
        cron="@daily",
        last_result=default().values.encode_one(7),
        last_failure=FAILURE,
    )
    assert {key: said[key] for key in said if key not in ("retryPolicy", "input", "taskQueue", "header")} == {
        "workflowType": {"name": "Order"},
        "workflowId": "w",
        "originalExecutionRunId": "run-1",
        "firstExecutionRunId": "run-a",
        "continuedExecutionRunId": "run-b",
        "initiator": "CONTINUE_AS_NEW_INITIATOR_RETRY",
        "attempt": 3,
        "firstWorkflowTaskBackoff": "5s",
        "workflowExecutionExpirationTime": "2030-06-01T12:01:00Z",
        "workflowExecutionTimeout": "60s",
        "workflowRunTimeout": "30s",
        "cronSchedule": "@daily",
        "lastCompletionResult": {"payloads": [payload(7)]},
        "continuedFailure": {"message": "no", "source": "actorflow", "applicationFailureInfo": {"type": "Nope"}},
    }


def test_a_history_that_does_not_know_when_its_run_began_can_be_read() -> None:
    waited = msgspec.structs.replace(STARTED, options=ev.RunOptions(not_before=NOON - MINUTE, attempt=2))
    assert read(*written(turns_of((waited,))))[0].events == (
        msgspec.structs.replace(STARTED, options=ev.RunOptions(attempt=2)),
    )


def test_the_first_event_of_a_child_names_its_parent_and_its_root() -> None:
    said = started_with(parent=ev.ParentRun("default", "p", "run-p", 5), root=ev.RootRun("r", "run-r"))
    assert said["parentWorkflowNamespace"] == "default"
    assert said["parentWorkflowExecution"] == {"workflowId": "p", "runId": "run-p"}
    assert said["parentInitiatedEventId"] == "5"
    assert said["rootWorkflowExecution"] == {"workflowId": "r", "runId": "run-r"}


def test_a_failure_says_of_which_child_it_is() -> None:
    about = ChildRef("default", "c", "run-c", "Parcel", 5, 6, 4)
    failure = Failure("Child workflow failed", kind="child", child=about, cause=FAILURE)
    said = attributes_of(written(turns_of((STARTED, ev.Failed(failure))))[-1])["failure"]
    assert said["childWorkflowExecutionFailureInfo"] == {
        "namespace": "default",
        "workflowExecution": {"workflowId": "c", "runId": "run-c"},
        "workflowType": {"name": "Parcel"},
        "initiatedEventId": "5",
        "startedEventId": "6",
        "retryState": "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED",
    }


# Read


def begun_with(**attributes: Any) -> ev.RunOptions | None:
    """The options that a server's first event with these attributes, at one second past noon, is read as."""
    (first, *task) = BEGINNING
    said = {**attributes_of(first), **attributes}
    started = read(event(1, "WORKFLOW_EXECUTION_STARTED", said), *task)[0].events[0]
    assert isinstance(started, ev.Started)
    return started.options


def test_what_a_server_says_of_every_run_is_nothing_a_run_brought_along() -> None:
    options = begun_with(
        workflowId="w",
        firstExecutionRunId="a-run",
        workflowExecutionTimeout="0s",
        workflowRunTimeout="0s",
        firstWorkflowTaskBackoff="0s",
        parentInitiatedEventId="0",
        rootWorkflowExecution={"workflowId": "w", "runId": "a-run"},
    )
    assert options is None


def test_timeouts_are_read_with_the_instants_that_follow_from_them() -> None:
    options = begun_with(workflowExecutionTimeout="60s", workflowRunTimeout="30s", firstWorkflowTaskBackoff="5s")
    assert options == ev.RunOptions(
        not_before=at(1) + 5 * SECOND,
        expires_at=at(1) + 35 * SECOND,
        chain_expires_at=at(1) + MINUTE,
        execution_timeout=MINUTE,
        run_timeout=30 * SECOND,
    )


@pytest.mark.parametrize("said", ["CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE", "CronSchedule", 3])
def test_a_run_that_follows_another_knows_whom_and_why(said: str | int) -> None:
    options = begun_with(
        firstExecutionRunId="run-a",
        continuedExecutionRunId="run-b",
        initiator=said,
        attempt=2,
        cronSchedule="* * * * *",
        lastCompletionResult={"payloads": [payload(7)]},
        continuedFailure={"message": "no", "applicationFailureInfo": {"type": "Nope"}},
        retryPolicy={"initialInterval": "1s", "backoffCoefficient": 2, "maximumInterval": "100s"},
    )
    assert options == ev.RunOptions(
        first_run_id="run-a",
        continued_run_id="run-b",
        initiator="cron",
        attempt=2,
        cron="* * * * *",
        last_result=default().values.encode_one(7),
        last_failure=FAILURE,
        retry=ev.RetryRule(),
    )


def test_a_child_knows_its_parent_and_its_root() -> None:
    options = begun_with(
        parentWorkflowNamespace="orders",
        parentWorkflowExecution={"workflowId": "p", "runId": "run-p"},
        parentInitiatedEventId="5",
        rootWorkflowExecution={"workflowId": "r", "runId": "run-r"},
    )
    assert options == ev.RunOptions(
        parent=ev.ParentRun("orders", "p", "run-p", 5),
        root=ev.RootRun("r", "run-r"),
    )


CHILD = {"workflowId": "c", "workflowType": {"name": "Parcel"}, "taskQueue": {"name": "q"}}
RUN_C = {"workflowExecution": {"workflowId": "c", "runId": "run-c"}, "workflowType": {"name": "Parcel"}}


def test_a_child_is_known_by_its_decision_also_where_an_event_between_says_nothing() -> None:
    detail = {"payloads": [payload({"id": "change", "deprecated": False})]}
    turns = read(
        *BEGINNING,
        event(5, "START_CHILD_WORKFLOW_EXECUTION_INITIATED", CHILD),
        event(6, "MARKER_RECORDED", {"markerName": "core_patch", "details": {"patch-data": detail}}),
        event(
            7,
            "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
            {"searchAttributes": {"indexedFields": {"TemporalChangeVersion": payload(["change"])}}},
        ),
        event(8, "TIMER_STARTED", {"timerId": "1", "startToFireTimeout": "60s"}),
        event(9, "CHILD_WORKFLOW_EXECUTION_STARTED", {**RUN_C, "initiatedEventId": "5"}),
        event(10, "WORKFLOW_TASK_COMPLETED"),
    )
    first, second = turns
    assert first.events[1:] == (child("c"), ev.Patched("change"), ev.TimerStarted("1", MINUTE))
    assert second.events == (ev.ChildStarted(first.number - 2, "run-c"),)


def test_a_request_to_a_child_is_one_to_the_latest_of_that_id() -> None:
    turns = read(
        *BEGINNING,
        event(5, "START_CHILD_WORKFLOW_EXECUTION_INITIATED", CHILD),
        event(6, "WORKFLOW_TASK_COMPLETED"),
        event(7, "START_CHILD_WORKFLOW_EXECUTION_INITIATED", CHILD),
        event(8, "WORKFLOW_TASK_COMPLETED"),
        event(
            9,
            "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            {"workflowExecution": {"workflowId": "c"}, "childWorkflowOnly": True, "reason": "too late"},
        ),
        event(
            10,
            "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            {"workflowExecution": {"workflowId": "c", "runId": "run-c"}},
        ),
    )
    assert turns[2].events == (ev.CancelSent("c", child=7, reason="too late"), ev.CancelSent("c", "run-c"))


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        ("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND", NOBODY),
        ("ExternalWorkflowExecutionNotFound", NOBODY),
        (1, NOBODY),
        ("NamespaceNotFound", "NamespaceNotFound"),
    ],
)
def test_a_refusal_says_why(cause: str | int, reason: str) -> None:
    turns = read(
        *BEGINNING,
        event(
            5,
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            {"workflowExecution": {"workflowId": "x"}, "signalName": "s"},
        ),
        event(6, "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED", {"initiatedEventId": "5", "cause": cause}),
        event(7, "WORKFLOW_TASK_COMPLETED"),
    )
    assert turns[1].events == (ev.MessageRefused(5, reason),)


def test_a_run_that_times_out_on_a_server_has_ended() -> None:
    turns = read(
        *BEGINNING,
        event(5, "WORKFLOW_EXECUTION_TIMED_OUT", {"retryState": "RETRY_STATE_TIMEOUT", "newExecutionRunId": ""}),
    )
    assert turns[1].events == (ev.TimedOut(3),)
    assert read_history({"events": BEGINNING}).turns == (turns[0],)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (event(6, "CHILD_WORKFLOW_EXECUTION_STARTED", {"initiatedEventId": "3"}), "asks for no child"),
        (event(6, "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED", {"initiatedEventId": "3"}), "sends no message"),
        (
            event(6, "START_CHILD_WORKFLOW_EXECUTION_FAILED", {"initiatedEventId": "5", "cause": "NamespaceNotFound"}),
            "a START_CHILD_WORKFLOW_EXECUTION_FAILED because of NamespaceNotFound",
        ),
        (
            event(6, "WORKFLOW_EXECUTION_CONTINUED_AS_NEW", {"initiator": "CONTINUE_AS_NEW_INITIATOR_RETRY"}),
            "CONTINUED_AS_NEW by CONTINUE_AS_NEW_INITIATOR_RETRY",
        ),
    ],
)
def test_what_names_nothing_or_has_no_counterpart_here_is_refused(found: dict[str, Any], said: str) -> None:
    with pytest.raises(HistoryFormatError, match=said):
        read(*BEGINNING, event(5, "START_CHILD_WORKFLOW_EXECUTION_INITIATED", CHILD), found)


def test_a_short_wait_before_the_first_turn_is_not_a_timeout() -> None:
    assert begun_with(firstWorkflowTaskBackoff="0.5s") == ev.RunOptions(not_before=at(1) + timedelta(seconds=0.5))
