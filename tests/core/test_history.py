"""The public history's JSON: what we write we read back, and what others write we read or refuse by name."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from actorflow.converter import ActivityRef, Failure, Payload, default
from actorflow.core import events as ev
from actorflow.core.history import read_history, written_history
from actorflow.core.journal import Turn
from actorflow.core.state import turn_width
from actorflow.exceptions import HistoryFormatError
from tests.core.given import MINUTE, NOON, SECOND
from tests.core.test_properties import leaves, numbers, play

FAILURE = Failure("no", type="Nope")


def turns_of(*groups: tuple[Any, ...]) -> list[Turn]:
    """Turns a second apart, numbered as the journal does."""
    found: list[Turn] = []
    number = 0
    for place, events in enumerate(groups):
        number += turn_width(events)
        found.append(Turn(number, NOON + place * SECOND, tuple(events)))
    return found


def written(turns: list[Turn], *, started_at: datetime | None = None) -> list[dict[str, Any]]:
    """Events of the history, as a reader of the JSON text sees them."""
    document = written_history(turns, workflow_id="w", run_id="run-1", started_at=started_at)
    return json.loads(json.dumps(document))["events"]


def read(*events: dict[str, Any]) -> list[Turn]:
    return list(read_history({"events": list(events)}).turns)


def read_back(turns: list[Turn]) -> list[Turn]:
    return read(*written(turns))


def as_written(turns: list[Turn]) -> list[Turn]:
    """Turns without what the public shape has no place for."""

    def kept(event: Any) -> Any:
        if isinstance(event, ev.ActivityScheduled):
            return msgspec.structs.replace(event, waiting=False, cancellation=0)
        return event

    return [Turn(turn.number, turn.at, tuple(kept(event) for event in turn.events)) for turn in turns]


def scheduled(activity_id: str, **options: Any) -> ev.ActivityScheduled:
    return ev.ActivityScheduled(activity_id, "charge", "q", **options)


STARTED = ev.Started("Order", "q", default().values.encode(["book", 3]), "3.11")
ORDER = turns_of(
    (STARTED, ev.SignalReceived("hurry", default().values.encode([1]), "r-1")),
    (ev.CancelRequested("too late"), ev.TimerFired("1")),
)

# What is written


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


def test_every_kind_of_event_can_be_written() -> None:
    kinds = ev.AnyEvent.__args__
    shown = {type(event) for turns in STORIES for turn in turns for event in turn.events}
    assert shown == set(kinds)
    for turns in STORIES:
        assert read_back(turns) == as_written(turns)


STORIES = [
    turns_of(
        (STARTED, ev.Patched("p", deprecated=True), scheduled("1"), scheduled("2"), scheduled("3"), scheduled("4")),
        (ev.SignalReceived("s"), ev.CancelRequested("r"), ev.TimerStarted("1", SECOND), ev.TimerStarted("2", SECOND)),
        (ev.TurnFailed(FAILURE),),
        (ev.TimerFired("1"), ev.ActivityCompleted("1"), ev.TimerCancelled("2"), ev.ActivityCancelRequested("4")),
        (ev.ActivityFailed("2", FAILURE), ev.ActivityTimedOut("3", Failure("t", kind="timeout", timeout_type=4))),
        (ev.ActivityCancelled("4", Failure("Activity cancelled", kind="cancelled")), ev.Failed(FAILURE)),
    ),
    turns_of((STARTED,), (ev.SignalReceived("s"), ev.SignalUnhandled("s"), ev.Completed())),
    turns_of((STARTED,), (ev.CancelRequested(), ev.Cancelled(default().values.encode([1])))),
    turns_of((STARTED,), (ev.SignalUnhandled("s"), ev.Terminated("why", default().values.encode([1])))),
    turns_of((STARTED, ev.Terminated())),
    turns_of(
        (
            STARTED,
            ev.UpdateAccepted("u1", "add", default().values.encode([1])),
            scheduled("1"),
            ev.UpdateCompleted("u1"),
        ),
        (
            ev.SignalReceived("a"),
            ev.UpdateAccepted("u2", "add"),
            ev.SignalReceived("b"),
            ev.UpdateAccepted("u3", "add"),
            ev.UpdateCompleted("u2", default().values.encode_one(2)),
            ev.UpdateCompleted("u3", failure=FAILURE),
            ev.Completed(),
        ),
    ),
]


def test_updates_keep_their_place_among_the_signals() -> None:
    (*_, turns) = STORIES
    names = [event["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_") for event in written(turns)[7:]]
    assert names[:7] == [
        "EXECUTION_SIGNALED",
        "EXECUTION_SIGNALED",
        "TASK_SCHEDULED",
        "TASK_STARTED",
        "TASK_COMPLETED",
        "EXECUTION_UPDATE_ACCEPTED",
        "EXECUTION_UPDATE_ACCEPTED",
    ]
    assert [type(event).__name__ for event in read_back(turns)[1].events[:4]] == [
        "SignalReceived",
        "UpdateAccepted",
        "SignalReceived",
        "UpdateAccepted",
    ]


# What is written is read back


@given_any(
    st.lists(leaves, min_size=1, max_size=6).map(lambda found: ["gather", found]),
    st.lists(numbers, min_size=7, max_size=13).filter(lambda found: any(n % 2 for n in found)),
)
@settings(max_examples=40, deadline=timedelta(seconds=5))
def test_the_journal_of_any_program_reads_back_as_it_was(plan: Any, choices: list[int]) -> None:
    run = play(plan, choices, rebuilds=False)
    back = read_back(run.turns)
    assert back == as_written(run.turns)
    run.turns = back
    run.replayed().tear_down()


texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | texts, st.lists, max_leaves=4)
payloads = st.one_of(
    json_values.map(default().values.encode_one),
    st.binary(max_size=8).map(default().values.encode_one),
    st.just(Payload(json=msgspec.Raw(b"{}"), metadata={"encoding": "json/plain", "messageType": "M"})),
    st.just(Payload(data=b"", metadata={"encoding": "binary/null"})),
    st.just(Payload(data=b"\x00", metadata={"encoding": "binary/encrypted", "key": "ü"})),
)
several = st.lists(payloads, max_size=2).map(tuple)
durations = st.timedeltas(timedelta(microseconds=1), timedelta(days=36_500))
instants = st.integers(0, 10**15).map(lambda micros: NOON + timedelta(microseconds=micros))
references = st.builds(
    ActivityRef, texts, texts, st.integers(0, 9), st.integers(0, 9), texts, retry_state=st.integers(0, 7)
)


def failures_with(causes: st.SearchStrategy[Failure | None]) -> st.SearchStrategy[Failure]:
    common: Any = {"message": texts, "stack_trace": texts, "cause": causes}
    return st.one_of(
        st.builds(
            Failure,
            type=texts,
            non_retryable=st.booleans(),
            details=several,
            next_retry_delay=st.none() | durations | st.just(timedelta(0)),
            category=st.integers(0, 1),
            **common,
        ),
        st.builds(Failure, kind=st.just("timeout"), timeout_type=st.integers(0, 4), details=several, **common),
        st.builds(Failure, kind=st.just("cancelled"), details=several, **common),
        st.builds(Failure, kind=st.just("terminated"), **common),
        st.builds(Failure, kind=st.just("server"), non_retryable=st.booleans(), **common),
        st.builds(Failure, kind=st.just("activity"), activity=references, **common),
    )


failures = st.none() | st.recursive(failures_with(st.none()), failures_with, max_leaves=3)
failures = failures.filter(lambda found: found is not None)
application_failures = st.builds(Failure, message=texts, type=texts, details=several, cause=st.none() | failures)
rules = st.builds(
    ev.RetryRule,
    st.integers(1, 10**9).map(lambda micros: timedelta(microseconds=micros).total_seconds()),
    st.sampled_from([1.0, 1.5, 2.0]),
    st.integers(1, 10**9).map(lambda micros: timedelta(microseconds=micros).total_seconds()),
    st.integers(0, 5),
    st.lists(texts, max_size=2).map(tuple),
)
timeouts = st.none() | durations
# Never just when a turn was: None says that already.
begins = st.integers(1, 10**15).map(lambda micros: NOON - timedelta(microseconds=micros))
attempts: Any = {"attempt": st.integers(0, 3), "started_at": st.none() | begins}


def outcome_of(activity_id: str) -> st.SearchStrategy[Any]:
    which = st.just(activity_id)
    states = st.integers(0, 7)
    cancelled = several.map(lambda details: Failure("Activity cancelled", kind="cancelled", details=details))
    return st.one_of(
        st.builds(ev.ActivityCompleted, which, st.none() | payloads, **attempts),
        st.builds(ev.ActivityFailed, which, failures, states, **attempts),
        st.builds(ev.ActivityTimedOut, which, failures, states, **attempts),
        st.builds(ev.ActivityCancelled, which, cancelled, **attempts),
    ).map(lambda found: found if found.attempt else msgspec.structs.replace(found, started_at=None))


class Author:
    """Writes a journal that could have happened, one turn after another."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.activities: list[str] = []
        self.timers: list[str] = []
        self.named = 0

    def journal(self) -> list[Turn]:
        started = self.draw(st.builds(ev.Started, texts, texts, several, st.sampled_from(["", "3.11"])))
        groups: list[tuple[Any, ...]] = [(started, *self.decisions())]
        for _ in range(self.draw(st.integers(0, 4))):
            if self.draw(st.booleans()):
                groups.append((self.draw(st.builds(ev.TurnFailed, application_failures, st.integers(1, 9), texts)),))
            arrivals = self.arrivals()
            groups.append((*arrivals, *self.decisions()))
        end = self.draw(st.none() | self.ends())
        if end is not None:
            unhandled = self.draw(st.lists(st.builds(ev.SignalUnhandled, texts, several), max_size=2))
            groups.append((*unhandled, end))
        times = sorted(self.draw(st.lists(instants, min_size=len(groups), max_size=len(groups), unique=True)))
        turns = turns_of(*[group for group in groups if group])
        return [msgspec.structs.replace(turn, at=at) for turn, at in zip(turns, times, strict=False)]

    def arrivals(self) -> list[Any]:
        kinds = st.one_of(st.builds(ev.SignalReceived, texts, several, texts), st.builds(ev.CancelRequested, texts))
        found: list[Any] = self.draw(st.lists(kinds, max_size=2))
        for ids, answer in ((self.activities, outcome_of), (self.timers, lambda id_: st.just(ev.TimerFired(id_)))):
            while ids and self.draw(st.booleans()):
                found.append(self.draw(answer(ids.pop(0))))
        return found

    def decisions(self) -> list[Any]:
        found: list[Any] = [self.draw(st.builds(ev.Patched, texts, st.booleans()))] if self.draw(st.booleans()) else []
        if self.activities and self.draw(st.booleans()):
            found.append(ev.ActivityCancelRequested(self.activities[0]))
        if self.timers and self.draw(st.booleans()):
            found.append(ev.TimerCancelled(self.timers.pop()))
        begun = [self.draw(self.begins()) for _ in range(self.draw(st.integers(0, 2)))]
        return [*found, *begun]

    def begins(self) -> st.SearchStrategy[Any]:
        self.named += 1
        name = str(self.named)
        if self.draw(st.booleans()):
            self.timers.append(name)
            return st.builds(ev.TimerStarted, st.just(name), durations | st.just(timedelta(0)), texts)
        self.activities.append(name)
        options = dict.fromkeys(("schedule_to_close", "schedule_to_start", "start_to_close", "heartbeat"), timeouts)
        return st.builds(
            ev.ActivityScheduled, st.just(name), texts, texts, several, retry=rules, summary=texts, **options
        )

    @staticmethod
    def ends() -> st.SearchStrategy[Any]:
        return st.one_of(
            st.builds(ev.Completed, st.none() | payloads),
            st.builds(ev.Failed, failures),
            st.builds(ev.Cancelled, several),
            st.builds(ev.Terminated, texts, several),
        )


@given_any(st.data())
@settings(max_examples=50, deadline=timedelta(seconds=5))
def test_any_journal_reads_back_as_it_was_and_is_written_the_same_again(data: st.DataObject) -> None:
    turns = Author(data).journal()
    events = written(turns)
    assert [event["eventId"] for event in events] == [str(n) for n in range(1, turns[-1].number + 1)]
    back = read(*events)
    assert back == turns
    assert written(back) == events


# What others write


def event(number: int, type_: str, attributes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    first, *others = type_.lower().split("_")
    key = "".join((first, *(word.capitalize() for word in others), "EventAttributes"))
    at = NOON + number * SECOND
    return {
        "eventId": str(number),
        "eventTime": at.isoformat().replace("+00:00", ".123456400Z"),
        "eventType": f"EVENT_TYPE_{type_}",
        "version": "0",
        "taskId": "1048576",
        key: attributes or {},
        **more,
    }


def payload(value: Any) -> dict[str, Any]:
    encoding, data = base64.b64encode(b"json/plain").decode(), base64.b64encode(json.dumps(value).encode()).decode()
    return {"metadata": {"encoding": encoding}, "data": data}


BEGINNING = [
    event(
        1,
        "WORKFLOW_EXECUTION_STARTED",
        {
            "workflowType": {"name": "Order"},
            "taskQueue": {"name": "orders", "kind": "TASK_QUEUE_KIND_NORMAL"},
            "input": {"payloads": [payload("book")]},
            "workflowTaskTimeout": "10s",
            "originalExecutionRunId": "a-run",
            "identity": "1@there",
            "attempt": 1,
            "header": None,
        },
    ),
    event(2, "WORKFLOW_TASK_SCHEDULED", {"attempt": 1}),
    event(3, "WORKFLOW_TASK_STARTED", {"scheduledEventId": "2"}),
    event(4, "WORKFLOW_TASK_COMPLETED", {"scheduledEventId": "2", "startedEventId": "3"}),
]


def at(number: int) -> datetime:
    return NOON + number * SECOND + timedelta(microseconds=123456)


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
        (event(5, "START_CHILD_WORKFLOW_EXECUTION_INITIATED"), "event 5 .* START_CHILD_WORKFLOW_EXECUTION_INITIATED"),
        (event(5, "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"), "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"),
        (event(5, "MARKER_RECORDED", {"markerName": "core_local_activity"}), "a marker 'core_local_activity'"),
        (event(5, "MARKER_RECORDED", {"markerName": "core_patch"}), "a marker 'core_patch'"),
        (
            event(
                5, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", {"searchAttributes": {"indexedFields": {"Mine": payload(1)}}}
            ),
            "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
        ),
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
