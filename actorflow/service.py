"""What a client may ask of whoever hosts executions, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Protocol

import msgspec

from actorflow.common import QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.converter import Failure, Payload
from actorflow.core import limits
from actorflow.core.events import AnyEvent, RunOptions, SignalReceived
from actorflow.core.journal import Turn
from actorflow.exceptions import ActorflowError


class RPCStatusCode(IntEnum):
    """Kinds of refusal, numbered as in gRPC so that ported programs can compare them."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RPCError(ActorflowError):
    """The service refused a call; ``status`` says what kind of refusal it is."""

    def __init__(self, message: str, status: RPCStatusCode) -> None:
        super().__init__(message)
        self._message = message
        self._status = status

    @property
    def message(self) -> str:
        """What was refused and why."""
        return self._message

    @property
    def status(self) -> RPCStatusCode:
        """The kind of refusal."""
        return self._status


def not_found(workflow_id: str, run_id: str | None, namespace: str) -> RPCError:
    """There is no such execution."""
    run = f" with run id {run_id!r}" if run_id else ""
    return RPCError(
        f"workflow not found for ID: {workflow_id}{run} in namespace {namespace!r}; check the id and the database",
        RPCStatusCode.NOT_FOUND,
    )


def already_closed(workflow_id: str, status: str) -> RPCError:
    """The execution is over, so it can't take this any more."""
    return RPCError(
        f"workflow execution already completed: {workflow_id!r} is {status}; start it again if it must go on",
        RPCStatusCode.NOT_FOUND,
    )


def unknown_update(workflow_id: str, update_id: str) -> RPCError:
    """The execution has accepted no such update."""
    return RPCError(
        f"workflow {workflow_id!r} has accepted no update {update_id!r}; check the id, or ask for the update",
        RPCStatusCode.NOT_FOUND,
    )


class StartRequest(msgspec.Struct, frozen=True):
    """Start a workflow execution; a signal given with it is sent also to one that is open already.

    ``options`` are those a caller can give: timeouts, retry and cron; None for none and without a ``start_delay``.
    """

    namespace: str
    workflow_id: str
    workflow_type: str
    task_queue: str
    input: tuple[Payload, ...]
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    conflict: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.UNSPECIFIED
    request_id: str = ""
    signal: SignalReceived | None = None
    options: RunOptions | None = None
    start_delay: timedelta | None = None


class UpdateRequest(msgspec.Struct, frozen=True):
    """Ask for an update. A repeated ``update_id`` is the same update, asked for again; without one it gets one."""

    name: str
    input: tuple[Payload, ...] = ()
    update_id: str = ""
    wants_outcome: bool = True


class UpdateAnswer(msgspec.Struct, frozen=True):
    """An update was accepted, and if it is over how it ended; a rejected one is over with a failure."""

    is_over: bool = False
    result: Payload | None = None
    failure: Failure | None = None
    update_id: str = ""
    run_id: str = ""


class Target(msgspec.Struct, frozen=True):
    """Which execution a call is for; without a run id the current run of the workflow id.

    With ``first_run_id`` it must be of the chain that began with that run.
    """

    namespace: str
    workflow_id: str
    run_id: str | None = None
    first_run_id: str | None = None


class PendingActivityInfo(msgspec.Struct, frozen=True):
    """An activity of an open execution."""

    activity_id: str
    activity_type: str
    attempt: int
    state: str
    scheduled_at: datetime
    next_attempt_at: datetime | None = None
    last_failure: Failure | None = None


class Description(msgspec.Struct, frozen=True):
    """An execution as it stands on disk."""

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: str
    started_at: datetime
    closed_at: datetime | None
    history_length: int
    parked: str | None = None
    last_failure: Failure | None = None
    turn_failures: int = 0
    pending_activities: tuple[PendingActivityInfo, ...] = ()
    pending_timers: int = 0
    inbox_messages: int = 0


class ListRequest(msgspec.Struct, frozen=True):
    """Which executions, and which page of them.

    Attributes:
        query: a filter (`actorflow.core.policy.list_filter`); empty means all.
        page_size: executions on the page, at most `limits.LIST_PAGE_MAX`.
        next_page_token: of the page before; empty means the first.
    """

    namespace: str
    query: str = ""
    page_size: int = limits.LIST_PAGE_MAX
    next_page_token: bytes = b""


class Execution(msgspec.Struct, frozen=True):
    """One execution of a list."""

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: str
    started_at: datetime
    closed_at: datetime | None
    history_length: int
    parked: str | None = None


class ExecutionPage(msgspec.Struct, frozen=True):
    """A page of a list; without a token it is the last."""

    executions: tuple[Execution, ...]
    next_page_token: bytes = b""


class ExecutionCount(msgspec.Struct, frozen=True):
    """How many executions, and how many of each status if that was asked."""

    total: int
    by_status: Mapping[str, int] = {}


class RunHistory(msgspec.Struct, frozen=True):
    """The turns of a run so far."""

    run_id: str
    started_at: datetime
    turns: Sequence[Turn]


class Closed(msgspec.Struct, frozen=True):
    """How an execution ended."""

    run_id: str
    event: AnyEvent


class Parked(msgspec.Struct, frozen=True):
    """An execution does not end now: it can't go on until something changes."""

    run_id: str
    reason: str
    failure: Failure


class QueryRejected(msgspec.Struct, frozen=True):
    """A query was not asked because of the execution's status."""

    status: str


class Service(Protocol):
    """What a client may ask; implemented by an engine in this process, and later over a network.

    Raises (all methods):
        RPCError: there is no such execution (NOT_FOUND), or it can't take the call.
        StorageError, EngineStoppedError: the journal can't be written or read.
    """

    async def start(self, request: StartRequest) -> tuple[str, bool]:
        """Begin an execution durably. Returns its run id, and whether this call is what began it.

        Raises:
            WorkflowAlreadyStartedError: the policies refuse it.
        """
        ...

    async def signal(self, target: Target, name: str, input: tuple[Payload, ...], request_id: str = "") -> None:
        """Deliver a signal durably."""
        ...

    async def query(
        self,
        target: Target,
        name: str,
        input: tuple[Payload, ...],
        reject: QueryRejectCondition | None,
        timeout: float | None,
    ) -> Payload | Failure | Parked | QueryRejected:
        """Ask the program; the answer reflects every signal acknowledged before."""
        ...

    async def update(self, target: Target, request: UpdateRequest) -> UpdateAnswer | Parked:
        """Ask for an update and wait until it is accepted, or over if ``wants_outcome``."""
        ...

    async def update_with_start(
        self, start: StartRequest, request: UpdateRequest, on_started: Callable[[str], None]
    ) -> UpdateAnswer | Parked:
        """Begin an execution and ask it for an update in one step, or ask the open one.

        ``on_started`` is told the run id once the execution is there, whatever becomes of the update.

        Raises:
            WorkflowAlreadyStartedError: the policies refuse it.
        """
        ...

    async def update_outcome(self, target: Target, update_id: str) -> UpdateAnswer | Parked:
        """Wait for the outcome of an update that was asked for before; NOT_FOUND if none of that id was accepted."""
        ...

    async def cancel(self, target: Target, reason: str) -> None:
        """Ask the program to stop; silent if it has closed."""
        ...

    async def terminate(self, target: Target, reason: str, details: tuple[Payload, ...]) -> None:
        """End the execution without asking its program."""
        ...

    async def describe(self, target: Target) -> Description:
        """The execution as it stands on disk."""
        ...

    async def list(self, request: ListRequest) -> ExecutionPage:
        """A page of executions as they stand on disk, with everything decided until now.

        Raises:
            RPCError: INVALID_ARGUMENT: the filter (it says where) or the token; DEADLINE_EXCEEDED: the filter leaves
                too many executions to look at.
        """
        ...

    async def count(self, namespace: str, query: str) -> ExecutionCount:
        """How many executions meet a filter; raises as `list` does."""
        ...

    async def history(self, target: Target) -> RunHistory:
        """All turns of the execution so far."""
        ...

    async def result(self, target: Target) -> Closed | Parked:
        """Wait until the execution closes, or is parked."""
        ...
