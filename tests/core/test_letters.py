"""What a turn has to say to other executions."""

from __future__ import annotations

from typing import Any

import pytest

from actorflow.converter import Failure, default
from actorflow.core import events as ev
from actorflow.core.journal import Turn
from actorflow.core.letters import Address, Birth, Letter, letters
from actorflow.core.program.others import ParentClosePolicy
from actorflow.core.state import ExecutionState, turn_width
from tests.core.given import MINUTE, NOON, WhoIs

FAILURE = Failure(message="no")
STARTED = ev.Started("W", "q")
CHILD = ev.ChildScheduled("child", "C", "q", "run-c")
OWN = ev.RunOptions(parent=ev.ParentRun("default", "parent", "run-p", 7))


def sent(*turns: tuple[ev.AnyEvent, ...]) -> list[Letter | Birth]:
    """What the last of these turns sends."""
    state, number, turn = ExecutionState(), 0, None
    for events in turns:
        number += turn_width(events)
        turn = Turn(number, NOON, events)
        state.apply(turn)
    assert turn is not None
    return list(letters(WhoIs(), state, turn))


def test_most_turns_send_nothing() -> None:
    assert sent((STARTED, ev.TimerStarted("1", MINUTE))) == []
    assert sent((STARTED, ev.Completed())) == []


def test_a_child_knows_its_parent_its_root_and_the_event_that_asked_for_it() -> None:
    (birth,) = sent((STARTED, ev.TimerStarted("1", MINUTE), CHILD))
    assert isinstance(birth, Birth)
    options = birth.started.options
    assert options is not None
    assert options.parent == ev.ParentRun("default", "w", "run-1", 6)
    assert options.root == ev.RootRun("w", "run-1")
    assert birth.received == ev.ChildStarted(6, "run-c")
    assert birth.refused == ev.ChildStartFailed(6)


def test_a_grandchild_knows_the_root_of_its_parent() -> None:
    root = ev.RootRun("top", "run-0")
    started = ev.Started("W", "q", options=ev.RunOptions(root=root, parent=ev.ParentRun("default", "top", "run-0", 5)))
    (birth,) = sent((started, CHILD))
    assert isinstance(birth, Birth)
    assert birth.started.options is not None
    assert birth.started.options.root == root


def test_a_signal_names_the_run_it_is_for_and_what_its_sender_hears() -> None:
    (letter,) = sent((STARTED, ev.SignalSent("other", "go", default().values.encode([1]), "run-x")))
    assert letter == Letter(
        Address("default", "other", run_id="run-x"),
        ev.SignalReceived("go", default().values.encode([1])),
        ev.MessageDelivered(5),
        ev.MessageRefused(5, "there is no open execution of that id, or it has too many unprocessed messages"),
    )


def test_a_child_is_reached_whichever_run_of_its_chain_is_open() -> None:
    signal, cancel = sent(
        (STARTED, CHILD),
        (ev.ChildStarted(5, "run-c"), ev.SignalSent("child", "go", (), "run-c", True), ev.CancelSent("child", "", 5)),
    )
    assert isinstance(signal, Letter)
    assert isinstance(cancel, Letter)
    assert signal.to == cancel.to == Address("default", "child", first_run_id="run-c")
    assert cancel.message == ev.CancelRequested()


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (ParentClosePolicy.UNSPECIFIED, ev.Terminated("by parent close policy")),
        (ParentClosePolicy.TERMINATE, ev.Terminated("by parent close policy")),
        (ParentClosePolicy.REQUEST_CANCEL, ev.CancelRequested("by parent close policy")),
        (ParentClosePolicy.ABANDON, None),
    ],
)
@pytest.mark.parametrize("close", [ev.Completed(), ev.Failed(FAILURE), ev.Terminated(), ev.TimedOut()])
def test_what_becomes_of_an_open_child_says_its_parent_close_policy(policy: int, told: Any, close: Any) -> None:
    child = ev.ChildScheduled("child", "C", "q", "run-c", parent_close=policy)
    found = sent((STARTED, child), (ev.SignalReceived("x"), close))
    wanted = [] if told is None else [Letter(Address("default", "child", first_run_id="run-c"), told)]
    assert found == wanted


def test_a_child_that_is_over_is_told_nothing() -> None:
    over = (ev.ChildStarted(5, "run-c"), ev.ChildCompleted(5))
    assert sent((STARTED, CHILD), over, (ev.SignalReceived("x"), ev.Completed())) == []


@pytest.mark.parametrize(
    ("close", "heard"),
    [
        (ev.Completed(default().values.encode_one(5)), ev.ChildCompleted(7, default().values.encode_one(5))),
        (ev.Failed(FAILURE, 4), ev.ChildFailed(7, FAILURE, 4)),
        (ev.Cancelled(), ev.ChildCancelled(7)),
        (ev.TimedOut(3), ev.ChildTimedOut(7, 3)),
        (ev.Terminated("why"), ev.ChildTerminated(7)),
    ],
)
def test_a_parent_hears_how_its_child_ended(close: Any, heard: Any) -> None:
    (letter,) = sent((ev.Started("W", "q", options=OWN), close))
    assert letter == Letter(Address("default", "parent", run_id="run-p"), heard)


@pytest.mark.parametrize(
    "close",
    [
        ev.ContinuedAsNew("W", "q", successor="run-2"),
        ev.Failed(FAILURE, successor="run-2"),
        ev.Completed(successor="r"),
    ],
)
def test_a_parent_hears_nothing_before_the_whole_chain_of_its_child_is_over(close: Any) -> None:
    assert sent((ev.Started("W", "q", options=OWN), close)) == []
