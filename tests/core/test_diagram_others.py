"""Children, messages to others and runs that follow, in the pictures of a journal."""

from __future__ import annotations

from typing import Any

import pytest

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.diagram import flowchart, gantt
from tests.core.given import NOON
from tests.core.history.given import turns_of

STARTED = ev.Started("Order", "q")
MILLIS = int(NOON.timestamp() * 1000)


def child(workflow_id: str, **options: Any) -> ev.ChildScheduled:
    return ev.ChildScheduled(workflow_id, "Parcel", "q", f"run-{workflow_id}", **options)


# Three parcels one after another, of which the last is lost; then somebody is told, and somebody is not there.
SENT = turns_of(
    (STARTED, child("a")),
    (ev.ChildStarted(5, "run-a"),),
    (ev.ChildCompleted(5), child("b")),
    (ev.ChildStarted(14, "run-b"),),
    (ev.ChildCompleted(14), child("c")),
    (ev.ChildStarted(23, "run-c"),),
    (ev.ChildFailed(23, Failure("lost")), ev.SignalSent("shop", "lost"), ev.CancelSent("nobody")),
    (ev.MessageDelivered(32),),
    (ev.MessageRefused(33), ev.ContinuedAsNew("Order", "q", successor="run-2")),
)


def test_the_way_leads_through_children_and_messages_to_the_next_run() -> None:
    assert flowchart(SENT) == (
        "flowchart TD\n"
        '    s0(["Order"])\n'
        '    s1[["Parcel<br/>×3, 1 failed"]]\n'
        '    s2[\\"signal lost to another"\\]\n'
        '    s3[\\"cancel another<br/>failed"\\]\n'
        '    s4(["continued as new"])\n'
        "    s0 --> s1\n"
        '    s1 -. "again ×2" .-> s1\n'
        "    s1 --> s2\n"
        "    s1 --> s3\n"
        "    s2 --> s4\n"
        "    s3 --> s4\n"
        "    classDef failed stroke:#c0392b,stroke-width:2px\n"
        "    class s1,s3 failed\n"
    )


def test_children_are_bars_from_their_start_to_their_end_and_messages_until_they_arrive() -> None:
    assert gantt(SENT) == (
        "gantt\n"
        "    dateFormat x\n"
        "    axisFormat %H:%M:%S\n"
        "    section execution\n"
        f"    Order, continued as new :done, {MILLIS}, 8000ms\n"
        "    section Parcel\n"
        f"    child a :done, {MILLIS + 1000}, 1000ms\n"
        f"    child b :done, {MILLIS + 3000}, 1000ms\n"
        f"    child c, failed :crit, {MILLIS + 5000}, 1000ms\n"
        "    section messages\n"
        f"    signal lost to shop :done, {MILLIS + 6000}, 1000ms\n"
        f"    cancel nobody, not received :crit, {MILLIS + 6000}, 2000ms\n"
    )


def test_a_program_that_waits_for_a_start_only_goes_on_from_there() -> None:
    chart = flowchart(turns_of((STARTED, child("a")), (ev.ChildStarted(5, "run-a"), ev.TimerStarted("1", NOON - NOON))))
    assert '    s1[["Parcel<br/>open"]]\n' in chart
    assert "    s1 --> s2\n" in chart
    assert "    class s1,s2 open\n" in chart


def test_a_child_is_closed_with_its_parent_unless_it_is_abandoned() -> None:
    children = (child("a"), child("b", parent_close=2))
    started = (ev.ChildStarted(5, "run-a"), ev.ChildStarted(6, "run-b"))
    chart = flowchart(turns_of((STARTED, *children), started, (ev.Terminated(),)))
    assert '    s1[["Parcel<br/>×2, 1 cancelled, 1 open"]]\n' in chart


@pytest.mark.parametrize(
    ("outcome", "how"),
    [
        (ev.ChildStartFailed(5), "could not start"),
        (ev.ChildCancelled(5), "cancelled"),
        (ev.ChildTimedOut(5), "timed out"),
        (ev.ChildTerminated(5), "terminated"),
    ],
)
def test_a_child_that_does_not_complete_says_how_it_ended(outcome: Any, how: str) -> None:
    turns = turns_of((STARTED, child("a")), (outcome,))
    assert f"    child a, {how} :crit, {MILLIS}, 1000ms\n" in gantt(turns)


def test_what_is_open_runs_to_the_end_of_the_chart() -> None:
    turns = turns_of((STARTED, child("a"), ev.SignalSent("a", "go", is_child=True)), (ev.ChildStarted(5, "run-a"),))
    assert f"    signal go to a :active, {MILLIS}, 1000ms\n" in gantt(turns)
    assert "    child a, open :active, " in gantt(turns)
    assert '"signal go to child<br/>open"' in flowchart(turns)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (ev.TimedOut(), "timed out"),
        (ev.TimedOut(successor="run-2"), "timed out, then another run"),
        (ev.Failed(Failure("no"), successor="run-2"), "failed, then another run"),
        (ev.Completed(successor="run-2"), "completed, then another run"),
    ],
)
def test_an_end_says_whether_another_run_follows(end: Any, said: str) -> None:
    assert f'(["{said}"])' in flowchart(turns_of((STARTED,), (end,)))


def test_a_run_that_timed_out_says_so_in_words() -> None:
    assert f"    Order, timed out :crit, {MILLIS}, 1000ms\n" in gantt(turns_of((STARTED,), (ev.TimedOut(),)))
