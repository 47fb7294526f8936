"""What a program waits for from other executions: children, and messages on their way to somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol, TypeVar

from actorflow.converter import ValueConverter
from actorflow.core import events as ev
from actorflow.core.program.loop import ProgramFuture, ProgramLoop
from actorflow.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)

T = TypeVar("T")


class ChildWorkflowCancellationType(IntEnum):
    """What cancelling the wait for a child means."""

    ABANDON = 0
    TRY_CANCEL = 1
    WAIT_CANCELLATION_COMPLETED = 2
    WAIT_CANCELLATION_REQUESTED = 3


class ParentClosePolicy(IntEnum):
    """What becomes of a child that is open when its parent closes."""

    UNSPECIFIED = 0
    TERMINATE = 1
    ABANDON = 2
    REQUEST_CANCEL = 3


class OthersOwner(Protocol):
    """What these ask of the relations they belong to."""

    @property
    def loop(self) -> ProgramLoop:
        """The program's loop."""
        ...

    def request_child_cancel(self, child: Child) -> bool:
        """Ask for a child to be stopped; True if it was never sent and so won't start at all."""
        ...

    def take_back(self, sent: Sent) -> bool:
        """Don't send a message after all; False if it has left."""
        ...


class Child:
    """A child of the program, from the command to its end.

    Args:
        owner: knows it by its number.
        scheduled: how it was asked for.
        namespace: of the parent, and so of the child.
        result_type: what to decode its result as.
        handle: makes what its result is awaited with.
    """

    __slots__ = (
        "_namespace",
        "_result_type",
        "cancel_sent",
        "handle",
        "initiated",
        "owner",
        "run_id",
        "scheduled",
        "start",
        "started_event_id",
    )

    def __init__(
        self,
        owner: OthersOwner,
        scheduled: ev.ChildScheduled,
        namespace: str,
        result_type: Any,
        handle: Callable[[Child], ChildFuture[Any]] | None = None,
    ) -> None:
        self.owner = owner
        self.scheduled = scheduled
        self._namespace = namespace
        self._result_type = result_type
        self.initiated = 0  # numbered with its turn
        self.run_id = ""
        self.started_event_id = 0
        self.cancel_sent: Sent | None = None
        self.start: ChildStart = ChildStart(self)
        self.handle: ChildFuture[Any] = ChildFuture(self) if handle is None else handle(self)

    @property
    def cancellation(self) -> int:
        """See `ChildWorkflowCancellationType`."""
        return self.scheduled.cancellation

    def begin(self, started: ev.ChildStarted) -> None:
        """It has begun."""
        self.run_id = started.run_id
        if not self.start.done():
            self.start.set_result(None)

    def refuse(self) -> None:
        """It can't begin: its id is taken."""
        problem = WorkflowAlreadyStartedError(self.scheduled.workflow_id, self.scheduled.workflow_type)
        if not self.start.done():
            self.start.set_exception(problem)
        _fail_quietly(self.handle, problem)

    def resolve(self, outcome: ev.ChildOutcome, converter: ValueConverter) -> None:
        """It is over."""
        if self.handle.done():
            return
        match outcome:
            case ev.ChildCompleted(result=payload):
                result: Any = None if payload is None else converter.decode_one(payload, self._result_type)
                self.handle.set_result(result)
            case ev.ChildFailed(failure=failure, retry_state=state):
                self.fail(converter.exception(failure), _retry_state(state))
            case ev.ChildCancelled(details=details):
                self.fail(CancelledError("Workflow cancelled", *converter.decode(details)), None)
            case ev.ChildTimedOut(retry_state=state):
                cause = TimeoutError("Workflow timed out", type=TimeoutType.START_TO_CLOSE)
                self.fail(cause, _retry_state(state))
            case ev.ChildTerminated():
                self.fail(TerminatedError("Workflow terminated"), None)

    def fail(self, cause: FailureError, retry_state: RetryState | None) -> None:
        """End the wait for it with this cause."""
        self.handle.set_exception(self.error(cause, retry_state))

    def error(self, cause: FailureError, retry_state: RetryState | None = None) -> ChildWorkflowError:
        """What whoever waits for it gets."""
        is_cancelled = isinstance(cause, CancelledError)
        error = ChildWorkflowError(
            "Child workflow cancelled" if is_cancelled else "Child workflow failed",
            namespace=self._namespace,
            workflow_id=self.scheduled.workflow_id,
            run_id=self.run_id,
            workflow_type=self.scheduled.workflow_type,
            initiated_event_id=self.initiated,
            started_event_id=self.started_event_id,
            retry_state=retry_state,
        )
        error.__cause__ = cause
        return error

    def cancel(self, waits: ProgramFuture[Any], *, is_repeated: bool) -> None:
        """Whoever awaits ``waits`` is being cancelled."""
        mode = self.cancellation
        if mode == ChildWorkflowCancellationType.ABANDON:
            _end_cancelled(waits, self)
        elif not is_repeated:
            was_never_sent = self.owner.request_child_cancel(self)
            if was_never_sent:
                _fail_quietly(self.handle, self.error(CancelledError("Child workflow cancelled before it was started")))
            if was_never_sent or mode == ChildWorkflowCancellationType.TRY_CANCEL:
                _end_cancelled(waits, self)
            elif mode == ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED and self.cancel_sent is not None:
                self.cancel_sent.add_done_callback(lambda _sent: _end_cancelled(waits, self))


class ChildStart(ProgramFuture[None]):
    """The wait for a child to begin. Cancelling it is a request to the child; one not sent yet never begins."""

    __slots__ = ("_child", "_is_cancel_requested")

    def __init__(self, child: Child) -> None:
        super().__init__(child.owner.loop)
        self._child = child
        self._is_cancel_requested = False

    def cancel(self, msg: Any = None) -> bool:
        """Request cancellation; what that means says the child's cancellation type."""
        if self.done():
            return self._is_cancel_requested
        is_repeated, self._is_cancel_requested = self._is_cancel_requested, True
        self._child.cancel(self, is_repeated=is_repeated)
        return True


class ChildFuture(ProgramFuture[T]):
    """A child that has begun: its result, awaitable.

    Cancelling it (or the task that awaits it) is a request to the child; what that means says its cancellation type.
    """

    __slots__ = ("_is_cancel_requested", "child")

    def __init__(self, child: Child) -> None:
        super().__init__(child.owner.loop)
        self.child = child
        self._is_cancel_requested = False

    @property
    def id(self) -> str:
        """The workflow id of the child."""
        return self.child.scheduled.workflow_id

    @property
    def first_execution_run_id(self) -> str | None:
        """The first run of the child."""
        return self.child.run_id or None

    def cancel(self, msg: Any = None) -> bool:
        """Request cancellation; see the class. Returns False if the child is over."""
        if self.done():
            return self._is_cancel_requested
        is_repeated, self._is_cancel_requested = self._is_cancel_requested, True
        self.child.cancel(self, is_repeated=is_repeated)
        return True


class Sent(ProgramFuture[None]):
    """A message on its way to another execution. Cancelling the wait takes it back, unless it has left."""

    __slots__ = ("_owner", "command", "initiated")

    def __init__(self, owner: OthersOwner, command: ev.SignalSent | ev.CancelSent) -> None:
        super().__init__(owner.loop)
        self._owner = owner
        self.command = command
        self.initiated = 0  # numbered with its turn

    def cancel(self, msg: Any = None) -> bool:
        """Take the message back; if it has left the wait goes on, and soon ends."""
        if self.done():
            return False
        if self._owner.take_back(self):
            return super().cancel(msg)
        return True

    def resolve(self, reply: ev.MessageDelivered | ev.MessageRefused) -> None:
        """It was received, or refused."""
        if self.done():
            return
        if isinstance(reply, ev.MessageDelivered):
            self.set_result(None)
            return
        what = "signal" if isinstance(self.command, ev.SignalSent) else "cancel"
        problem = ApplicationError(
            f"Unable to {what} external workflow {self.command.workflow_id!r}: {reply.reason}",
            type="ExternalWorkflowExecutionNotFound",
            non_retryable=True,
        )
        _fail_quietly(self, problem)


def _retry_state(state: int) -> RetryState:
    return RetryState(state) if state else RetryState.RETRY_POLICY_NOT_SET


def _end_cancelled(waits: ProgramFuture[Any], child: Child) -> None:
    if not waits.done():
        waits.set_exception(child.error(CancelledError("Child workflow cancelled"), RetryState.CANCEL_REQUESTED))


def _fail_quietly(future: asyncio.Future[Any], problem: BaseException) -> None:
    """Fail a future that perhaps nobody awaits: then it is nobody's mistake."""
    if not future.done():
        future.set_exception(problem)
        future.exception()
