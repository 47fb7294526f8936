"""What must hold of a run on disk: a sound one breaks nothing, and each kind of damage breaks its own rule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from actorflow.converter import Failure
from actorflow.core import events as ev, limits
from actorflow.core.failing import FailingTurn, encode_failing
from actorflow.core.invariants import StoredActivity, StoredRun, is_waiting_visibly, read_story, violations
from actorflow.core.journal import Turn, encode_turn
from actorflow.core.messages import encode_message
from actorflow.core.state import ExecutionState, turn_width

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STARTED = ev.Started("Order", "orders")
SHIP = ev.ActivityScheduled("1", "ship", "orders")
SHIPPED = ev.ActivityCompleted("1")
TIMER = ev.TimerStarted("1", MINUTE)
FIRED = ev.TimerFired("1")
PAID = ev.SignalReceived("paid", request_id="r1")
ASKED = ev.UpdateAccepted("u1", "pay")
ANSWERED = ev.UpdateCompleted("u1")
DONE = ev.Completed()
FAILING = encode_failing(FailingTurn(1, NOON, 1, Failure(message="no")))


def stored(*turns: Sequence[Any], inbox: Sequence[Any] = (), **changes: Any) -> StoredRun:
    """A run of these turns with the head that follows from them, apart from ``changes``."""
    empty = StoredRun("default", "order", "run-1", "Order", "orders", last_event=0, checksum=0, status="running")
    state, rows, checksum = ExecutionState(), [], empty.seed
    for number, events in enumerate(turns):
        turn = Turn(state.last_event + turn_width(events), NOON + number * MINUTE, tuple(events))
        state.apply(turn)
        rows.append(encode_turn(turn, previous=checksum))
        checksum = rows[-1].checksum
    head = {
        "last_event": state.last_event,
        "checksum": checksum,
        "status": state.status,
        "wake_at": state.wake_at,
        "open_activities": len(state.activities),
        "closed_at": state.closed_at,
    }
    kept = [message if isinstance(message, str) else encode_message(message) for message in inbox]
    return msgspec.structs.replace(empty, turns=rows, inbox=kept, **{**head, **changes})


def broken(run: StoredRun) -> list[str]:
    """The names of what does not hold."""
    return [violation.invariant for violation in violations(run)]


ASKS = ev.ChildScheduled("parcel", "Parcel", "orders", "run-p")
BEGUN = ev.ChildStarted(5, "run-p")
SENT = ev.ChildCompleted(5)
TELLS = ev.SignalSent("other", "hello")
HEARD = ev.MessageDelivered(5)
OF_CHAIN = ev.Started("Order", "orders", options=ev.RunOptions(first_run_id="run-0", continued_run_id="run-0"))

SOUND = {
    "has begun": stored([STARTED, SHIP, TIMER]),
    "waits for its first turn": stored(inbox=[STARTED]),
    "went on": stored([STARTED, SHIP, TIMER], [SHIPPED, PAID], [FIRED, DONE]),
    "was cancelled while its timer ran": stored([STARTED, TIMER], [ev.CancelRequested(), ev.Cancelled()]),
    "ended with signals nobody handled": stored([STARTED], [PAID, ev.SignalUnhandled("paid"), DONE]),
    "was terminated before it began": stored([STARTED, ev.Terminated()]),
    "is failing": stored(
        [STARTED], [ev.TurnFailed(Failure(message="no"))], inbox=[PAID], failing=FAILING, parked="because"
    ),
    "retries": stored([STARTED, SHIP], activities=[StoredActivity("1", 3, 2)]),
    "has a child": stored([STARTED, ASKS], [BEGUN]),
    "had a child": stored([STARTED, ASKS], [BEGUN, SENT]),
    "had a child that could not start": stored([STARTED, ASKS], [ev.ChildStartFailed(5)]),
    "closed before its child had started": stored([STARTED, ASKS], [DONE]),
    "told another": stored([STARTED, TELLS], [HEARD], [ev.CancelSent("other")], [ev.MessageRefused(13)]),
    "follows another": stored([OF_CHAIN], first_run_id="run-0"),
    "has a repeated signal waiting": stored([STARTED, TIMER], [PAID], inbox=[PAID]),
    "answered one update and ended before the other": stored(
        [STARTED], [ASKED, ANSWERED], [ev.UpdateAccepted("u2", "pay")], [DONE]
    ),
}


@pytest.mark.parametrize("how", SOUND)
def test_a_sound_run_breaks_nothing(how: str) -> None:
    assert violations(SOUND[how]) == []


DAMAGED = {
    "a number too high": (stored([STARTED, SHIP], last_event=99), ["I11"]),
    "a chain that ends elsewhere": (stored([STARTED, SHIP], checksum=7), ["I2"]),
    "another run's rows": (stored([STARTED], run_id="run-2"), ["I2"]),
    "an unknown message": (stored([STARTED], inbox=['{"event":"Teleported"}']), ["I2"]),
    "a message that nests without end": (stored([STARTED], inbox=["[" * 100_000]), ["I2"]),
    "no beginning": (stored([SHIP]), ["I3", "I3"]),
    "two beginnings": (stored([STARTED, SHIP], inbox=[STARTED]), ["I3"]),
    "something after the end": (stored([STARTED, DONE], [PAID]), ["I3"]),
    "an activity scheduled twice": (stored([STARTED, SHIP], [SHIPPED, SHIP]), ["I4"]),
    "an outcome of nothing": (stored([STARTED], [SHIPPED]), ["I4"]),
    "two outcomes": (stored([STARTED, SHIP], [SHIPPED], [SHIPPED]), ["I4"]),
    "a start of no child": (stored([STARTED, TIMER], [BEGUN, ASKS]), ["I4"]),
    "two starts of a child": (stored([STARTED, ASKS], [BEGUN], [BEGUN]), ["I4"]),
    "another run than asked for": (stored([STARTED, ASKS], [ev.ChildStarted(5, "run-q")]), ["I4"]),
    "an outcome of no child": (stored([STARTED], [SENT, ASKS]), ["I4"]),
    "an outcome of a child that has not started": (stored([STARTED, ASKS], [SENT]), ["I4"]),
    "two outcomes of a child": (stored([STARTED, ASKS], [BEGUN, SENT], [ev.ChildTerminated(5)]), ["I4"]),
    "a start after the end of a child": (stored([STARTED, ASKS], [ev.ChildStartFailed(5)], [BEGUN]), ["I4"]),
    "a failed start of a child that has started": (stored([STARTED, ASKS], [BEGUN, ev.ChildStartFailed(5)]), ["I4"]),
    "a reply to nothing": (stored([STARTED], [HEARD, TELLS]), ["I4"]),
    "two replies": (stored([STARTED, TELLS], [HEARD], [ev.MessageRefused(5)]), ["I4"]),
    "another chain": (stored([OF_CHAIN], first_run_id="run-7"), ["I11"]),
    "more attempts charged than made": (stored([STARTED, SHIP], activities=[StoredActivity("1", 1, 1)]), ["I5"]),
    "a timer that ends twice": (stored([STARTED, TIMER], [FIRED], [ev.TimerCancelled("1")]), ["I6"]),
    "a timer that fires before it runs": (stored([STARTED], [FIRED]), ["I6"]),
    "a message left behind": (stored([STARTED, DONE], inbox=[PAID]), ["I7"]),
    "a signal taken twice": (stored([STARTED, TIMER], [PAID], [PAID]), ["I7"]),
    "an update accepted twice": (stored([STARTED], [ASKED], [ASKED]), ["I7"]),
    "an update answered twice": (stored([STARTED], [ASKED], [ANSWERED], [ANSWERED]), ["I7"]),
    "an answer to an update nobody asked for": (stored([STARTED], [ANSWERED]), ["I7"]),
    "an activity row of a closed run": (stored([STARTED, DONE], activities=[StoredActivity("1", 2, 1)]), ["I10"]),
    "another status": (stored([STARTED, DONE], status="failed"), ["I11"]),
    "another alarm": (stored([STARTED, TIMER], wake_at=NOON), ["I11"]),
    "a miscount": (stored([STARTED, SHIP], open_activities=0), ["I11"]),
    "another end": (stored([STARTED, DONE], closed_at=None), ["I11"]),
    "another task queue": (stored([STARTED], task_queue="elsewhere"), ["I11"]),
    "parked because of nothing": (stored([STARTED], parked="because"), ["I11"]),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_damage_breaks_its_own_rule(how: str) -> None:
    run, rules = DAMAGED[how]
    assert broken(run) == rules


def test_a_gap_in_the_numbers_is_found() -> None:
    run = stored([STARTED, SHIP])
    late = encode_turn(Turn(run.last_event + 9, NOON, (PAID,)), previous=run.checksum)
    gap = msgspec.structs.replace(run, turns=[*run.turns, late], last_event=late.number, checksum=late.checksum)
    assert broken(gap) == ["I1"]


def test_a_violation_says_whose_it_is_and_what_is_wrong() -> None:
    (violation,) = violations(stored([STARTED, DONE], inbox=[PAID]))
    assert str(violation) == "I7 workflow 'order' (run run-1): it is completed and has left 1 messages behind"


def test_a_signal_repeated_after_very_many_others_may_be_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_IDS_MAX", 2)
    others = [ev.SignalReceived("paid", request_id=f"other-{number}") for number in range(2)]
    assert broken(stored([STARTED, PAID, *others, PAID])) == []


def test_a_run_that_waits_for_nothing_on_disk_is_told_from_one_that_does() -> None:
    for run, is_visible in (
        (stored([STARTED]), False),
        (stored([STARTED, TIMER]), True),
        (stored([STARTED, SHIP]), True),
        (stored([STARTED, ASKS]), True),
        (stored([STARTED, TELLS]), True),
    ):
        assert is_waiting_visibly(run, read_story(run)) is is_visible
