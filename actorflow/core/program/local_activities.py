"""Local activities as a program sees them: from the command to the marker, with timers between late attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actorflow.converter import ValueConverter
from actorflow.core import events as ev
from actorflow.core.program.asked import Asked, Key
from actorflow.core.program.loop import ProgramLoop
from actorflow.core.program.pending import ActivityHandle
from actorflow.core.program.timers import Timers

LocalCommand = ev.LocalActivityScheduled | ev.LocalActivityCancelRequested


class LocalActivities:
    """Those of one program that are open, and what it asked for in this turn.

    Their commands come behind all others, because they are no events of the public history and take no number there.

    Args:
        loop: of the program.
        converter: for results and failures.
        asked: knows what is over with this turn.
        timers: between late attempts.
    """

    __slots__ = ("_asked", "_backing_off", "_commands", "_converter", "_handles", "_scheduled", "_timers", "loop")

    def __init__(self, loop: ProgramLoop, converter: ValueConverter, asked: Asked, timers: Timers) -> None:
        self.loop = loop
        self._converter = converter
        self._asked = asked
        self._timers = timers
        self._commands: dict[Key, LocalCommand] = {}
        self._handles: dict[str, ActivityHandle[Any]] = {}
        self._scheduled: dict[str, ev.LocalActivityScheduled] = {}
        self._backing_off: dict[str, Callable[[], None]] = {}

    def __len__(self) -> int:
        return len(self._handles)

    def start(self, scheduled: ev.LocalActivityScheduled, result_type: Any) -> ActivityHandle[Any]:
        """Ask for one; returns what its result is awaited with."""
        handle: ActivityHandle[Any] = ActivityHandle(self, scheduled, result_type)
        self._handles[scheduled.activity_id] = handle
        self._ask(scheduled)
        return handle

    def _ask(self, scheduled: ev.LocalActivityScheduled) -> None:
        self._scheduled[scheduled.activity_id] = scheduled
        self._commands["start local activity", scheduled.activity_id] = scheduled

    def request_activity_cancel(self, activity_id: str) -> bool:
        """See `PendingOwner`."""
        stop_waiting = self._backing_off.pop(activity_id, None)
        if stop_waiting is not None:
            stop_waiting()
        if stop_waiting is not None or self._commands.pop(("start local activity", activity_id), None) is not None:
            self._forget(activity_id)
            return True
        if not self._asked.is_arriving("activity", activity_id):
            command = ev.LocalActivityCancelRequested(activity_id)
            self._commands["cancel local activity", activity_id] = command
        return False

    def knows(self, outcome: ev.LocalActivityResolved) -> bool:
        """False if the program has not asked for the activity that has ended."""
        scheduled = self._scheduled.get(outcome.activity_id)
        return scheduled is not None and scheduled.activity_type == outcome.activity_type

    def resolve(self, outcome: ev.LocalActivityResolved) -> None:
        """Take an outcome: for good, or until the timer before the next attempt has fired."""
        activity_id = outcome.activity_id
        handle = self._handles[activity_id]
        if outcome.backoff is not None and not (handle.done() or handle.is_cancel_requested):
            following = msgspec.structs.replace(
                self._scheduled[activity_id], attempt=outcome.attempt + 1, first_scheduled_at=outcome.scheduled_at
            )
            seconds = outcome.backoff.total_seconds()
            self._backing_off[activity_id] = self._timers.start(seconds, lambda: self._try_again(following))
            return
        self._forget(activity_id)
        handle.resolve(_as_activity(outcome), self._converter)

    def _try_again(self, following: ev.LocalActivityScheduled) -> None:
        self._backing_off.pop(following.activity_id, None)
        self._ask(following)

    def _forget(self, activity_id: str) -> None:
        self._handles.pop(activity_id, None)
        self._scheduled.pop(activity_id, None)

    def take_commands(self) -> Sequence[LocalCommand]:
        """What was asked for since this was called last."""
        commands = tuple(self._commands.values())
        self._commands.clear()
        return commands


def without_local(commands: Sequence[Any]) -> Sequence[Any]:
    """Commands or decisions but for those of local activities, which a public history does not hold."""
    return [command for command in commands if type(command) not in ev.UNSEEN]


def _as_activity(outcome: ev.LocalActivityResolved) -> ev.ActivityOutcome:
    if outcome.failure is None:
        return ev.ActivityCompleted(outcome.activity_id, outcome.result, outcome.attempt)
    return ev.ActivityFailed(outcome.activity_id, outcome.failure, outcome.retry_state, outcome.attempt)
