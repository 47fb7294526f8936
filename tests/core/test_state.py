"""Events folded into a state, and turns stored as rows."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given as given_any, strategies as st

from actorflow.converter import Failure, Payload, default
from actorflow.core import events as ev
from actorflow.core.journal import Turn, decode_turns, encode_turn, identity_checksum
from actorflow.core.messages import decode_message, encode_message
from actorflow.core.state import ExecutionState, turn_width
from actorflow.core.turn import end, failed_turn
from actorflow.exceptions import CorruptJournalError
from tests.core.given import NOON, SECOND, WhoIs, signal

STARTED = ev.Started("W", "q")
SCHEDULED = ev.ActivityScheduled("1", "a", "q", start_to_close=SECOND)
FAILURE = Failure(message="no", type="Nope")


def folded(*turns: tuple[ev.AnyEvent, ...]) -> ExecutionState:
    state, number = ExecutionState(), 0
    for index, events in enumerate(turns):
        number += turn_width(events)
        state.apply(Turn(number, NOON + index * SECOND, events))
    return state


def test_a_new_execution_has_nothing_pending() -> None:
    state = ExecutionState()
    assert (state.status, state.wake_at, state.last_event) == ("running", None, 0)


def test_a_timer_is_pending_until_it_fires_or_is_cancelled() -> None:
    started = ev.TimerStarted("1", 5 * SECOND), ev.TimerStarted("2", 3 * SECOND)
    state = folded((STARTED, *started))
    assert state.wake_at == NOON + 3 * SECOND
    assert folded((STARTED, *started), (ev.TimerFired("2"),)).wake_at == NOON + 5 * SECOND
    assert folded((STARTED, *started), (ev.TimerFired("2"), ev.TimerCancelled("1"))).timers == {}


@pytest.mark.parametrize(
    "outcome",
    [
        ev.ActivityCompleted("1"),
        ev.ActivityFailed("1", FAILURE),
        ev.ActivityTimedOut("1", FAILURE),
        ev.ActivityCancelled("1", FAILURE),
    ],
)
def test_an_activity_is_pending_until_it_has_an_outcome_and_then_admits_no_other(outcome: ev.ActivityOutcome) -> None:
    open_state = folded((STARTED, SCHEDULED))
    assert list(open_state.activities) == ["1"]
    assert open_state.admits(outcome)
    closed = folded((STARTED, SCHEDULED), (outcome,))
    assert closed.activities == {}
    assert not closed.admits(outcome)


def test_an_activity_remembers_that_it_should_stop() -> None:
    state = folded((STARTED, SCHEDULED), (signal("x"), ev.ActivityCancelRequested("1")))
    assert state.activities["1"].cancel_requested


@pytest.mark.parametrize(
    ("close", "status"),
    [
        (ev.Completed(), "completed"),
        (ev.Failed(FAILURE), "failed"),
        (ev.Cancelled(), "cancelled"),
        (ev.Terminated(), "terminated"),
    ],
)
def test_a_close_sets_the_status_and_leaves_nothing_pending(close: ev.AnyEvent, status: str) -> None:
    state = folded((STARTED, SCHEDULED, ev.TimerStarted("1", SECOND)), (signal("x"), close))
    assert (state.status, state.activities, state.timers, state.wake_at) == (status, {}, {}, None)
    assert state.closed_at == NOON + SECOND


def test_event_numbers_count_the_task_events_of_the_public_history() -> None:
    # started; scheduled, started and completed of the turn; the activity
    assert turn_width((STARTED, SCHEDULED)) == 5
    # started and completed of the activity; three of the turn; the end
    assert turn_width((ev.ActivityCompleted("1"), ev.Completed())) == 6
    # an attempt that never began has no started event
    assert turn_width((ev.ActivityTimedOut("1", FAILURE, attempt=0), ev.Completed())) == 5
    assert turn_width((ev.Terminated(),)) == 1


def test_the_number_of_a_pending_activity_is_that_of_its_event() -> None:
    state = folded((STARTED, SCHEDULED, msgspec.structs.replace(SCHEDULED, activity_id="2")))
    assert [pending.number for pending in state.activities.values()] == [5, 6]


def test_a_failed_turn_changes_nothing_but_the_count() -> None:
    state = folded((STARTED, SCHEDULED))
    before = state.last_event
    turn = failed_turn(state, ev.TurnFailed(FAILURE, 1), now=NOON)
    assert turn.number == state.last_event == before + ev.TASK_EVENTS
    assert list(state.activities) == ["1"]


def test_time_never_goes_back_from_turn_to_turn() -> None:
    state = folded((STARTED,), (signal("x"),))
    assert end(state, ev.Terminated(), identity=WhoIs(), now=NOON - SECOND).at == NOON + SECOND


def test_accepted_signals_that_meet_a_termination_are_recorded_before_it() -> None:
    state = folded((STARTED,))
    turn = end(
        state, ev.Terminated("r"), identity=WhoIs(), now=NOON, unhandled=[signal("late", 1), ev.CancelRequested()]
    )
    assert turn.events == (ev.SignalUnhandled("late", default().values.encode([1])), ev.Terminated("r"))


def test_a_request_id_is_admitted_once() -> None:
    state = folded((STARTED,), (signal("x", request_id="r"),))
    assert not state.admits(signal("x", request_id="r"))
    assert state.admits(signal("x", request_id="other"))
    assert state.admits(signal("x"))


# Rows


payloads = st.builds(
    default().values.encode_one, st.none() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)
)
texts = st.text(max_size=10)
failures = st.builds(
    Failure, message=texts, type=texts, details=st.lists(payloads, max_size=2).map(tuple), stack_trace=texts
)
durations = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=36_500))
events = st.one_of(
    st.builds(ev.Started, texts, texts, st.lists(payloads, max_size=2).map(tuple)),
    st.builds(ev.SignalReceived, texts, st.lists(payloads, max_size=2).map(tuple), texts),
    st.builds(ev.ActivityScheduled, texts, texts, texts, start_to_close=durations, waiting=st.booleans()),
    st.builds(ev.ActivityCompleted, texts, st.none() | payloads),
    st.builds(ev.ActivityFailed, texts, failures),
    st.builds(ev.TimerStarted, texts, durations, texts),
    st.builds(ev.TimerFired, texts),
    st.builds(ev.TurnFailed, failures, st.integers(1, 9), texts),
    st.builds(ev.Completed, st.none() | payloads),
    st.builds(ev.Failed, failures),
    st.builds(ev.Terminated, texts),
)
SEED = identity_checksum("default", "w", "run-1", "W")


def rows_of(turns: list[Turn]) -> list:
    previous, rows = SEED, []
    for turn in turns:
        rows.append(encode_turn(turn, previous=previous))
        previous = rows[-1].checksum
    return rows


def as_text(turns: object) -> bytes:
    return msgspec.json.encode(turns)


@given_any(st.lists(st.lists(events, min_size=1, max_size=4).map(tuple), max_size=4))
def test_every_turn_reads_back_as_it_was_written(groups: list[tuple[ev.AnyEvent, ...]]) -> None:
    turns = [Turn(number, NOON, group) for number, group in enumerate(groups, 1)]
    assert as_text(decode_turns(rows_of(turns), seed=SEED, run_id="run-1")) == as_text(turns)


THREE = [Turn(n, NOON, (signal("x", n),)) for n in (4, 8, 12)]


def _damaged() -> dict:
    one, two, three = rows_of(THREE)
    return {
        "changed": [one, msgspec.structs.replace(two, events=two.events.replace('"x"', '"y"')), three],
        "renumbered": [one, msgspec.structs.replace(two, number=9), three],
        "lost": [one, three],
        "reordered": [two, one, three],
        "without a beginning": [two, three],
    }


@pytest.mark.parametrize("damage", list(_damaged()))
def test_a_damaged_journal_is_refused(damage: str) -> None:
    with pytest.raises(CorruptJournalError, match=r"run-1.*checksum"):
        decode_turns(_damaged()[damage], seed=SEED, run_id="run-1")


def test_the_journal_of_another_execution_is_refused() -> None:
    with pytest.raises(CorruptJournalError):
        decode_turns(rows_of(THREE), seed=identity_checksum("default", "w", "run-2", "W"), run_id="run-2")


def test_messages_survive_the_inbox() -> None:
    for message in (STARTED, signal("x", 1, request_id="r"), ev.CancelRequested("why"), ev.TimerFired("1")):
        assert as_text(decode_message(encode_message(message))) == as_text(message)


def test_a_payload_in_the_journal_is_readable_json() -> None:
    row = encode_turn(Turn(4, NOON, (signal("x", {"ä": [1, None]}),)), previous=SEED)
    assert '"json":{"ä":[1,null]}' in row.events
    assert Payload(data=b"x").encoding == ""
