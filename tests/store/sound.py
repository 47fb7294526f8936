"""Runs of which every invariant holds, as an engine would write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from actorflow.core import events as ev
from actorflow.core.journal import Turn, TurnRow, encode_turn
from actorflow.core.state import ExecutionState, turn_width
from actorflow.store.protocol import Begin, Change, Head, Store
from tests.store.given import NOON, SECOND, identity, seed


class SoundRun:
    """One run, and the changes that bring it forward.

    Args:
        store: for its key.
        workflow_id: its workflow id.
    """

    def __init__(self, store: Store, workflow_id: str) -> None:
        self.identity = identity(store.new_run_key(), workflow_id)
        self._state = ExecutionState()
        self._checksum = seed(self.identity)

    def begins(self, *more: ev.AnyEvent) -> Change:
        """It starts, schedules an activity and waits for a timer."""
        events = (
            ev.Started("Order", "orders", interpreter="3.11"),
            *more,
            ev.ActivityScheduled("1", "ship", "orders"),
            ev.TimerStarted("1", SECOND),
        )
        row = self._turn(events)
        return Change(self.identity.key, head=self._head(), begin=Begin(self.identity), turns=(row,))

    def is_signalled(self, name: str) -> Change:
        """It takes a signal, and waits for one more timer."""
        expected = self._state.last_event
        row = self._turn((ev.SignalReceived(name, request_id=name), ev.TimerStarted(name, SECOND)))
        return Change(self.identity.key, expected=expected, head=self._head(), turns=(row,))

    def completes(self) -> Change:
        """Its activity is done, and so is it."""
        expected = self._state.last_event
        row = self._turn((ev.ActivityCompleted("1"), ev.Completed()))
        return Change(self.identity.key, expected=expected, head=self._head(), turns=(row,))

    def _turn(self, events: Sequence[ev.AnyEvent], at: datetime = NOON) -> TurnRow:
        turn = Turn(self._state.last_event + turn_width(events), at, tuple(events))
        self._state.apply(turn)
        row = encode_turn(turn, previous=self._checksum)
        self._checksum = row.checksum
        return row

    def _head(self) -> Head:
        state = self._state
        return Head(
            state.last_event,
            self._checksum,
            status=state.status,
            wake_at=state.wake_at,
            open_activities=len(state.activities),
            closed_at=state.closed_at,
        )
