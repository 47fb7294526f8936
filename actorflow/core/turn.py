"""The decision of a turn: messages in, a journaled turn out. Nothing outside has happened when it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.commands import Command
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.policy.succession import Closing, closed_as, successor_id
from actorflow.core.program import Program
from actorflow.core.program.errors import TurnError
from actorflow.core.program.outside import Identity
from actorflow.core.state import ExecutionState, turn_width
from actorflow.exceptions import ActorflowError

ReserveSlot = Callable[[ev.ActivityScheduled], bool]
"""Takes a slot for an activity's first attempt; False if it has to wait for one."""

NewRunId = Callable[[], str]
"""A run id for a child, or for the run that follows."""


TypeAttributes = Callable[[Command], Command]
"""A command with its search attributes in the types of their names; raises `ActorflowError` if one has another type."""


Prove = Callable[[Program, datetime, int, Sequence[ev.Event], Sequence[Command]], None]
"""Repeats a turn, given its program, time, first number, arrivals and commands; raises `TurnError` if it comes out
differently."""


def _as_asked(command: Command) -> Command:
    return command


def _no_run_id() -> str:
    return ""


def decide(
    state: ExecutionState,
    program: Program,
    messages: Sequence[Message],
    *,
    now: datetime,
    reserve: ReserveSlot,
    unhandled: Callable[[], Sequence[Message]] = tuple,
    new_run_id: NewRunId = _no_run_id,
    typed: TypeAttributes = _as_asked,
    prove: Prove | None = None,
    is_held: bool = False,
) -> Turn | None:
    """Let a program consume messages, and fold what came of it into the state.

    Args:
        state: of the execution; changed only if the turn succeeds.
        program: its code, at rest.
        messages: in mailbox order.
        now: the time of the turn.
        reserve: takes activity slots.
        unhandled: accepted messages that were not taken into this turn; if the turn closes the execution and no run
            follows it, they are recorded as unhandled signals before its end.
        new_run_id: for children, and for the run that follows if the turn closes this one and one does.
        typed: knows the types of search attributes.
        prove: in development mode, repeats the turn.
        is_held: leave the state as it is, since the payloads of the turn have to be encoded first: `released` folds it
            into the state then, and asks what is unhandled at that time.

    Returns:
        The turn, or None if no message matters any more. What became of updates that were rejected, the program knows
        (`Program.take_rejections`): a turn does not.

    Raises:
        TurnError: the program failed; state and slots are as before.
    """
    arrivals = _admitted(state, messages)
    if not arrivals:
        return None
    at = now if state.last_at is None else max(now, state.last_at)
    for arrival in arrivals:
        if type(arrival) is ev.UpdateRequested:
            arrivals = program.screened(at, arrivals)
            break
    if not arrivals:
        return None
    commands = program.advance(at, arrivals, first_number=state.last_event + 1)
    if prove is not None:
        prove(program, at, state.last_event + 1, arrivals, commands)
    if program.asked.has_attributes:
        commands = _typed(commands, typed)
    if commands and type(commands[-1]) in ev.CLOSING:
        identity = program.identity
        closing = Closing(identity.run_id, identity.started_at, program.started, at)
        close = closed_as(closing, commands[-1], new_run_id)
        commands = (*commands[:-1], close)
        if not is_held and not successor_id(close):
            arrivals.extend(_left_over(state, messages, unhandled()))
    events = (*arrivals, *[_placed(command, reserve, new_run_id) for command in commands])
    return _drafted(state, at, events) if is_held else _applied(state, at, events)


def fail(
    state: ExecutionState,
    messages: Sequence[Message],
    failure: Failure,
    *,
    identity: Identity,
    now: datetime,
    unhandled: Callable[[], Sequence[Message]] = tuple,
    new_run_id: NewRunId = _no_run_id,
    is_held: bool = False,
) -> Turn:
    """End an execution because its program can't go on and was told to treat that as an outcome."""
    arrivals = [arrival for arrival in _admitted(state, messages) if type(arrival) is not ev.UpdateRequested]
    at = now if state.last_at is None else max(now, state.last_at)
    close = ev.Failed(failure)
    started = state.started or _started_among(messages)
    if started is not None:
        close = closed_as(Closing(identity.run_id, identity.started_at, started, at), close, new_run_id)
    left_over = () if is_held or successor_id(close) else _left_over(state, messages, unhandled())
    events = (*arrivals, *left_over, close)
    return _drafted(state, at, events) if is_held else _applied(state, at, events)


def released(state: ExecutionState, held: Turn, messages: Sequence[Message], unhandled: Sequence[Message]) -> Turn:
    """Fold a turn that was held into the state.

    Args:
        state: as it was when the turn was decided.
        held: the turn.
        messages: that it was given.
        unhandled: see `decide`; messages are accepted while a turn is held, too.
    """
    events = held.events
    if type(events[-1]) in ev.CLOSING and not successor_id(events[-1]):
        arrivals = next(number for number, event in enumerate(events) if type(event) in ev.DECISIONS)
        events = (*events[:arrivals], *_left_over(state, messages, unhandled), *events[arrivals:])
    return _applied(state, held.at, events)


def end(
    state: ExecutionState,
    event: ev.Terminated | ev.TimedOut,
    *,
    identity: Identity,
    now: datetime,
    unhandled: Sequence[Message] = (),
    new_run_id: NewRunId = _no_run_id,
) -> Turn:
    """End an execution without asking its program; one that had not begun has begun with the same turn."""
    at = now if state.last_at is None else max(now, state.last_at)
    waiting = _started_among(unhandled) if state.started is None else None
    started = state.started or waiting
    close: Any = event
    if started is not None:
        close = closed_as(Closing(identity.run_id, identity.started_at, started, at), event, new_run_id)
    begun = () if waiting is None else (waiting,)
    left_over = () if successor_id(close) else _left_over(state, (), unhandled)
    return _applied(state, at, (*begun, *left_over, close))


def _started_among(messages: Sequence[Message]) -> ev.Started | None:
    for message in messages:
        if isinstance(message, ev.Started):
            return message
    return None


def failed_turn(state: ExecutionState, event: ev.TurnFailed, *, now: datetime) -> Turn:
    """Record that the program could not finish a turn."""
    at = now if state.last_at is None else max(now, state.last_at)
    return _applied(state, at, (event,))


def _applied(state: ExecutionState, at: datetime, events: tuple[Any, ...]) -> Turn:
    turn = _drafted(state, at, events)
    state.apply(turn)
    return turn


def _drafted(state: ExecutionState, at: datetime, events: tuple[Any, ...]) -> Turn:
    return Turn(state.last_event + turn_width(events), at, events)


def _admitted(state: ExecutionState, messages: Sequence[Message]) -> list[Any]:
    """Messages that still matter; of two that do the same thing only the first does."""
    admitted = [message for message in messages if state.admits(message)]
    if len(admitted) < 2:
        return admitted
    seen: set[tuple[str, str]] = set()
    first: list[Any] = []
    for message in admitted:
        key = _unique_key(message)
        if key is None or key not in seen:
            first.append(message)
        if key is not None:
            seen.add(key)
    return first


def _unique_key(message: Message) -> tuple[str, str] | None:
    """What a message may do only once, if there is such a thing."""
    match message:
        case ev.ActivityResolved(activity_id=activity_id):
            return "activity", activity_id
        case ev.TimerFired(timer_id=timer_id):
            return "timer", timer_id
        case ev.ChildResolved(initiated=initiated):
            return "child", str(initiated)
        case ev.ChildStarted(initiated=initiated) | ev.ChildStartFailed(initiated=initiated):
            return "child start", str(initiated)
        case ev.MessageDelivered(initiated=initiated) | ev.MessageRefused(initiated=initiated):
            return "sent", str(initiated)
        case ev.SignalReceived(request_id=request_id) if request_id:
            return "request", request_id
        case ev.UpdateRequested(update_id=update_id):
            return "update", update_id
        case _:
            return None


def _typed(commands: Sequence[Command], typed: TypeAttributes) -> Sequence[Command]:
    try:
        return tuple([typed(command) for command in commands])
    except ActorflowError as problem:
        raise TurnError(problem) from problem


def _placed(command: Command, reserve: ReserveSlot, new_run_id: NewRunId) -> Command:
    """A command with what only the engine knows: whether an activity has a slot, and the run of a child."""
    kind = type(command)
    if kind is ev.ActivityScheduled and not reserve(command):  # pyright: ignore[reportArgumentType]
        return msgspec.structs.replace(command, waiting=True)
    if kind is ev.ChildScheduled:
        return msgspec.structs.replace(command, run_id=new_run_id())
    return command


def _left_over(
    state: ExecutionState, taken: Sequence[Message], messages: Sequence[Message]
) -> Sequence[ev.SignalUnhandled]:
    """Signals that were accepted and find the execution closing; not those that were handled under the same request."""
    if not messages:
        return ()
    admitted = _admitted(state, [*taken, *messages])[len(_admitted(state, taken)) :]
    return [ev.SignalUnhandled(m.name, m.input, m.headers) for m in admitted if isinstance(m, ev.SignalReceived)]
