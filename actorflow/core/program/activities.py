"""The activities of a program, local ones too: they share their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from actorflow.converter import ValueConverter
from actorflow.core import events as ev, limits
from actorflow.core.commands import Command
from actorflow.core.program.asked import Asked
from actorflow.core.program.errors import CommandLimitError
from actorflow.core.program.local_activities import LocalActivities
from actorflow.core.program.loop import ProgramLoop
from actorflow.core.program.mode import Mode
from actorflow.core.program.pending import ActivityHandle
from actorflow.core.program.timers import Timers


class Activities:
    """Those that are open.

    Args:
        loop: of the program.
        converter: for results and failures.
        asked: takes the commands.
        timers: between late attempts of local activities.
        mode: of the program.
    """

    __slots__ = ("_asked", "_converter", "_handles", "_ids", "_locals", "_mode", "_started", "_timers", "loop")

    def __init__(self, loop: ProgramLoop, converter: ValueConverter, asked: Asked, timers: Timers, mode: Mode) -> None:
        self.loop = loop
        self._converter = converter
        self._asked = asked
        self._timers = timers
        self._mode = mode
        self._handles: dict[str, ActivityHandle[Any]] = {}
        self._started = 0
        self._ids: set[str] | None = None
        self._locals: LocalActivities | None = None

    def start(self, build: Callable[[str], ev.ActivityScheduled], result_type: Any) -> ActivityHandle[Any]:
        """Schedule an activity; ``build`` makes its event from the number it gets.

        Raises:
            ReadOnlyContextError: inside a query.
            CommandLimitError: too many are open.
            ValueError: its id is taken.
        """
        self._mode.check_writable("start an activity")
        if len(self._handles) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("activities", limit=limits.COMMANDS_OUTSTANDING_MAX)
        scheduled = build(self._next_number())
        self._check_own_id(scheduled.activity_id)
        handle: ActivityHandle[Any] = ActivityHandle(self, scheduled, result_type)
        self._handles[scheduled.activity_id] = handle
        self._asked.add(("activity", scheduled.activity_id), scheduled)
        return handle

    def start_local(self, build: Callable[[str], ev.LocalActivityScheduled], result_type: Any) -> ActivityHandle[Any]:
        """Run an activity beside the program; ``build`` makes its event from the number it gets.

        Raises:
            ReadOnlyContextError: inside a query.
            CommandLimitError: too many are open.
            ValueError: its id is taken.
        """
        self._mode.check_writable("start a local activity")
        if self._locals is None:  # most programs have none
            self._locals = LocalActivities(self.loop, self._converter, self._asked, self._timers)
        if len(self._locals) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("local activities", limit=limits.COMMANDS_OUTSTANDING_MAX)
        scheduled = build(self._next_number())
        self._check_own_id(scheduled.activity_id)
        return self._locals.start(scheduled, result_type)

    def request_activity_cancel(self, activity_id: str) -> bool:
        """See `PendingOwner`."""
        if self._asked.take_back(("activity", activity_id)):
            self._handles.pop(activity_id, None)
            return True
        if not self._asked.is_arriving("activity", activity_id):
            self._asked.add(("cancel activity", activity_id), ev.ActivityCancelRequested(activity_id))
        return False

    def resolve(self, outcome: ev.ActivityOutcome) -> None:
        """An activity is over."""
        handle = self._handles.pop(outcome.activity_id, None)
        if handle is not None:
            handle.resolve(outcome, self._converter)

    def resolve_local(self, outcome: ev.LocalActivityResolved) -> bool:
        """A local activity, or an attempt of it, is over; False if the program has not asked for it."""
        if self._locals is None or not self._locals.knows(outcome):
            return False
        self._locals.resolve(outcome)
        return True

    def take_local(self) -> Sequence[Command]:
        """What was asked of local activities since this was called last."""
        return () if self._locals is None else self._locals.take_commands()

    def number(self, commands: Sequence[Command], first_number: int) -> None:
        """Tell those asked for in this turn by which events they are known from now on."""
        for number, command in enumerate(commands, first_number):
            if type(command) is ev.ActivityScheduled and command.activity_id in self._handles:
                self._handles[command.activity_id].scheduled_event_id = number

    def forget(self) -> None:
        """Let go of everything that is open: nobody will hear of it."""
        self._handles.clear()

    def _next_number(self) -> str:
        self._started += 1
        return str(self._started)

    def _check_own_id(self, activity_id: str) -> None:
        """An id of the program's own choice: attempts are told apart by it, so it is good for one activity."""
        if activity_id == str(self._started):
            return
        if self._ids is None:
            self._ids = set()
        if activity_id in self._ids or activity_id.isdecimal():
            raise ValueError(
                f"activity id {activity_id!r} is taken: an id is used once, and plain numbers are given by actorflow; "
                "leave activity_id out or pass another"
            )
        self._ids.add(activity_id)
