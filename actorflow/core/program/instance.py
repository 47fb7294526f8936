"""One workflow object and its code, advanced turn by turn.

A turn runs the program until everything it awaits is pending, and returns what it asked for. Arrivals are applied in
groups, signals before the rest, each group until the program rests (SEMANTICS of the public SDK: handlers of a turn
run before the first line of ``run``). Conditions are looked at only when nothing else is ready.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from actorflow.common import RawValue
from actorflow.converter import Payload, ValueConverter
from actorflow.core import events as ev, limits
from actorflow.core.commands import Command
from actorflow.core.definitions import DynamicWorkflowConfig, HandlerDefinition, WorkflowDefinition
from actorflow.core.guard import is_lifted
from actorflow.core.notes import IndexedValue
from actorflow.core.policy.checks import check_payloads
from actorflow.core.program import determinism, matcher
from actorflow.core.program.errors import (
    CommandLimitError,
    NondeterminismError,
    ReadOnlyContextError,
    TurnError,
)
from actorflow.core.program.eviction import evict
from actorflow.core.program.handlers import Handlers, call_at_once, decoded_arguments
from actorflow.core.program.interception import Interception
from actorflow.core.program.lines import calling_line, waiting_line, waiting_lines
from actorflow.core.program.local_activities import LocalActivities, without_local
from actorflow.core.program.loop import ProgramFuture, ProgramLoop
from actorflow.core.program.metadata import METADATA_QUERY, STACK_TRACE_QUERY, metadata_of
from actorflow.core.program.notes import ProgramNotes
from actorflow.core.program.others import Child, ChildFuture, Sent
from actorflow.core.program.patches import Patches
from actorflow.core.program.pending import ActivityHandle, PendingTimers, resolved_by, timer_duration
from actorflow.core.program.succession import ContinueAsNewError
from actorflow.core.program.updates import Rejection, RunningHandlers, UpdateInfo, current_update
from actorflow.exceptions import (
    CancelledError,
    FailureError,
    PayloadError,
    PayloadTooLargeError,
    RestrictedWorkflowAccessError,
    is_cancelled_exception,
)
from actorflow.metering import Instrument, MetricAttributes

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOSE: Final = ("close", "")
_FAILURES: Final = (FailureError, TimeoutError)
_HANDLED: Final = frozenset((ev.SignalReceived, ev.UpdateAccepted))
_QUERY: Final = "a query"
_LINKED: Final = frozenset((ev.ChildScheduled, ev.SignalSent, ev.CancelSent))


class Reporter(Protocol):
    """Where a program says what nobody asked for; the core itself writes no log."""

    def dropped_signal(self, name: str, problem: PayloadError) -> None:
        """A signal could not be decoded and is left out."""
        ...

    def loop_error(self, context: dict[str, Any]) -> None:
        """As asyncio's exception handlers get it."""
        ...

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        """See `actorflow.metering.Record`."""
        ...


class Identity(Protocol):
    """The part of a run's identity a program can see."""

    @property
    def namespace(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def workflow_type(self) -> str: ...
    @property
    def task_queue(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...


class Program:
    """A workflow's code between its turns.

    Args:
        definition: the workflow class.
        identity: of the run.
        started: the event it began with.
        converter: for arguments and results.
        reporter: hears of dropped signals, stray exceptions, and what the code counts.
        failure_types: exceptions that fail the workflow instead of the turn, beside `FailureError` and timeouts.
        has_unseen: the journal holds what the public history does not, such as the start of a local activity.
        records_lines: remember for each command the line that asked for it (slow; to explain non-determinism).
    """

    __slots__ = (
        "_activities",
        "_activities_started",
        "_activity_ids",
        "_arriving",
        "_asked_bytes",
        "_at",
        "_children",
        "_close",
        "_commands",
        "_conditions",
        "_context",
        "_error",
        "_failure_types",
        "_handlers",
        "_has_unseen",
        "_instance",
        "_is_evicted",
        "_lines",
        "_linked",
        "_links",
        "_locals",
        "_main",
        "_notes",
        "_patches",
        "_random",
        "_reader",
        "_rejections",
        "_reporter",
        "_running",
        "_sent",
        "_timers",
        "asked_at",
        "asks_for_attributes",
        "cancel_reason",
        "converter",
        "current_details",
        "definition",
        "history_bytes",
        "history_length",
        "identity",
        "interception",
        "is_cancel_requested",
        "is_read_only",
        "is_replaying",
        "is_tainted",
        "loop",
        "started",
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
        self.is_replaying = False
        self.is_read_only = False
        self.is_tainted = False  # a query tried to change it, perhaps with half a success: rebuild it
        self.is_cancel_requested = False
        self.asks_for_attributes = False  # of its own run, or of others: their types are known outside only
        self.cancel_reason: str | None = None
        self.history_length = 0
        self.current_details = ""
        self.history_bytes = 0
        self._reporter = reporter
        self._failure_types = (*_FAILURES, *failure_types) if failure_types else _FAILURES
        self.loop = ProgramLoop(self, determinism.salt_of(identity.run_id))
        self._context = contextvars.Context()
        self._at = started_at = identity.started_at
        self.loop.set_time((started_at - _EPOCH).total_seconds())
        self._instance: Any = None
        self.interception: Interception | None = None
        self._handlers = Handlers(definition)
        self._main: asyncio.Task[Any] | None = None
        self._commands: dict[tuple[str, str], Command] = {}
        self._lines: dict[tuple[str, str], str] | None = {} if records_lines else None
        self.asked_at: Sequence[str] = ()  # lines of the commands of the last turn, if lines are recorded
        self._close: Command | None = None
        self._error: BaseException | None = None
        self._is_evicted = False
        self._random: Random | None = None
        self._running: RunningHandlers | None = None
        self._rejections: list[Rejection] | None = None
        self._patches: Patches | None = None
        self._notes: ProgramNotes | None = None
        self._reader = _QUERY
        self._timers = PendingTimers()
        self._activities: dict[str, ActivityHandle[Any]] = {}
        self._activities_started = 0
        self._activity_ids: set[str] | None = None
        self._locals: LocalActivities | None = None
        self._has_unseen = has_unseen
        self._children: dict[int, Child] | None = None
        self._sent: dict[int, Sent] | None = None
        self._links = 0
        self._linked: dict[tuple[str, str], Child | Sent] | None = None
        """Children and messages asked for in this turn, by their command; numbered when it is over."""
        self._arriving: frozenset[tuple[str, str]] = frozenset()
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def record(self, instrument: Instrument, value: float, attributes: MetricAttributes) -> None:
        """Count for a meter of the code, unless this was counted when the turn happened."""
        if not self.is_replaying:
            self._reporter.record(instrument, value, attributes)

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
        self._at = at
        self._asked_bytes = 0
        self._linked = None
        self._arriving = frozenset(resolved_by(arrivals))
        self.loop.set_time((at - _EPOCH).total_seconds())
        self.is_replaying = is_replaying
        first_decision = first_number + ev.TASK_EVENTS + sum([ev.width(arrival) for arrival in arrivals])
        self.history_length = first_decision - 1
        try:
            self.loop.run(lambda: self._run_turn(arrivals))
            self._check_error()
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
        self._at = at
        self.is_replaying = False
        self.loop.set_time((at - _EPOCH).total_seconds())
        try:
            self._ensure_built()
            screened = [fact for arrival in arrivals if (fact := self._screen(arrival)) is not None]
            self._check_error()
            return screened
        except (TurnError, KeyboardInterrupt):
            raise
        except BaseException as problem:
            raise TurnError(problem) from problem

    def _screen(self, arrival: ev.Event) -> ev.Event | None:
        if not isinstance(arrival, ev.UpdateRequested):
            return arrival
        try:
            self._validate(arrival)
        except (ReadOnlyContextError, RestrictedWorkflowAccessError):
            raise
        except (Exception, asyncio.CancelledError) as objection:
            rejection = Rejection(arrival.update_id, self.converter.failure(objection))
            self._rejections = [*(self._rejections or ()), rejection]
            return None
        return ev.UpdateAccepted(arrival.update_id, arrival.name, arrival.input, arrival.headers)

    def _validate(self, request: ev.UpdateRequested) -> None:
        handler, _ = self._handlers.update(request.name, self._instance)
        arguments = self._arguments(handler, request.name, request.input)
        validator = self._handlers.validator(request.name, self._instance)
        if self.interception is not None:
            validator = self.interception.around_validator(
                request.update_id, request.name, request.headers, is_dynamic=handler.is_dynamic
            )
        if validator is None:
            return
        context = self._context.copy()
        context.run(current_update.set, UpdateInfo(request.update_id, request.name))
        with self._read_only("an update validator"):
            self.loop.run(lambda: context.run(call_at_once, validator, arguments))

    def take_rejections(self) -> Sequence[Rejection]:
        """Updates that were turned away since this was asked last."""
        taken, self._rejections = self._rejections or (), None
        return taken

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
            self._known_patches().record(decisions)
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
                lines=self.asked_at,
                waiting_at=waiting_line(self._main),
                interpreter=self.started.interpreter,
                optional_patches=self._patches.optional if self._patches is not None else (),
            )
        except NondeterminismError as problem:
            raise TurnError(problem) from problem
        self._number(decisions, self.history_length + 1)
        return commands

    def _run_turn(self, arrivals: Sequence[ev.Event]) -> None:
        if self._lines is not None:
            self._lines.clear()
        if self._instance is None:
            self._context.run(self._build)
        handled = [arrival for arrival in arrivals if type(arrival) in _HANDLED]
        others = [arrival for arrival in arrivals if type(arrival) not in _HANDLED]
        for group in (handled, others):
            if group:
                self._context.run(self._apply, group)
                self._settle()
        if self._close is not None and self._running is not None and not self.is_replaying:
            self._running.warn()

    def _ensure_built(self) -> None:
        if self._instance is None:
            self.loop.run(lambda: self._context.run(self._build))

    def _build(self) -> None:
        # Inside the loop, so that __init__ may create queues and events.
        if self.definition.intercepts is not None:
            self.interception = self.definition.intercepts()
        cls: Any = self.definition.cls
        self._instance = cls(*self._run_arguments()) if self.definition.has_init else cls()
        if self.definition.dynamic_config is not None:
            self._configure(self.definition.dynamic_config)

    def _configure(self, config: Callable[[Any], DynamicWorkflowConfig]) -> None:
        with self._read_only("a dynamic config"):
            said = config(self._instance).failure_exception_types
        if said is not None:
            declared = self.definition.failure_exception_types
            self._failure_types = (*(kind for kind in self._failure_types if kind not in declared), *said)

    def _run_arguments(self) -> list[Any]:
        signature, payloads = self.definition.signature, self.started.input
        if self.definition.is_dynamic:
            return [self.converter.decode(payloads, [RawValue] * len(payloads))]
        if not signature.accepts(len(payloads)):
            raise PayloadError(
                f"workflow {self.definition.name!r} takes {len(signature.names)} arguments "
                f"({signature.required} required), but was started with {len(payloads)}"
            )
        return self.converter.decode(payloads, signature.types)

    def _apply(self, arrivals: Sequence[ev.Event]) -> None:
        for arrival in arrivals:
            match arrival:
                case ev.ActivityCompleted() | ev.ActivityFailed() | ev.ActivityTimedOut() | ev.ActivityCancelled():
                    handle = self._activities.pop(arrival.activity_id, None)
                    if handle is not None:
                        handle.resolve(arrival, self.converter)
                case ev.SignalReceived():
                    self._receive(arrival)
                case ev.UpdateAccepted():
                    self._begin_update(arrival)
                case ev.TimerFired(timer_id=timer_id):
                    self._timers.fire(timer_id)
                case ev.LocalActivityResolved():
                    self._hear_of_local_activity(arrival)
                case ev.ChildStarted() | ev.ChildStartFailed() | ev.ChildResolved():
                    self._hear_of_child(arrival)
                case ev.MessageDelivered() | ev.MessageRefused():
                    sent = None if self._sent is None else self._sent.pop(arrival.initiated, None)
                    if sent is not None:
                        sent.resolve(arrival)
                case ev.Started():
                    self._main = self._start_task(self._run_main(), name="run")
                case ev.CancelRequested(reason=reason):
                    self._request_cancel(reason)
                case _:
                    pass  # nothing a program could notice

    def _request_cancel(self, reason: str) -> None:
        if self.is_cancel_requested or self._main is None:
            return
        self.is_cancel_requested = True
        self.cancel_reason = reason
        # After what is ready already: a workflow cancelled before its first turn still gets to its first await.
        self.loop.call_soon(self._main.cancel)

    def _settle(self) -> None:
        """Run callbacks, then conditions, until nothing changes any more."""
        budget = limits.TURN_STEPS_MAX
        while True:
            budget -= self.loop.drain(max(budget, 0))
            self._check_error()
            if not self._conditions or not self._resolve_conditions():
                return

    def _check_error(self) -> None:
        if self._error is not None:
            raise TurnError(self._error)

    def _resolve_conditions(self) -> bool:
        has_resolved = False
        waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        conditions, self._conditions = self._conditions, waiting
        for condition, future in conditions:
            if future.done():
                continue
            if self._context.run(condition):
                future.set_result(None)
                has_resolved = True
            else:
                waiting.append((condition, future))
        return has_resolved

    def _take_commands(self, first_decision: int) -> Sequence[Command]:
        if self._close is not None:  # results of updates may have come after it, and it is the last of all
            self._commands[_CLOSE] = self._commands.pop(_CLOSE, self._close)
        commands = tuple(self._commands.values())
        if self._lines is not None:
            self.asked_at = [self._lines[key] for key in self._commands]
        self._commands.clear()
        self._number(commands, first_decision)
        if self._locals is not None and self._close is None:
            return (*commands, *self._locals.take_commands())
        return commands

    def _number(self, commands: Sequence[Command], first_decision: int) -> None:
        """Tell what was asked for by which events it is known from now on."""
        for number, command in enumerate(commands, first_decision):
            if type(command) is ev.ActivityScheduled and command.activity_id in self._activities:
                self._activities[command.activity_id].scheduled_event_id = number
        if self._linked is not None:
            numbers = [number for number, command in enumerate(commands, first_decision) if type(command) in _LINKED]
            for number, linked in zip(numbers, self._linked.values(), strict=True):
                self._link(linked, number)

    def _link(self, linked: Child | Sent, number: int) -> None:
        known: dict[int, Any] | None = self._children if isinstance(linked, Child) else self._sent
        if known is None:
            known = {}
            if isinstance(linked, Child):
                self._children = known
            else:
                self._sent = known
        known.pop(linked.initiated, None)  # it was numbered before, by what a tolerated replay asked for
        linked.initiated = number
        known[number] = linked

    def _hear_of_local_activity(self, outcome: ev.LocalActivityResolved) -> None:
        if self._locals is not None and self._locals.knows(outcome):
            self._locals.resolve(outcome)
        elif self.is_replaying:
            raise NondeterminismError(
                number=self.history_length,
                recorded=f"local activity {outcome.activity_type} (id {outcome.activity_id}) ended",
                asked="no such activity",
                line=waiting_line(self._main),
            )

    def _hear_of_child(self, arrival: Any) -> None:
        child = None if self._children is None else self._children.get(arrival.initiated)
        if child is None or self._children is None:
            return
        if isinstance(arrival, ev.ChildStarted):
            child.begin(arrival)
            return
        del self._children[arrival.initiated]
        if isinstance(arrival, ev.ChildStartFailed):
            child.refuse()
        else:
            child.resolve(arrival, self.converter)

    # The main coroutine and the handlers

    def _start_task(self, coro: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        return self.loop.create_task(coro, name=name, context=self._context.copy())

    async def _run_main(self) -> None:
        try:
            arguments = self._run_arguments()
            run = self.definition.run
            if self.interception is not None:
                run = self.interception.around_run(self.definition.cls, run, self.options.headers)
            result = await run(self._instance, *arguments)
            self._finish(ev.Completed(result=None if result is None else self._encoded("the result", result)))
        except BaseException as problem:
            self._end_with(problem)

    def _receive(self, signal: ev.SignalReceived) -> None:
        found = self._handlers.signal(signal.name, self._instance)
        if found is None:
            self._handlers.buffer(signal)
            return
        handler, function = found
        try:
            arguments = self._arguments(handler, signal.name, signal.input)
        except PayloadError as problem:
            if not self.is_replaying:
                self._reporter.dropped_signal(signal.name, problem)
            return
        if self.interception is not None:
            function = self.interception.around_signal(signal.name, signal.headers, is_dynamic=handler.is_dynamic)
        number = self._handlers_running.begin(handler)
        self._start_task(self._run_handler(function, arguments, number), name=f"signal: {signal.name}")

    async def _run_handler(self, function: Callable[..., Any], arguments: Sequence[Any], number: int) -> None:
        try:
            outcome = function(*arguments)
            if asyncio.iscoroutine(outcome):
                await outcome
        except BaseException as problem:
            self._end_with(problem)
        finally:
            self._handlers_running.end(number)

    def _begin_update(self, accepted: ev.UpdateAccepted) -> None:
        handler, function = self._handlers.update(accepted.name, self._instance)
        arguments = self._arguments(handler, accepted.name, accepted.input)
        if self.interception is not None:
            function = self.interception.around_update(
                accepted.update_id, accepted.name, accepted.headers, is_dynamic=handler.is_dynamic
            )
        number = self._handlers_running.begin(handler, accepted.update_id)
        self._start_task(self._run_update(accepted, function, arguments, number), name=f"update: {accepted.name}")

    async def _run_update(
        self, accepted: ev.UpdateAccepted, function: Callable[..., Any], arguments: Sequence[Any], number: int
    ) -> None:
        current_update.set(UpdateInfo(accepted.update_id, accepted.name))  # for this task and those it makes
        try:
            outcome = function(*arguments)
            if asyncio.iscoroutine(outcome):
                outcome = await outcome
            payload = None if outcome is None else self._encoded(f"the result of update {accepted.name!r}", outcome)
            self._complete_update(ev.UpdateCompleted(accepted.update_id, payload))
        except BaseException as problem:
            self._fail_update(accepted.update_id, problem)
        finally:
            self._handlers_running.end(number)

    def _encoded(self, what: str, value: Any) -> Payload:
        payload = self.converter.encode_one(value)
        check_payloads(what, (payload,))
        return payload

    def _complete_update(self, completed: ev.UpdateCompleted) -> None:
        if not self._is_evicted:
            self._commands["update", completed.update_id] = completed  # also after the end: the caller waits for it
            if self._lines is not None:
                self._lines["update", completed.update_id] = calling_line()

    def _fail_update(self, update_id: str, problem: BaseException) -> None:
        """What would fail the workflow fails the update alone; anything else fails the turn."""
        if isinstance(problem, KeyboardInterrupt):
            raise problem
        if self._is_evicted:
            return
        if isinstance(problem, asyncio.CancelledError):
            problem = CancelledError("Update cancelled")
        elif isinstance(problem, ContinueAsNewError):
            problem = RuntimeError("an update can't continue as new; set something that the run method waits for")
        if isinstance(problem, self._failure_types):
            self._complete_update(ev.UpdateCompleted(update_id, failure=self.converter.failure(problem)))
        elif self._error is None:
            self._error = problem

    def _arguments(self, handler: HandlerDefinition, name: str, payloads: Sequence[Any]) -> list[Any]:
        is_bound = self._handlers.is_of_class(handler)
        return decoded_arguments(handler, name, is_bound=is_bound, payloads=payloads, converter=self.converter)

    @property
    def _handlers_running(self) -> RunningHandlers:
        if self._running is None:
            self._running = RunningHandlers()
        return self._running

    @property
    def are_handlers_finished(self) -> bool:
        """True if no handler of a signal or an update is running."""
        return self._running is None or self._running.are_finished

    def _end_with(self, problem: BaseException) -> None:
        """Close the execution, or fail the turn, by what left the program."""
        if isinstance(problem, KeyboardInterrupt):
            raise problem
        if self._is_evicted:
            return
        if isinstance(problem, ContinueAsNewError):
            if problem.decision.search_attributes is not None:
                self.asks_for_attributes = True
            self._finish(problem.decision if self._notes is None else self._notes.kept_by(problem.decision))
        elif self.is_cancel_requested and is_cancelled_exception(problem):
            self._finish(ev.Cancelled())
        elif isinstance(problem, self._failure_types):
            self._finish(ev.Failed(self.converter.failure(problem)))
        elif self._error is None:
            self._error = problem

    def _finish(self, close: Command) -> None:
        if self._close is None:  # the first one wins
            self._add(_CLOSE, close)
            self._close = close

    # What programs ask for

    def start_activity(self, build: Callable[[str], ev.ActivityScheduled], result_type: Any) -> ActivityHandle[Any]:
        """Schedule an activity; ``build`` makes its event from the number it gets.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self.check_writable("start an activity")
        if len(self._activities) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("activities", limit=limits.COMMANDS_OUTSTANDING_MAX)
        scheduled = build(self._next_activity_number())
        self._check_own_id(scheduled.activity_id)
        handle: ActivityHandle[Any] = ActivityHandle(self, scheduled, result_type)
        self._activities[scheduled.activity_id] = handle
        self._add(("activity", scheduled.activity_id), scheduled)
        return handle

    def take_along(self, whom: str, payloads: Iterable[Payload]) -> None:
        """What a call of the program takes along leaves with this turn.

        Raises:
            PayloadTooLargeError: one is too large, or all of the call, or all of the turn.
        """
        asked = self._asked_bytes + check_payloads(whom, payloads)
        if asked > limits.TURN_PAYLOAD_BYTES_MAX:
            raise PayloadTooLargeError(
                f"{whom}, together with what this turn has asked for already,",
                size=asked,
                limit=limits.TURN_PAYLOAD_BYTES_MAX,
                advice="wait for some of it before you ask for more",
            )
        self._asked_bytes = asked

    def start_local_activity(
        self, build: Callable[[str], ev.LocalActivityScheduled], result_type: Any
    ) -> ActivityHandle[Any]:
        """Run an activity beside the program; ``build`` makes its event from the number it gets.

        Raises:
            ReadOnlyContextError: inside a query.
            CommandLimitError: too many are open.
        """
        self.check_writable("start a local activity")
        if self._locals is None:  # most programs have none
            self._locals = LocalActivities(self)
        if len(self._locals) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("local activities", limit=limits.COMMANDS_OUTSTANDING_MAX)
        scheduled = build(self._next_activity_number())
        self._check_own_id(scheduled.activity_id)
        return self._locals.start(scheduled, result_type)

    def is_arriving(self, activity_id: str) -> bool:
        """See `LocalOwner`."""
        return ("activity", activity_id) in self._arriving

    def _next_activity_number(self) -> str:
        self._activities_started += 1
        return str(self._activities_started)

    def _check_own_id(self, activity_id: str) -> None:
        """An id of the program's own choice: attempts are told apart by it, so it is good for one activity."""
        if activity_id == str(self._activities_started):
            return
        if self._activity_ids is None:
            self._activity_ids = set()
        if activity_id in self._activity_ids or activity_id.isdecimal():
            raise ValueError(
                f"activity id {activity_id!r} is taken: an id is used once, and plain numbers are given by actorflow; "
                "leave activity_id out or pass another"
            )
        self._activity_ids.add(activity_id)

    def request_activity_cancel(self, activity_id: str) -> bool:
        """See `PendingOwner`."""
        if self._commands.pop(("activity", activity_id), None) is not None:
            self._activities.pop(activity_id, None)
            return True
        if ("activity", activity_id) in self._arriving:
            return False  # it is over: its outcome is in this very turn
        self._add(("cancel activity", activity_id), ev.ActivityCancelRequested(activity_id))
        return False

    def start_child(
        self, scheduled: ev.ChildScheduled, result_type: Any, handle: Callable[[Child], ChildFuture[Any]]
    ) -> Child:
        """Ask for a child; ``handle`` makes what its result is awaited with.

        Raises:
            ReadOnlyContextError: inside a query.
            CommandLimitError: too many are open.
        """
        self.check_writable("start a child workflow")
        if len(self._children or ()) + len(self._linked or ()) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("children", limit=limits.COMMANDS_OUTSTANDING_MAX)
        if scheduled.search_attributes is not None:
            self.asks_for_attributes = True
        child = Child(self, scheduled, self.identity.namespace, result_type, handle)
        self._ask("child", scheduled, child)
        return child

    def send(self, command: ev.SignalSent | ev.CancelSent) -> Sent:
        """Send a message to another execution.

        Raises:
            ReadOnlyContextError: inside a query.
            CommandLimitError: too many are on their way.
        """
        self.check_writable("send something to another workflow")
        if len(self._sent or ()) + len(self._linked or ()) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("messages to others", limit=limits.COMMANDS_OUTSTANDING_MAX)
        sent = Sent(self, command)
        self._ask("send", command, sent)
        return sent

    def _ask(self, what: str, command: Command, linked: Child | Sent) -> None:
        self._links += 1
        key = (what, str(self._links))
        self._add(key, command)
        if key in self._commands:
            if self._linked is None:
                self._linked = {}
            self._linked[key] = linked

    def request_child_cancel(self, child: Child) -> bool:
        """See `OthersOwner`."""
        if not child.initiated:
            return self._unask(child)
        is_open = self._children is not None and child.initiated in self._children
        if is_open and ("child", str(child.initiated)) not in self._arriving:
            command = ev.CancelSent(child.scheduled.workflow_id, child.run_id, child.initiated)
            child.cancel_sent = self.send(command)
        return False

    def take_back(self, sent: Sent) -> bool:
        """See `OthersOwner`."""
        return not sent.initiated and self._unask(sent)

    def _unask(self, linked: Child | Sent) -> bool:
        for key, known in (self._linked or {}).items():
            if known is linked:
                del self._commands[key]
                if self._linked is not None:
                    del self._linked[key]
                return True
        return True  # asked for after the end: it was never sent, either

    def start_timer(self, delay: float, callback: Callable[[], None], summary: str = "") -> Callable[[], None]:
        """Start a durable timer; returns what cancels it."""
        duration = timer_duration(delay)
        if len(self._timers) >= limits.COMMANDS_OUTSTANDING_MAX:
            raise CommandLimitError("timers", limit=limits.COMMANDS_OUTSTANDING_MAX)
        timer_id = self._timers.add(callback)
        self._add(("timer", timer_id), ev.TimerStarted(timer_id, duration, summary))
        return partial(self._cancel_timer, timer_id)

    def _cancel_timer(self, timer_id: str) -> None:
        if not self._timers.cancel(timer_id) or ("timer", timer_id) in self._arriving:
            return  # it has fired: with this very turn, perhaps
        if self._commands.pop(("timer", timer_id), None) is None:
            self._add(("cancel timer", timer_id), ev.TimerCancelled(timer_id))

    def future_for(self, condition: Callable[[], bool]) -> asyncio.Future[None]:
        """A future that is resolved once the condition holds when the program rests."""
        self.check_writable("wait for a condition")
        future: ProgramFuture[None] = ProgramFuture(self.loop)
        self._conditions.append((condition, future))
        return future

    def take_patch(self, patch_id: str, *, is_deprecated: bool = False) -> bool:
        """True if the run takes the newer side of a change of its code; the first answer is kept, with a marker.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self.check_writable("take a patch")
        patches = self._known_patches()
        if is_deprecated:
            patches.deprecate(patch_id)
        is_taken = patches.answer(patch_id)
        if is_taken is None:
            if self.is_replaying:
                is_taken = patches.is_recorded(patch_id)
            else:
                is_taken = is_deprecated or self._activates(patch_id)
            patches.keep(patch_id, is_taken=is_taken)
            if is_taken:
                self._add(("patch", patch_id), ev.Patched(patch_id, is_deprecated))
        return is_taken

    def _known_patches(self) -> Patches:
        if self._patches is None:  # most programs never ask
            self._patches = Patches()
        return self._patches

    def _activates(self, patch_id: str) -> bool:
        """Ask the worker, which may decline; whatever it did to the program could not be repeated on replay."""
        activates = self.definition.activates_patch
        if activates is None:
            return True
        lifted = is_lifted.set(True)  # it is the worker's code: it may toss a coin, or read a file
        try:
            with self._read_only("a patch activation callback"):
                return bool(activates(patch_id))
        finally:
            is_lifted.reset(lifted)

    @property
    def notes(self) -> ProgramNotes:
        """Memo and search attributes as they are now."""
        if self._notes is None:  # most programs never ask
            self._notes = ProgramNotes(self.options)
        return self._notes

    def upsert_memo(self, changes: Mapping[str, Payload | None]) -> None:
        """Change the memo; None removes an entry.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self.check_writable("change the memo")
        self.notes.change_memo(changes)
        self._add(self.notes.change, ev.MemoUpserted(dict(changes)))

    def upsert_attributes(self, changes: Mapping[str, IndexedValue | None]) -> None:
        """Change search attributes; None removes one.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self.check_writable("change search attributes")
        self.asks_for_attributes = True
        self.notes.change_attributes(changes)
        self._add(self.notes.change, ev.SearchAttributesUpserted(dict(changes)))

    def set_signal_handler(self, name: str, handler: Callable[..., Any] | None) -> None:
        """Set or remove a signal handler; signals that waited for it are handled now, in order."""
        self.check_writable("set a signal handler")
        for signal in self._handlers.set_signal(name, handler):
            self._receive(signal)

    def set_query_handler(self, name: str, handler: Callable[..., Any] | None) -> None:
        """Set or remove a query handler."""
        self.check_writable("set a query handler")
        self._handlers.set_query(name, handler)

    def set_update_handler(
        self, name: str, handler: Callable[..., Any] | None, validator: Callable[..., Any] | None
    ) -> None:
        """Set or remove an update handler."""
        self.check_writable("set an update handler")
        self._handlers.set_update(name, handler, validator)

    def validator(self, name: str) -> Callable[..., Any] | None:
        """What may reject an update of that name, called with its arguments; None if nothing does.

        Raises:
            UnknownUpdateError: there is no such update.
        """
        return self._handlers.validator(name, self._instance)

    def handler(self, kind: str, name: str) -> Callable[..., Any] | None:
        """The handler of exactly that name, for a kind: signal, query or update; None if there is none."""
        return self._handlers.one(kind, name, self._instance)

    def set_current_details(self, details: str) -> None:
        """Say what the program is doing, for people.

        Raises:
            ReadOnlyContextError: inside a query.
        """
        self.check_writable("set the current details")
        self.current_details = details

    @property
    def options(self) -> ev.RunOptions:
        """What the run brought along beside its input."""
        return self.started.options or ev.RunOptions()

    @property
    def instance(self) -> Any:
        """The workflow object."""
        return self._instance

    @property
    def now_ns(self) -> int:
        """The time of the turn in nanoseconds since the epoch."""
        return (self._at - _EPOCH) // timedelta(microseconds=1) * 1000

    @property
    def now(self) -> datetime:
        """The time of the turn."""
        return self._at

    def is_failure(self, problem: BaseException) -> bool:
        """True for what fails the workflow if it leaves ``run``, False for what fails only the turn."""
        return isinstance(problem, self._failure_types)

    @property
    def random_seed(self) -> int:
        """What `random` begins with."""
        return determinism.seed_of(self.identity.run_id)

    @property
    def random(self) -> Random:
        """The run's own source of chance; the same numbers on every replay."""
        self.check_writable("use randomness")
        if self._random is None:
            self._random = Random(self.random_seed)
        return self._random

    def check_writable(self, what: str) -> None:
        """See `LoopOwner`."""
        if self.is_read_only:
            self.is_tainted = True
            raise ReadOnlyContextError(f"can't {what} in {self._reader}; do it in the workflow, a signal or an update")

    def refuse(self, problem: RestrictedWorkflowAccessError) -> None:
        """Fail the turn for what its code tried, also if the code catches what it is told.

        Whoever goes on after that has left the path that replay takes once the guard is lifted. A query is on no path.
        """
        is_query = self.is_read_only and self._reader == _QUERY
        if not (self._is_evicted or is_query or self._error is not None):
            self._error = problem

    def on_loop_error(self, context: dict[str, Any]) -> None:
        """See `LoopOwner`."""
        if not (self._is_evicted or self.is_replaying):
            self._reporter.loop_error(context)

    def _add(self, key: tuple[str, str], command: Command) -> None:
        if self._close is not None or self._is_evicted:
            return  # what is asked for after the end is dropped
        self._commands[key] = command
        if self._lines is not None:
            self._lines[key] = calling_line()

    # Queries and tear-down

    def stack_trace(self) -> str:
        """Where each of the program's tasks waits: its name, then lines of user code, outermost first."""
        return "\n\n".join(
            "\n    ".join((task.get_name(), *(waiting_lines(task) or ("(in the runtime)",))))
            for task in self.loop.unfinished_tasks()
        )

    def query(self, name: str, payloads: Sequence[Any], headers: Mapping[str, Payload] | None = None) -> Any:
        """Run a query handler against the state as it is and return its result, encoded.

        ``__stack_trace`` and ``__temporal_workflow_metadata`` are answered for every program, see `stack_trace` and
        `metadata_of`.

        Raises:
            Exception: whatever the handler raises; `UnknownQueryError`, `PayloadError` and `ReadOnlyContextError` too.
        """
        self._ensure_built()
        self.is_replaying = False
        if name == STACK_TRACE_QUERY:
            return self.converter.encode_one(self.stack_trace())
        if name == METADATA_QUERY:
            described = metadata_of(self.identity.workflow_type, self._handlers, self.current_details)
            return self.converter.encode_one(described)
        handler, function = self._handlers.query(name, self._instance)
        arguments = self._arguments(handler, name, payloads)
        if self.interception is not None:
            function = self.interception.around_query(name, headers, is_dynamic=handler.is_dynamic)
        with self._read_only(_QUERY):
            result = self.loop.run(lambda: self._context.copy().run(call_at_once, function, arguments))
        return self.converter.encode_one(result)

    @contextmanager
    def _read_only(self, reader: str) -> Generator[None]:
        self._reader = reader
        self.is_read_only = self.loop.is_read_only = True
        try:
            yield
        finally:
            self.is_read_only = self.loop.is_read_only = False

    def tear_down(self) -> int:
        """Take the program apart: run its ``finally`` blocks now, with its commands ignored.

        Returns:
            How many tasks resisted (they catch BaseException and go on waiting).
        """
        self._is_evicted = True
        self.is_replaying = True
        resisting = evict(self.loop)
        self._conditions.clear()
        self._activities.clear()
        self._children = self._sent = self._linked = None
        if not resisting:
            self.loop.dispose()
            del self.loop, self._main
        return resisting
