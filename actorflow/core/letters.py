"""What one turn of an execution has to say to others: to children, to its parent, to whoever it signals or cancels.

A function of the turn's events. Each letter leaves in the turn's own transaction, so it is sent exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from actorflow.converter import Failure
from actorflow.core import events as ev
from actorflow.core.journal import Turn
from actorflow.core.messages import Message
from actorflow.core.policy.succession import first_options, successor_id
from actorflow.core.program.matcher import interpreter_version
from actorflow.core.program.others import ParentClosePolicy
from actorflow.core.state import ExecutionState

NOBODY: Final = "there is no open execution of that id"
"""Why a message was refused that found nobody."""
_NOBODY_WITH_ROOM: Final = f"{NOBODY}, or it has too many unprocessed messages"


class Address(msgspec.Struct, frozen=True, gc=False):
    """The open run of a workflow id, if it is this run, and of the chain that began with that run; empty means any."""

    namespace: str
    workflow_id: str
    run_id: str = ""
    first_run_id: str = ""


class Letter(msgspec.Struct, frozen=True):
    """A message for another execution, and what its sender hears of it; None if it does not wait to hear."""

    to: Address
    message: Message
    received: Message | None = None
    refused: Message | None = None


class Birth(msgspec.Struct, frozen=True):
    """A child that is to begin, and what its parent hears of it."""

    scheduled: ev.ChildScheduled
    at: datetime
    started: ev.Started
    received: ev.ChildStarted
    refused: ev.ChildStartFailed


class Sender(Protocol):
    """The part of a run's identity that others need."""

    @property
    def namespace(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def run_id(self) -> str: ...


def letters(sender: Sender, state: ExecutionState, turn: Turn) -> Iterator[Letter | Birth]:
    """What a turn sends, in order.

    Args:
        sender: whose turn it is.
        state: after the turn.
        turn: what happened.
    """
    for number, event in enumerate(turn.events, turn.first_decision):
        match event:
            case ev.ChildScheduled():
                yield _birth(sender, state, number, event, turn)
            case ev.SignalSent():
                yield _signal(sender, number, event)
            case ev.CancelSent():
                yield _cancel(sender, state, number, event)
            case _:
                if type(event) in ev.CLOSING:
                    yield from _last_letters(sender, state, event)


def _birth(sender: Sender, state: ExecutionState, number: int, asked: ev.ChildScheduled, turn: Turn) -> Birth:
    wanted = ev.RunOptions(
        execution_timeout=asked.execution_timeout,
        run_timeout=asked.run_timeout,
        task_timeout=asked.task_timeout,
        retry=asked.retry,
        cron=asked.cron,
        parent=ev.ParentRun(sender.namespace, sender.workflow_id, sender.run_id, number),
        root=state.options.root or ev.RootRun(sender.workflow_id, sender.run_id),
        memo=asked.memo,
        search_attributes=asked.search_attributes,
        headers=asked.headers,
        summary=asked.summary,
        details=asked.details,
    )
    options = first_options(wanted, started_at=turn.at)
    started = ev.Started(asked.workflow_type, asked.task_queue, asked.input, interpreter_version(), options)
    return Birth(asked, turn.at, started, ev.ChildStarted(number, asked.run_id), ev.ChildStartFailed(number))


def _signal(sender: Sender, number: int, sent: ev.SignalSent) -> Letter:
    to = Address(
        sender.namespace,
        sent.workflow_id,
        run_id="" if sent.is_child else sent.run_id,
        first_run_id=sent.run_id if sent.is_child else "",
    )
    message = ev.SignalReceived(sent.name, sent.input, headers=sent.headers)
    return Letter(to, message, ev.MessageDelivered(number), ev.MessageRefused(number, _NOBODY_WITH_ROOM))


def _cancel(sender: Sender, state: ExecutionState, number: int, sent: ev.CancelSent) -> Letter:
    child = (state.children or {}).get(sent.child)
    first_run_id = sent.run_id if child is None else child.run_id
    to = Address(
        sender.namespace,
        sent.workflow_id,
        run_id="" if sent.child else sent.run_id,
        first_run_id=first_run_id if sent.child else "",
    )
    message = ev.CancelRequested(sent.reason)
    return Letter(to, message, ev.MessageDelivered(number), ev.MessageRefused(number, NOBODY))


def _last_letters(sender: Sender, state: ExecutionState, close: Any) -> Iterator[Letter]:
    """What follows from the end of a run: its children are told, and its parent if nothing follows in the chain."""
    for child in (state.children or {}).values():
        policy = child.parent_close
        to = Address(sender.namespace, child.workflow_id, first_run_id=child.run_id)
        if policy == ParentClosePolicy.REQUEST_CANCEL:
            yield Letter(to, ev.CancelRequested("by parent close policy"))
        elif policy != ParentClosePolicy.ABANDON:
            yield Letter(to, ev.Terminated("by parent close policy"))
    parent = state.options.parent
    if parent is not None and not successor_id(close):
        to = Address(parent.namespace, parent.workflow_id, run_id=parent.run_id)
        yield Letter(to, _outcome(parent.initiated, close))


def _outcome(initiated: int, close: Any) -> Message:
    match close:
        case ev.Completed(result=result):
            return ev.ChildCompleted(initiated, result)
        case ev.Failed(failure=failure, retry_state=retry_state):
            return ev.ChildFailed(initiated, failure, retry_state)
        case ev.Cancelled(details=details):
            return ev.ChildCancelled(initiated, details)
        case ev.TimedOut(retry_state=retry_state):
            return ev.ChildTimedOut(initiated, retry_state)
        case ev.Terminated():
            return ev.ChildTerminated(initiated)
        case _:
            return ev.ChildFailed(initiated, Failure(f"{type(close).__name__} is no end of a child", kind="server"))
