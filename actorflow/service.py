"""What a client may ask of whoever hosts executions, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import ClassVar, Protocol

import msgspec

from actorflow.clock import Clock
from actorflow.common import QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.converter import Failure, Payload
from actorflow.core import limits
from actorflow.core.events import AnyEvent, RunOptions, SignalReceived
from actorflow.core.journal import Turn
from actorflow.core.notes import NO_NOTES, Notes
from actorflow.core.schedules.record import Definition, Patch, ScheduleRecord
from actorflow.exceptions import TemporalError


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


class RPCError(TemporalError):
    """The service refused a call; ``status`` says what kind of refusal it is.

    Args:
        message: what was refused and why.
        status: the kind of refusal.
        raw_grpc_status: accepted for ported programs; there is no gRPC here, so it is empty.
    """

    def __init__(self, message: str, status: RPCStatusCode, raw_grpc_status: bytes = b"") -> None:
        super().__init__(message)
        self._message = message
        self._status = status
        self._raw_grpc_status = raw_grpc_status

    @property
    def message(self) -> str:
        """What was refused and why."""
        return self._message

    @property
    def status(self) -> RPCStatusCode:
        """The kind of refusal."""
        return self._status

    @property
    def raw_grpc_status(self) -> bytes:
        """Empty, unless the program that made the error gave it something."""
        return self._raw_grpc_status


@dataclass(frozen=True)
class TLSConfig:
    """How a connection would be encrypted; see `Client.connect`, which refuses it."""

    server_root_ca_cert: bytes | None = None
    domain: str | None = None
    client_cert: bytes | None = None
    client_private_key: bytes | None = None
    verification_server_name: str | None = None


@dataclass(frozen=True)
class RetryConfig:
    """How calls over a network would be repeated; accepted by `Client.connect`, where there is none."""

    initial_interval_millis: int = 100
    randomization_factor: float = 0.2
    multiplier: float = 1.5
    max_interval_millis: int = 5000
    max_elapsed_time_millis: int | None = 10000
    max_retries: int = 10


@dataclass(frozen=True)
class KeepAliveConfig:
    """How a connection would be kept alive; accepted by `Client.connect`, where there is none."""

    interval_millis: int = 30000
    timeout_millis: int = 15000

    default: ClassVar[KeepAliveConfig]
    """What ported programs get without a wish of their own."""


KeepAliveConfig.default = KeepAliveConfig()


@dataclass(frozen=True)
class HttpConnectProxyConfig:
    """A proxy on the way to a server; see `Client.connect`, which refuses it."""

    target_host: str
    basic_auth: tuple[str, str] | None = None


@dataclass
class ConnectConfig:
    """What `Client.connect` is to open, as plugins see it; see there.

    Attributes:
        clock: time and identities; None for the system's.
        read_only: only look.
        large_payload_bytes: which payloads are stored once, see `Client.connect`.
    """

    target_host: str
    api_key: str | None = None
    tls: bool | TLSConfig | None = None
    retry_config: RetryConfig | None = None
    keep_alive_config: KeepAliveConfig | None = None
    rpc_metadata: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"])
    identity: str = ""
    lazy: bool = False
    runtime: object = None
    http_connect_proxy_config: HttpConnectProxyConfig | None = None
    clock: Clock | None = None
    read_only: bool = False
    large_payload_bytes: int | None = None


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


class ActivityNotRunningError(RPCError):
    """No attempt of the activity runs, or was left open: it has ended, waits, or never was."""

    def __init__(self, workflow_id: str, activity_id: str, why: str) -> None:
        super().__init__(
            f"activity {activity_id!r} of workflow {workflow_id!r} has no attempt that could be completed: {why}; "
            "check the ids, and whether it has ended already",
            RPCStatusCode.NOT_FOUND,
        )
        self.workflow_id = workflow_id
        self.activity_id = activity_id


class StaleAttemptError(RPCError):
    """The attempt that is meant is over, and a later one has taken its place: its outcome matters no more."""

    def __init__(self, workflow_id: str, activity_id: str, attempt: int, current: int) -> None:
        super().__init__(
            f"attempt {attempt} of activity {activity_id!r} of workflow {workflow_id!r} is over, attempt {current} "
            "has taken its place; stop working on it",
            RPCStatusCode.NOT_FOUND,
        )
        self.workflow_id = workflow_id
        self.activity_id = activity_id
        self.attempt = attempt
        self.current_attempt = current


Headers = dict[str, Payload] | None
"""What interceptors pass on beside the arguments of a call; None for nothing, which is what most have."""


class StartRequest(msgspec.Struct, frozen=True):
    """Start a workflow execution; a signal given with it is sent also to one that is open already.

    ``options`` are those a caller can give: timeouts, retry, cron and notes; None for none and without a
    ``start_delay``.
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
    headers: Headers = None


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


class ActivityTarget(msgspec.Struct, frozen=True):
    """Which activity a call is for; attempt 0 means whichever runs."""

    target: Target
    activity_id: str
    attempt: int = 0


class ActivityReport(msgspec.Struct, frozen=True):
    """How an attempt ended: cancelled, failed if there is a failure, completed otherwise."""

    result: Payload | None = None
    failure: Failure | None = None
    is_cancelled: bool = False
    details: tuple[Payload, ...] = ()
    """The last heartbeat details, if there are new ones."""


class PendingActivityInfo(msgspec.Struct, frozen=True):
    """An activity of an open execution."""

    activity_id: str
    activity_type: str
    attempt: int
    state: str
    scheduled_at: datetime
    next_attempt_at: datetime | None = None
    last_failure: Failure | None = None


class PendingChildInfo(msgspec.Struct, frozen=True):
    """A child of an open execution that is not over; its run id is that of its first run."""

    workflow_id: str
    run_id: str
    workflow_type: str
    initiated: int
    parent_close: int
    has_started: bool


class PendingMessageInfo(msgspec.Struct, frozen=True):
    """A signal, or without a name a cancellation, on its way to another execution."""

    workflow_id: str
    run_id: str
    initiated: int
    signal: str | None = None


class Description(msgspec.Struct, frozen=True):
    """An execution as it stands on disk.

    Attributes:
        options: what it brought along; of an execution that can't be read, nothing.
        first_run_id: of its chain.
        successor: the run that follows it; empty if none does.
    """

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
    notes: Notes = NO_NOTES
    options: RunOptions = RunOptions()
    first_run_id: str = ""
    successor: str = ""
    pending_children: tuple[PendingChildInfo, ...] = ()
    pending_messages: tuple[PendingMessageInfo, ...] = ()


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
    notes: Notes = NO_NOTES


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


def schedule_not_found(schedule_id: str, namespace: str) -> RPCError:
    """There is no such schedule."""
    return RPCError(
        f"schedule not found for ID: {schedule_id} in namespace {namespace!r}; check the id and the database",
        RPCStatusCode.NOT_FOUND,
    )


class ScheduleRequest(msgspec.Struct, frozen=True):
    """Make a schedule, and do at once what ``patch`` says; the definition is a checked one."""

    namespace: str
    schedule_id: str
    definition: Definition
    patch: Patch = Patch()
    memo: dict[str, Payload] | None = None


class ScheduleDescribed(msgspec.Struct, frozen=True):
    """A schedule as it stands on disk, and when it is due next."""

    record: ScheduleRecord
    next_times: tuple[datetime, ...]


class SchedulePage(msgspec.Struct, frozen=True):
    """Some schedules in order of their ids; without ``next_after`` they are the last."""

    schedules: tuple[ScheduleDescribed, ...]
    next_after: str = ""


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
            SearchAttributeTypeError, SearchAttributeLimitError: its search attributes can't be what they are given as.
        """
        ...

    async def signal(
        self, target: Target, name: str, input: tuple[Payload, ...], request_id: str = "", headers: Headers = None
    ) -> None:
        """Deliver a signal durably."""
        ...

    async def query(
        self,
        target: Target,
        name: str,
        input: tuple[Payload, ...],
        reject: QueryRejectCondition | None,
        timeout: float | None,
        headers: Headers = None,
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

    async def settle_activity(self, activity: ActivityTarget, report: ActivityReport) -> None:
        """End the attempt of an activity from outside, durably.

        Raises:
            ActivityNotRunningError, StaleAttemptError: that attempt does not run, and was not left open.
            RPCError: INVALID_ARGUMENT: it is said to be cancelled, and nobody asked for that.
        """
        ...

    async def beat_activity(self, activity: ActivityTarget, details: tuple[Payload, ...]) -> bool:
        """Say that an attempt is alive; True if its workflow wants it stopped. Raises as `settle_activity`."""
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

    async def create_schedule(self, request: ScheduleRequest) -> None:
        """Make a schedule durably; what its patch asks for is under way when this returns.

        Raises:
            ScheduleAlreadyRunningError: there is one of this id.
        """
        ...

    async def describe_schedule(self, namespace: str, schedule_id: str) -> ScheduleDescribed:
        """A schedule as it stands on disk."""
        ...

    async def list_schedules(self, namespace: str, after: str, limit: int) -> SchedulePage:
        """Schedules whose ids come after that one."""
        ...

    async def update_schedule(self, namespace: str, schedule_id: str, definition: Definition, revision: int) -> None:
        """Let a schedule do something else from now on; the definition is a checked one.

        Raises:
            RPCError: ABORTED: it is not of that revision any more.
        """
        ...

    async def patch_schedule(self, namespace: str, schedule_id: str, patch: Patch) -> None:
        """Ask something of a schedule durably; the first of it is under way when this returns."""
        ...

    async def delete_schedule(self, namespace: str, schedule_id: str) -> None:
        """Remove a schedule durably; what it started goes on."""
        ...
