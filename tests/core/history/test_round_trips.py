"""What is written is read back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given as given_any, settings, strategies as st

from actorflow.converter import Failure, default
from actorflow.core import events as ev
from actorflow.core.letters import NOBODY
from actorflow.core.notes import IndexedValue, Type
from tests.core.given import MINUTE, NOON, SECOND
from tests.core.history.given import FAILURE, STARTED, as_written, child, read, read_back, scheduled, turns_of, written
from tests.core.history.journals import Author
from tests.core.test_properties import leaves, numbers, play


def test_every_kind_of_event_can_be_written() -> None:
    kinds = ev.AnyEvent.__args__
    shown = {type(event) for turns in STORIES for turn in turns for event in turn.events}
    assert shown == set(kinds)
    for turns in STORIES:
        assert read_back(turns) == as_written(turns)


MEMO = {"a": default().values.encode_one(1), "b": default().values.encode_one(["c"])}
ATTRIBUTES = {
    "Customer": IndexedValue(Type.KEYWORD, "acme"),
    "Title": IndexedValue(Type.TEXT, "A long way"),
    "Amount": IndexedValue(Type.INT, 3),
    "Rate": IndexedValue(Type.DOUBLE, 1.0),
    "IsPaid": IndexedValue(Type.BOOL, True),
    "DueAt": IndexedValue(Type.DATETIME, "2030-06-01T12:00:00Z"),
    "Tags": IndexedValue(Type.KEYWORD_LIST, ("new",)),
}
STORIES = [
    turns_of(
        (STARTED, ev.LocalActivityScheduled("1", "look", MINUTE), ev.LocalActivityScheduled("own", "look", MINUTE)),
        (
            ev.SignalReceived("a"),
            ev.LocalActivityResolved("1", "look", NOON, default().values.encode_one("seen"), attempt=2),
            ev.TimerFired("7"),
            ev.TimerStarted("1", SECOND),
            ev.LocalActivityCancelRequested("own"),
        ),
        (
            ev.LocalActivityResolved("own", "look", NOON, failure=FAILURE, backoff=MINUTE),
            ev.LocalActivityScheduled("own", "look", MINUTE, attempt=2, first_scheduled_at=NOON),
        ),
        (ev.LocalActivityResolved("own", "look", NOON, None, FAILURE, 3, 2), ev.Failed(FAILURE)),
    ),
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
    turns_of(
        (STARTED, child("a"), child("b"), child("c"), child("d"), child("e"), child("f")),
        (ev.ChildStarted(5, "run-a"), ev.ChildStarted(6, "run-b"), ev.ChildStartFailed(10), ev.CancelSent("a", "", 5)),
        (ev.MessageDelivered(17), ev.SignalSent("b", "s", default().values.encode([1]), "run-b", is_child=True)),
        (
            ev.MessageRefused(22, NOBODY),
            ev.ChildCancelled(5, default().values.encode([1])),
            ev.CancelSent("x", "run-x"),
        ),
        (ev.MessageRefused(28, "it is full"), ev.ChildCompleted(6, default().values.encode_one(2))),
        (ev.ChildFailed(7, FAILURE, 4), ev.ChildTimedOut(8, 3), ev.ChildTerminated(9), ev.SignalSent("y", "s")),
        (ev.ContinuedAsNew("Order", "q", default().values.encode([2]), MINUTE, MINUTE, successor="run-2"),),
    ),
    turns_of((STARTED,), (ev.TimedOut(3),)),
    turns_of((STARTED,), (ev.Completed(successor="run-2"),)),
    turns_of((STARTED,), (ev.Failed(FAILURE, 4),)),
    turns_of(
        (
            ev.Started("Order", "q", options=ev.RunOptions(memo=MEMO, search_attributes=ATTRIBUTES, headers=MEMO)),
            ev.MemoUpserted({"a": default().values.encode_one(2), "b": None}),
            ev.SearchAttributesUpserted({**ATTRIBUTES, "Customer": None}),
            child(memo=MEMO, search_attributes=ATTRIBUTES, headers=MEMO, summary="one line", details="two\nlines"),
        ),
        (ev.SignalReceived("s"), ev.ContinuedAsNew("Order", "q", memo={}, search_attributes=ATTRIBUTES)),
    ),
    turns_of(
        (
            STARTED,
            ev.SignalReceived("s", headers=MEMO),
            ev.ActivityScheduled("1", "a", "q", start_to_close=MINUTE, headers=MEMO),
            ev.SignalSent("y", "s", headers=MEMO),
        ),
        (ev.UpdateAccepted("1", "u", headers=MEMO), ev.UpdateCompleted("1")),
        (ev.SignalUnhandled("s", headers=MEMO), ev.ContinuedAsNew("Order", "q", successor="run-2", headers=MEMO)),
    ),
    turns_of((ev.Started("Order", "q", options=ev.RunOptions(summary="one line", details="two\nlines")),)),
]


def test_updates_keep_their_place_among_the_signals() -> None:
    turns = STORIES[6]
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


@given_any(st.data())
@settings(max_examples=50, deadline=timedelta(seconds=5))
def test_any_journal_reads_back_as_it_was_and_is_written_the_same_again(data: st.DataObject) -> None:
    turns = Author(data).journal()
    events = written(turns)
    assert [event["eventId"] for event in events] == [str(n) for n in range(1, turns[-1].number + 1)]
    back = read(*events)
    assert back == turns
    assert written(back) == events
