"""A public history being read: one event of it, and what earlier ones were that later ones refer to."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

import msgspec

from actorflow.core import events as ev
from actorflow.core.history import shapes
from actorflow.core.journal import Turn
from actorflow.exceptions import HistoryFormatError


class ExportedEvent(msgspec.Struct, frozen=True):
    """One event, its attributes read."""

    number: int
    at: datetime
    attributes: shapes.Shape
    summary: str


def refuse(number: int, what: str) -> NoReturn:
    """Raise the error that says so: replay would go another way than the run went.

    Raises:
        HistoryFormatError: always.
    """
    raise HistoryFormatError(
        f"event {number} of the history is {what}, which actorflow can't replay; histories with activities, timers, "
        "signals, cancellation, updates, children, messages to others and patches can be read"
    )


class References:
    """What was read so far, as far as later events refer to it."""

    def __init__(self) -> None:
        self.workflow_id = ""
        self.run_id = ""
        self.started_at: datetime | None = None
        self.turn_at: datetime | None = None
        self._activities: dict[int, tuple[str, datetime | None]] = {}
        self._attempts: dict[int, tuple[int, datetime]] = {}
        self._initiated: dict[int, int] = {}
        self._children: dict[str, int] = {}

    def activity_scheduled(self, number: int, activity_id: str) -> None:
        """This event of the current turn has scheduled an activity."""
        self._activities[number] = (activity_id, self.turn_at)

    def attempt_started(self, scheduled: shapes.Number, attempt: int, at: datetime) -> None:
        """An attempt of the activity which that event has scheduled has begun."""
        self._attempts[int(scheduled)] = (attempt or 1, at)

    def activity(self, scheduled: shapes.Number) -> str:
        """The id of the activity that an event has scheduled."""
        found = self._activities.get(int(scheduled))
        if found is None:
            raise ValueError(f"it names event {scheduled}, which schedules no activity")
        return found[0]

    def attempt(self, scheduled: shapes.Number) -> tuple[int, datetime | None]:
        """The attempt that decides an activity, 0 if there was none; and when it began, if not with its turn."""
        attempt, began_at = self._attempts.pop(int(scheduled), (0, None))
        return attempt, None if began_at == self._activities[int(scheduled)][1] else began_at

    def decided(self, numbers: list[int], turn: Turn) -> None:
        """A turn is complete; ``numbers`` are those its decisions have in the history.

        They may have gaps, where an event says nothing to us; those of a journal have none, and children and messages
        are known to a program by those.
        """
        first = turn.number - len(numbers) + 1
        for place, (number, decision) in enumerate(zip(numbers, turn.events[-len(numbers) :], strict=True)):
            if isinstance(decision, ev.ChildScheduled | ev.SignalSent | ev.CancelSent):
                self._initiated[number] = first + place
            if isinstance(decision, ev.ChildScheduled):
                self._children[decision.workflow_id] = first + place

    def initiated(self, number: shapes.Number) -> int:
        """The decision that asked for a child, or sent a message, by its number in the history."""
        found = self._initiated.get(int(number))
        if found is None:
            raise ValueError(f"it names event {number}, which asks for no child and sends no message")
        return found

    def child(self, workflow_id: str) -> int:
        """The decision that asked for the latest child of that id; 0 if there was none."""
        return self._children.get(workflow_id, 0)
