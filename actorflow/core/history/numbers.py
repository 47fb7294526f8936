"""What a history being written has said so far, as far as later events refer to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from actorflow.core import events as ev
from actorflow.core.history import shapes, values as to


class Numbers:
    """Numbers of events that later ones name, and what those later ones repeat of them.

    Args:
        workflow_id: of the run.
        run_id: of the run.
    """

    def __init__(self, workflow_id: str, run_id: str) -> None:
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.task = 0
        self.timers: dict[str, int] = {}
        self.accepted: dict[str, int] = {}
        self.cancel_requested: dict[str, int] = {}
        self.scheduled: dict[str, tuple[int, datetime]] = {}
        self.children: dict[int, ev.ChildScheduled] = {}
        self.children_started: dict[int, tuple[int, str]] = {}
        self.sent: dict[int, ev.SignalSent | ev.CancelSent] = {}

    def note(self, event: Any, number: int, at: datetime) -> None:
        """An event was written under this number."""
        match event:
            case ev.ActivityScheduled(activity_id=activity_id):
                self.scheduled[activity_id] = (number, at)
            case ev.ActivityCancelRequested(activity_id=activity_id):
                self.cancel_requested[activity_id] = number
            case ev.TimerStarted(timer_id=timer_id):
                self.timers[timer_id] = number
            case ev.ChildScheduled():
                self.children[number] = event
            case ev.ChildStarted(initiated=initiated, run_id=run_id):
                self.children_started[initiated] = (number, run_id)
            case ev.SignalSent() | ev.CancelSent():
                self.sent[number] = event
            case _:
                pass  # nothing refers to it

    @property
    def last_task(self) -> shapes.Number:
        """The event that completed the task of the turn."""
        return str(self.task)

    def scheduled_by(self, activity_id: str) -> shapes.Number:
        """The event that scheduled an activity."""
        return to.number_out(self.scheduled[activity_id][0]) if activity_id in self.scheduled else 0
