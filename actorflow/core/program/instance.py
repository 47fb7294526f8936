"""One workflow object and its code, advanced turn by turn.

A turn runs the program until everything it awaits is pending, and returns what it asked for. Arrivals are applied in
groups, signals before the rest, each group until the program rests (SEMANTICS of the public SDK: handlers of a turn
run before the first line of ``run``). Conditions are looked at only when nothing else is ready.

What the code asks for, and what it is told, has an object of its own for each kind; those that most programs have no
use for are made when first needed. None of them knows the program, so that nothing but reference counts frees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any, Final

from actorflow.converter import Payload, ValueConverter
from actorflow.core import events as ev, limits
from actorflow.core.commands import Command
from actorflow.core.definitions import WorkflowDefinition
from actorflow.core.program import determinism, matcher
from actorflow.core.program.activities import Activities
from actorflow.core.program.asked import Asked
from actorflow.core.program.conditions import Conditions
from actorflow.core.program.ending import Ending
from actorflow.core.program.errors import NondeterminismError, TurnError
from actorflow.core.program.eviction import evict
from actorflow.core.program.handling import Handling
from actorflow.core.program.lines import waiting_line
from actorflow.core.program.local_activities import without_local
from actorflow.core.program.loop import ProgramLoop
from actorflow.core.program.metadata import METADATA_QUERY, STACK_TRACE_QUERY, metadata_of, stack_trace_of
from actorflow.core.program.mode import Mode
from actorflow.core.program.notes import ProgramNotes
from actorflow.core.program.outside import Identity, Reporter
from actorflow.core.program.patches import Patches
from actorflow.core.program.readings import Readings
from actorflow.core.program.relations import Relations
from actorflow.core.program.timers import Timers
from actorflow.core.program.updates import Rejection
from actorflow.core.program.workflow_object import WorkflowObject
from actorflow.metering import Instrument, MetricAttributes

_HANDLED: Final = frozenset((ev.SignalReceived, ev.UpdateAccepted))


class Program:
    """A workflow's code between its turns.

    Args:
        definition: the workflow class.
        identity: of the run.
        started: the event it began with.
        converter: for arguments and results.
        reporter: hears of dropped signals and stray exceptions.
        failure_types: exceptions that fail the workflow instead of the turn, beside `FailureError` and timeouts.
        has_unseen: the journal holds what the public history does not, such as the start of a local activity.
        records_lines: remember for each command the line that asked for it (slow; to explain non-determinism).

    Attributes:
        mode: what the code may do right now.
        asked: the commands of the turn.
        timers, activities: those that are open.
        ending: what is an outcome.
        workflow: the workflow object.
        loop: the code runs on.
        history_length: events of the history before the decisions of this turn.
        history_bytes: of the journal before this turn, as its owner says.
        current_details: what the program says it is doing, for people.
    """

    __slots__ = (
        "_conditions",
        "_handling",
        "_has_unseen",
        "_main",
        "_notes",
        "_patches",
        "_random",
        "_readings",
        "_relations",
        "_reporter",
        "activities",
        "asked",
        "converter",
        "current_details",
        "definition",
        "ending",
        "history_bytes",
        "history_length",
        "identity",
        "loop",
        "mode",
        "started",
        "timers",
        "workflow",
    )

    def __init__(
        self,
        definition: WorkflowDefinition,
        identity: Identity,
        started: ev.Started,
        converter: ValueConverter,
        reporter: Reporter,
        *,
        failure_types: tuple[type[BaseException], ...] = (),
        records_lines: bool = False,
        has_unseen: bool = True,
    ) -> None:
        self.definition = definition
        self.identity = identity
        self.started = started
        self.converter = converter
        self._reporter = reporter
        self._has_unseen = has_unseen
        self.history_length = 0
        self.history_bytes = 0
        self.current_details = ""
        self.mode = mode = Mode()
        self.asked = asked = Asked(mode, records_lines=records_lines)
        self.timers = timers = Timers(asked)
        self.loop = loop = ProgramLoop(
            self, timers, mode, now=identity.started_at, salt=determinism.salt_of(identity.run_id)
        )
        self.activities = Activities(loop, converter, asked, timers, mode)
        self.ending = Ending(asked, mode, converter, failure_types)
        self.workflow = WorkflowObject(definition, started, converter)
        self._main: asyncio.Task[Any] | None = None
        self._random: Random | None = None
        self._conditions: Conditions | None = None
        self._handling: Handling | None = None
        self._notes: ProgramNotes | None = None
        self._patches: Patches | None = None
        self._readings: Readings | None = None
        self._relations: Relations | None = None

    # Turns

    def advance(
        self, at: datetime, arrivals: Sequence[ev.Event], *, first_number: int, is_replaying: bool = False
    ) -> Sequence[Command]:
        """Run one turn and return what the program asked for, in order.

        Args:
            at: the time of the turn.
            arrivals: what reached the execution.
            first_number: number of the first arrival.
            is_replaying: the turn happened before.

        Raises:
            TurnError: the program raised what is not an outcome; its cause says what. The program is of no use then.
        """
        self.loop.now = at
        self.asked.begin_turn(arrivals)
        if self._relations is not None:
            self._relations.begin_turn()
        self.mode.is_replaying = is_replaying
        first_decision = first_number + ev.TASK_EVENTS + sum([ev.width(arrival) for arrival in arrivals])
        self.history_length = first_decision - 1
        try:
            self.loop.run(lambda: self._run_turn(arrivals))
            self.ending.check()
        except (TurnError, KeyboardInterrupt):
            raise
        except BaseException as problem:
            raise TurnError(problem) from problem
        return self._take_commands(first_decision)

    def screened(self, at: datetime, arrivals: Sequence[ev.Event]) -> list[Any]:
        """Let validators look at requested updates, before anything of their turn runs.

        Returns:
            The arrivals with each accepted update as the fact it is now; rejected ones are left out, and without them
            nothing has happened. See `take_rejections`.

        Raises:
            TurnError: the workflow object can't be built, or a validator tried to change something.
        """
        self.loop.now = at
        self.mode.is_replaying = False
        try:
            self._ensure_built()
            screen = self._needed_readings().screen
            screened = [fact for arrival in arrivals if (fact := screen(arrival)) is not None]
            self.ending.check()
            return screened
        except (TurnError, KeyboardInterrupt):
            raise
        except BaseException as problem:
            raise TurnError(problem) from problem

    def take_rejections(self) -> Sequence[Rejection]:
        """Updates that were turned away since this was asked last."""
        return () if self._readings is None else self._readings.take_rejections()

    def replay(self, at: datetime, events: Sequence[ev.Event], *, first_number: int) -> Sequence[Command]:
        """Run a turn that happened before, and check that the program asks for what it asked for then.

        Returns:
            What it asked for.

        Raises:
            TurnError: the program raised, or asked for something else (then the cause is a `NondeterminismError`).
        """
        arrivals = [event for event in events if type(event) not in ev.DECISIONS]
        decisions: Sequence[Any] = [event for event in events if type(event) in ev.DECISIONS]
        if any(type(decision) is ev.Patched for decision in decisions):
            self.patches.record(decisions)
        commands = self.advance(at, arrivals, first_number=first_number, is_replaying=True)
        if not self._has_unseen:
            commands, decisions = without_local(commands), without_local(decisions)
        if len(commands) == len(decisions) and all(map(matcher.is_same, commands, decisions)):
            return commands
        try:
            matcher.check(
                commands,
                decisions,
                first_number=self.history_length + 1,
                lines=self.asked.lines,
                waiting_at=waiting_line(self._main),
                interpreter=self.started.interpreter,
                optional_patches=self._patches.optional if self._patches is not None else (),
            )
        except NondeterminismError as problem:
            raise TurnError(problem) from problem
        self._number(decisions, self.history_length + 1)
        return commands

    def query(self, name: str, payloads: Sequence[Any], headers: Mapping[str, Payload] | None = None) -> Any:
        """Run a query handler against the state as it is and return its result, encoded.

        ``__stack_trace`` and ``__temporal_workflow_metadata`` are answered for every program, see `stack_trace` and
        `metadata_of`.

        Raises:
            Exception: whatever the handler raises; `UnknownQueryError`, `PayloadError` and `ReadOnlyContextError` too.
        """
        self._ensure_built()
        self.mode.is_replaying = False
        return self.converter.encode_one(self._answer(name, payloads, headers))

    def _answer(self, name: str, payloads: Sequence[Any], headers: Mapping[str, Payload] | None) -> Any:
        if name == STACK_TRACE_QUERY:
            return self.stack_trace()
        if name == METADATA_QUERY:
            return metadata_of(self.identity.workflow_type, self.workflow.handlers, self.current_details)
        return self._needed_readings().answer(name, payloads, headers)

    def stack_trace(self) -> str:
        """Where each of the program's tasks waits: its name, then lines of user code, outermost first."""
        return stack_trace_of(self.loop.unfinished_tasks())

    def tear_down(self) -> int:
        """Take the program apart: run its ``finally`` blocks now, with its commands ignored.

        Returns:
            How many tasks resisted (they catch BaseException and go on waiting).
        """
        self.mode.is_evicted = True
        self.mode.is_replaying = True
        resisting = evict(self.loop)
        for part in (self._conditions, self.activities, self._relations):
            if part is not None:
                part.forget()
        if not resisting:
            self.loop.dispose()
            del self.loop, self._main
        return resisting

    # Within a turn

    def _run_turn(self, arrivals: Sequence[ev.Event]) -> None:
        if self.workflow.instance is None:
            self.loop.context.run(self._build)
        handled = [arrival for arrival in arrivals if type(arrival) in _HANDLED]
        others = [arrival for arrival in arrivals if type(arrival) not in _HANDLED]
        for group in (handled, others):
            if group:
                self.loop.context.run(self._apply, group)
                self._settle()
        if self._handling is not None and self.asked.is_closed and not self.mode.is_replaying:
            self._handling.warn_of_unfinished()

    def _ensure_built(self) -> None:
        if self.workflow.instance is None:
            self.loop.run(lambda: self.loop.context.run(self._build))

    def _build(self) -> None:
        self.workflow.build()
        config = self.definition.dynamic_config
        if config is None:
            return
        with self.mode.reading("a dynamic config"):
            said = config(self.workflow.instance).failure_exception_types
        if said is not None:
            self.ending.replace_failure_types(self.definition.failure_exception_types, said)

    def _apply(self, arrivals: Sequence[ev.Event]) -> None:
        for arrival in arrivals:
            match arrival:
                case ev.ActivityCompleted() | ev.ActivityFailed() | ev.ActivityTimedOut() | ev.ActivityCancelled():
                    self.activities.resolve(arrival)
                case ev.SignalReceived():
                    self.handling.receive(arrival)
                case ev.UpdateAccepted():
                    self.handling.begin_update(arrival)
                case ev.TimerFired(timer_id=timer_id):
                    self.timers.fire(timer_id)
                case ev.LocalActivityResolved():
                    self._hear_of_local_activity(arrival)
                case ev.Started():
                    self._main = self.loop.begin(self._run_main(), name="run")
                case ev.ChildStarted() | ev.ChildStartFailed() | ev.ChildResolved():
                    self.relations.hear_of_child(arrival)
                case ev.MessageDelivered() | ev.MessageRefused():
                    self.relations.hear_of_message(arrival)
                case ev.CancelRequested(reason=reason):
                    self._request_cancel(reason)
                case _:
                    pass  # nothing a program could notice

    async def _run_main(self) -> None:
        try:
            self.ending.complete(await self.workflow.run())
        except BaseException as problem:
            self.ending.end_with(problem)

    def _hear_of_local_activity(self, outcome: ev.LocalActivityResolved) -> None:
        if not self.activities.resolve_local(outcome) and self.mode.is_replaying:
            raise NondeterminismError(
                number=self.history_length,
                recorded=f"local activity {outcome.activity_type} (id {outcome.activity_id}) ended",
                asked="no such activity",
                line=waiting_line(self._main),
            )

    def _request_cancel(self, reason: str) -> None:
        if self.ending.is_cancel_requested or self._main is None:
            return
        self.ending.request_cancel(reason)
        # After what is ready already: a workflow cancelled before its first turn still gets to its first await.
        self.loop.call_soon(self._main.cancel)

    def _settle(self) -> None:
        """Run callbacks, then conditions, until nothing changes any more."""
        budget = limits.TURN_STEPS_MAX
        while True:
            budget -= self.loop.drain(max(budget, 0))
            self.ending.check()
            if self._conditions is None or not self._conditions.resolve():
                return

    def _take_commands(self, first_decision: int) -> Sequence[Command]:
        commands = self.asked.take()
        self._number(commands, first_decision)
        local = self.activities.take_local()
        return (*commands, *local) if local and not self.asked.is_closed else commands

    def _number(self, commands: Sequence[Command], first_decision: int) -> None:
        """Tell what was asked for by which events it is known from now on."""
        self.activities.number(commands, first_decision)
        if self._relations is not None:
            self._relations.number(commands, first_decision)

    # What most programs have no use for

    @property
    def conditions(self) -> Conditions:
        """What the program waits for to become true."""
        if self._conditions is None:
            self._conditions = Conditions(self.loop, self.mode)
        return self._conditions

    @property
    def handling(self) -> Handling:
        """Its handlers of signals and updates at work."""
        if self._handling is None:
            self._handling = Handling(self.workflow, self.loop, self.ending, self.mode, self._reporter)
        return self._handling

    @property
    def notes(self) -> ProgramNotes:
        """Memo and search attributes as they are now."""
        if self._notes is None:
            self._notes = ProgramNotes(self.options, self.asked, self.mode)
            self.ending.carry_over(self._notes)
        return self._notes

    @property
    def patches(self) -> Patches:
        """Which sides of changes of its code it takes."""
        if self._patches is None:
            self._patches = Patches(self.asked, self.mode, self.definition.activates_patch)
        return self._patches

    @property
    def relations(self) -> Relations:
        """Its children, and its messages to other executions."""
        if self._relations is None:
            self._relations = Relations(self.loop, self.identity.namespace, self.converter, self.asked, self.mode)
        return self._relations

    def _needed_readings(self) -> Readings:
        if self._readings is None:
            self._readings = Readings(self.workflow, self.loop, self.mode, self.converter)
        return self._readings

    @property
    def random(self) -> Random:
        """The run's own source of chance; the same numbers on every replay."""
        self.mode.check_writable("use randomness")
        if self._random is None:
            self._random = Random(self.random_seed)
        return self._random

    # What the code can ask about itself

    @property
    def are_handlers_finished(self) -> bool:
        """True if no handler of a signal or an update is running."""
        return self._handling is None or self._handling.are_finished

    @property
    def options(self) -> ev.RunOptions:
        """What the run brought along beside its input."""
        return self.started.options or ev.RunOptions()

    @property
    def random_seed(self) -> int:
        """What `random` begins with."""
        return determinism.seed_of(self.identity.run_id)

    def set_current_details(self, details: str) -> None:
        """Say what the program is doing, for people.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self.mode.check_writable("set the current details")
        self.current_details = details

    def on_loop_error(self, context: dict[str, Any]) -> None:
        """See `LoopOwner`."""
        if not (self.mode.is_evicted or self.mode.is_replaying):
            self._reporter.loop_error(context)

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        """Count for a meter of the code, unless this was counted when the turn happened."""
        if not self.mode.is_replaying:
            self._reporter.record(instrument, value, attributes)
