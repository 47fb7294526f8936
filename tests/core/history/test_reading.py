"""Histories that others have written: read, or refused by name."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from actorflow.converter import Failure, default
from actorflow.core import events as ev
from actorflow.core.history import read_history
from actorflow.core.journal import Turn
from actorflow.core.notes import IndexedValue, Type
from actorflow.exceptions import HistoryFormatError
from tests.core.given import MINUTE
from tests.core.history.given import BEGINNING, at, event, payload, read


def test_a_turn_has_the_time_at_which_its_task_was_started() -> None:
    found = read_history({"events": BEGINNING})
    assert (found.run_id, found.started_at) == ("a-run", at(1))
    assert found.turns == (Turn(4, at(3), (ev.Started("Order", "orders", default().values.encode(["book"])),)),)


def test_what_arrives_while_a_task_waits_is_taken_by_it_and_what_arrives_while_it_runs_by_the_next() -> None:
    turns = read(
        *BEGINNING,
        event(5, "TIMER_STARTED", {"timerId": "1", "startToFireTimeout": "1.5s"}),
        event(6, "WORKFLOW_EXECUTION_SIGNALED", {"signalName": "buffered"}),
        event(7, "WORKFLOW_TASK_SCHEDULED"),
        event(8, "WORKFLOW_EXECUTION_SIGNALED", {"signalName": "late"}),
        event(9, "WORKFLOW_TASK_STARTED"),
        event(10, "WORKFLOW_TASK_COMPLETED"),
        event(11, "TIMER_CANCELED", {"timerId": "1", "startedEventId": "5"}),
        event(12, "WORKFLOW_EXECUTION_SIGNALED", {"signalName": "not taken yet"}),
    )
    assert [turn.events[1:] for turn in turns[:1]] == [(ev.TimerStarted("1", timedelta(seconds=1.5)),)]
    assert turns[1:] == [
        Turn(11, at(9), (ev.SignalReceived("buffered"), ev.SignalReceived("late"), ev.TimerCancelled("1")))
    ]


def test_a_task_that_failed_or_timed_out_takes_nothing() -> None:
    turns = read(
        *BEGINNING[:3],
        event(4, "WORKFLOW_TASK_TIMED_OUT", {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}),
        event(5, "WORKFLOW_TASK_SCHEDULED", {"attempt": 2}),
        event(6, "WORKFLOW_TASK_STARTED"),
        event(7, "WORKFLOW_TASK_FAILED", {"cause": "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND"}),
        event(8, "WORKFLOW_TASK_SCHEDULED"),
        event(9, "WORKFLOW_TASK_STARTED"),
        event(10, "WORKFLOW_TASK_COMPLETED"),
        event(11, "WORKFLOW_EXECUTION_COMPLETED", {"result": {"payloads": [payload(1)]}}),
    )
    failed, last = turns
    assert failed.events == (
        ev.TurnFailed(Failure(message="WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND"), attempts=2),
    )
    assert [type(found) for found in last.events] == [ev.Started, ev.Completed]


def test_patches_and_their_search_attribute_are_read() -> None:
    detail = {"payloads": [payload({"id": "change", "deprecated": True})]}
    turns = read(
        *BEGINNING,
        event(5, "MARKER_RECORDED", {"markerName": "core_patch", "details": {"patch-data": detail}}),
        event(
            6,
            "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
            {"searchAttributes": {"indexedFields": {"TemporalChangeVersion": payload(["change"])}}},
        ),
        event(7, "TIMER_STARTED", {"timerId": "1", "startToFireTimeout": "60s"}),
    )
    assert turns[0].events[1:] == (ev.Patched("change", deprecated=True), ev.TimerStarted("1", MINUTE))


@pytest.mark.parametrize(
    ("told", "kind", "value"),
    [
        (["acme"], "Keyword", IndexedValue(Type.KEYWORD, "acme")),
        ("acme", "", IndexedValue(Type.KEYWORD, "acme")),
        (["a"], "KeywordList", IndexedValue(Type.KEYWORD_LIST, ("a",))),
        (["a", "b"], "", IndexedValue(Type.KEYWORD_LIST, ("a", "b"))),
        (7, "Double", IndexedValue(Type.DOUBLE, 7.0)),
        ([7], "", IndexedValue(Type.INT, 7)),
        ("2030-01-31T13:00:00+01:00", "Datetime", IndexedValue(Type.DATETIME, "2030-01-31T12:00:00Z")),
        ([], "", None),
        (None, "Int", None),
    ],
)
def test_search_attributes_of_servers_are_read_with_or_without_types(told: Any, kind: str, value: Any) -> None:
    said = payload(told)
    if kind:
        said["metadata"]["type"] = base64.b64encode(kind.encode()).decode()
    attributes = {"searchAttributes": {"indexedFields": {"Mine": said}}}
    turns = read(*BEGINNING, event(5, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", attributes))
    assert turns[0].events[1:] == (ev.SearchAttributesUpserted({"Mine": value}),)


def test_a_search_attribute_that_is_not_of_its_type_is_damage() -> None:
    said = payload("many")
    said["metadata"]["type"] = base64.b64encode(b"Int").decode()
    attributes = {"searchAttributes": {"indexedFields": {"Mine": said}}}
    with pytest.raises(HistoryFormatError, match="Mine"):
        read(*BEGINNING, event(5, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", attributes))


def test_short_names_plain_numbers_and_nulls_mean_the_same() -> None:
    long = [
        *BEGINNING,
        event(5, "ACTIVITY_TASK_SCHEDULED", {"activityId": "1", "activityType": {"name": "charge"}}),
        event(6, "ACTIVITY_TASK_STARTED", {"scheduledEventId": "5", "attempt": 2}),
        event(
            7,
            "ACTIVITY_TASK_TIMED_OUT",
            {
                "scheduledEventId": "5",
                "startedEventId": "6",
                "retryState": "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED",
                "failure": {"message": "late", "timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}},
            },
        ),
        event(8, "WORKFLOW_TASK_COMPLETED"),
    ]
    short = json.loads(
        json.dumps(long)
        .replace("TIMEOUT_TYPE_START_TO_CLOSE", "StartToClose")
        .replace("RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED", "MaximumAttemptsReached")
        .replace("EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT", "ActivityTaskTimedOut")
        .replace('"scheduledEventId": "5"', '"scheduledEventId": 5')
        .replace('"message": "late"', '"message": "late", "cause": null')
    )
    assert read(*short) == read(*long)
    outcome = read(*long)[1].events[0]
    assert isinstance(outcome, ev.ActivityTimedOut)
    assert (outcome.attempt, outcome.retry_state, outcome.failure.timeout_type) == (2, 4, 1)


def test_an_event_that_may_be_ignored_is_ignored() -> None:
    assert read(*BEGINNING, event(5, "SOMETHING_NEW", workerMayIgnore=True)) == read(*BEGINNING)


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (event(5, "NEXUS_OPERATION_SCHEDULED"), "event 5 .* NEXUS_OPERATION_SCHEDULED"),
        (event(5, "MARKER_RECORDED", {"markerName": "core_local_activity"}), "a marker 'core_local_activity'"),
        (event(5, "MARKER_RECORDED", {"markerName": "core_patch"}), "a marker 'core_patch'"),
    ],
)
def test_what_can_not_be_replayed_is_refused_by_name(found: dict[str, Any], named: str) -> None:
    with pytest.raises(HistoryFormatError, match=named):
        read(*BEGINNING, found)


@pytest.mark.parametrize(
    "document",
    [None, 7, [], {}, {"events": None}, {"events": 7}, {"events": [7]}, {"events": [None]}, {"events": [{}]}],
)
def test_what_is_no_history_is_refused(document: Any) -> None:
    with pytest.raises(HistoryFormatError):
        read_history(document)


@pytest.mark.parametrize(
    "damaged",
    [
        event(5, "TIMER_STARTED", {"timerId": "1", "startToFireTimeout": "soon"}),
        event(5, "TIMER_STARTED", {"timerId": 7}),
        event(5, "ACTIVITY_TASK_COMPLETED", {"scheduledEventId": "3"}),
        event(5, "ACTIVITY_TASK_COMPLETED", {"scheduledEventId": "three"}),
        event(5, "WORKFLOW_EXECUTION_SIGNALED", {"input": {"payloads": [{"data": "%"}]}}),
        event(5, "WORKFLOW_EXECUTION_SIGNALED", {"input": {"payloads": [{**payload(1), "data": "e30x"}]}}),
        {**event(5, "TIMER_FIRED"), "eventTime": "noon"},
        {**event(5, "TIMER_FIRED"), "eventTime": "2030-06-01T12:00:00"},
        {**event(5, "TIMER_FIRED"), "eventId": "9" * 5000},
        {**event(5, "TIMER_FIRED"), "timerFiredEventAttributes": []},
    ],
)
def test_a_damaged_event_is_named_by_its_place(damaged: dict[str, Any]) -> None:
    with pytest.raises(HistoryFormatError, match="event 5 of the history is damaged"):
        read(*BEGINNING, damaged)


def test_a_decision_without_a_task_is_refused() -> None:
    with pytest.raises(HistoryFormatError, match="follows from no completed workflow task"):
        read(*BEGINNING[:3], event(4, "TIMER_STARTED", {"timerId": "1"}))
