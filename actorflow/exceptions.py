"""Every error a program or a caller can meet; the failure classes follow the Temporal Python SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, Final


class ActorflowError(Exception):
    """Root of every error actorflow raises on purpose."""


class TemporalError(ActorflowError):
    """The public SDK's name for its root error: whatever it raises, and we do, can be caught by it."""

    @property
    def cause(self) -> BaseException | None:
        """What is behind this error (``__cause__``), or None."""
        return self.__cause__


class FailureError(TemporalError):
    """An outcome that fails a workflow execution (any other exception fails only the turn and is retried).

    Args:
        message: what happened, for people.
        failure: accepted for ported programs, and kept as `failure`.
        exc_args: what ``args`` and ``str`` show, if not the message.
    """

    def __init__(self, message: str, *, failure: Any = None, exc_args: tuple[Any, ...] | None = None) -> None:
        super().__init__(*((message,) if exc_args is None else exc_args))
        self._message = message
        self._failure = failure
        self._stack_trace: str = ""

    @property
    def message(self) -> str:
        """The message without the type in front of it."""
        return self._message

    @property
    def failure(self) -> Any:
        """What was given as ``failure``; actorflow itself gives nothing."""
        return self._failure

    @property
    def stack_trace(self) -> str:
        """Traceback text recorded where the failure happened; empty if it never left this process."""
        return self._stack_trace


class ApplicationErrorCategory(IntEnum):
    """How loudly an application error is reported."""

    UNSPECIFIED = 0
    BENIGN = 1


class ApplicationError(FailureError):
    """A failure in the words of the application.

    Args:
        message: what happened.
        details: values for programs; they travel through the data converter.
        type: a name that retry policies and callers can match on.
        non_retryable: True if another attempt can't help.
        next_retry_delay: overrides the retry policy's back-off for the next attempt.
        category: BENIGN keeps an expected failure out of the warning log.
    """

    def __init__(
        self,
        message: str,
        *details: Any,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: timedelta | None = None,
        category: ApplicationErrorCategory = ApplicationErrorCategory.UNSPECIFIED,
    ) -> None:
        super().__init__(message, exc_args=(f"{type}: {message}" if type else message,))
        self._details = details
        self._type = type
        self._non_retryable = non_retryable
        self._next_retry_delay = next_retry_delay
        self._category = category

    @property
    def details(self) -> Sequence[Any]:
        """Values given with the failure, decoded."""
        return self._details

    @property
    def type(self) -> str | None:
        """The name retry policies match on."""
        return self._type

    @property
    def non_retryable(self) -> bool:
        """True if another attempt can't help."""
        return self._non_retryable

    @property
    def next_retry_delay(self) -> timedelta | None:
        """Wait this long before the next attempt, whatever the policy says."""
        return self._next_retry_delay

    @property
    def category(self) -> ApplicationErrorCategory:
        """How loudly the failure is reported."""
        return self._category


class CancelledError(FailureError):
    """An execution or an activity ended because somebody asked it to.

    Not asyncio's: that one means "this await is cancelled", this one is an outcome.
    """

    def __init__(self, message: str = "Cancelled", *details: Any) -> None:
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """Values recorded with the cancellation."""
        return self._details


class TerminatedError(FailureError):
    """An execution was ended from outside without asking its program."""

    def __init__(self, message: str, *details: Any) -> None:
        super().__init__(message)
        self._details = details

    @property
    def details(self) -> Sequence[Any]:
        """Values given with the termination."""
        return self._details


class TimeoutType(IntEnum):
    """Which clock ran out."""

    START_TO_CLOSE = 1
    SCHEDULE_TO_START = 2
    SCHEDULE_TO_CLOSE = 3
    HEARTBEAT = 4


class TimeoutError(FailureError):
    """A timeout of an activity or an execution ran out.

    Args:
        message: what timed out.
        type: which clock.
        last_heartbeat_details: the last details the activity recorded.
    """

    def __init__(
        self,
        message: str,
        *,
        type: TimeoutType | None,
        last_heartbeat_details: Sequence[Any] = (),
    ) -> None:
        super().__init__(message)
        self._type = type
        self._last_heartbeat_details = last_heartbeat_details

    @property
    def type(self) -> TimeoutType | None:
        """Which clock ran out."""
        return self._type

    @property
    def last_heartbeat_details(self) -> Sequence[Any]:
        """The last details the activity recorded before the timeout."""
        return self._last_heartbeat_details


class ServerError(FailureError):
    """A failure of the runtime itself rather than of user code."""

    def __init__(self, message: str, *, non_retryable: bool = False) -> None:
        super().__init__(message)
        self._non_retryable = non_retryable

    @property
    def non_retryable(self) -> bool:
        """True if another attempt can't help."""
        return self._non_retryable


class RetryState(IntEnum):
    """Why an activity or a child was not tried again."""

    IN_PROGRESS = 1
    NON_RETRYABLE_FAILURE = 2
    TIMEOUT = 3
    MAXIMUM_ATTEMPTS_REACHED = 4
    RETRY_POLICY_NOT_SET = 5
    INTERNAL_SERVER_ERROR = 6
    CANCEL_REQUESTED = 7


class ActivityError(FailureError):
    """An activity did not complete; ``cause`` says why.

    Raised inside the workflow where the activity is awaited.
    """

    def __init__(
        self,
        message: str,
        *,
        scheduled_event_id: int,
        started_event_id: int,
        identity: str,
        activity_type: str,
        activity_id: str,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self._scheduled_event_id = scheduled_event_id
        self._started_event_id = started_event_id
        self._identity = identity
        self._activity_type = activity_type
        self._activity_id = activity_id
        self._retry_state = retry_state

    @property
    def scheduled_event_id(self) -> int:
        """Number of the event that scheduled the activity."""
        return self._scheduled_event_id

    @property
    def started_event_id(self) -> int:
        """Number of the event that started the last attempt; 0 if it never started."""
        return self._started_event_id

    @property
    def identity(self) -> str:
        """Who ran the last attempt."""
        return self._identity

    @property
    def activity_type(self) -> str:
        """Registered name of the activity."""
        return self._activity_type

    @property
    def activity_id(self) -> str:
        """Id of the activity within its workflow execution."""
        return self._activity_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why it was not tried again."""
        return self._retry_state


class ChildWorkflowError(FailureError):
    """A child workflow did not complete; ``cause`` says why.

    Raised inside the parent where the child is awaited.
    """

    def __init__(
        self,
        message: str,
        *,
        namespace: str,
        workflow_id: str,
        run_id: str,
        workflow_type: str,
        initiated_event_id: int,
        started_event_id: int,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self._namespace = namespace
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._workflow_type = workflow_type
        self._initiated_event_id = initiated_event_id
        self._started_event_id = started_event_id
        self._retry_state = retry_state

    @property
    def namespace(self) -> str:
        """Of the child."""
        return self._namespace

    @property
    def workflow_id(self) -> str:
        """Of the child."""
        return self._workflow_id

    @property
    def run_id(self) -> str:
        """Of the child's first run; empty if it never began."""
        return self._run_id

    @property
    def workflow_type(self) -> str:
        """Of the child."""
        return self._workflow_type

    @property
    def initiated_event_id(self) -> int:
        """Number of the parent's event that asked for the child."""
        return self._initiated_event_id

    @property
    def started_event_id(self) -> int:
        """Number of the parent's event that says the child has begun; 0 if it has not."""
        return self._started_event_id

    @property
    def retry_state(self) -> RetryState | None:
        """Why it was not tried again."""
        return self._retry_state


class RegistrationError(ActorflowError, TypeError, ValueError):
    """A worker can't register what it was given: two definitions of one name, or a sync activity without an executor.

    Both a `TypeError` and a `ValueError`: programs ported from elsewhere catch either.
    """


class UnsupportedOptionError(ActorflowError, ValueError):
    """An option of the public SDK that can't be honoured here, and would mislead if it were ignored."""

    def __init__(self, option: str, why: str, instead: str = "leave it out") -> None:
        super().__init__(f"{option} is not supported: {why}; {instead}")
        self.option = option


class AddressError(ActorflowError, ValueError):
    """An address that leads nowhere: of no known kind, malformed, or of something that is not there."""

    def __init__(self, address: object, why: str) -> None:
        super().__init__(f"can't connect to {address!r}: {why}")
        self.address = address
        self.why = why


class BindAddressError(ActorflowError, ValueError):
    """An address where nobody can listen, because it is none."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"bind_address {address!r} is no address to listen at; it is a host and a port, such as 127.0.0.1:9000, "
            "[::1]:9000 or 0.0.0.0:0 (any port that is free)"
        )
        self.address = address


class EnvironmentConfigError(ActorflowError, ValueError, RuntimeError):
    """A configuration file, or a variable of the environment, that can't be understood.

    Both a `ValueError` and, as in the public SDK, a `RuntimeError`.

    Attributes:
        source: the file, or the variable.
        field: which part of it, such as ``profile.default.address``; empty if it is about all of it.
        line: where in the file, from 1; None if that is unknown.
    """

    def __init__(self, source: str, why: str, *, field: str = "", line: int | None = None) -> None:
        where = "".join((f", line {line}" if line else "", f", {field}" if field else ""))
        super().__init__(f"{source}{where}: {why}")
        self.source = source
        self.field = field
        self.line = line


class WorkflowAlreadyStartedError(FailureError):
    """A workflow id is taken: an open run has it, or the reuse policy forbids another run.

    ``first_run_id`` is the first run of the chain ``run_id`` belongs to, where that is known.
    """

    def __init__(
        self, workflow_id: str, workflow_type: str, *, run_id: str | None = None, first_run_id: str | None = None
    ) -> None:
        whose = f"run {run_id}" if run_id else "another one"
        super().__init__(
            f"Workflow execution already started: {workflow_id!r} belongs to {whose} of type {workflow_type!r}; "
            "choose another id, or look at the policies of conflict and reuse"
        )
        self.workflow_id = workflow_id
        self.workflow_type = workflow_type
        self.run_id = run_id
        self.first_run_id = first_run_id


_FIX_THE_CODE: Final = "fix the workflow code and start the process again"
_REMEDY_BY_KIND: Final = {"codec": "it goes on by itself once it can"}


class WorkflowParkedError(ActorflowError):
    """An execution can't go on until code or an operator changes something; its status stays RUNNING.

    ``__cause__`` is the exception its program raised. Nothing is lost: messages are kept, and the execution goes on
    by itself when the process starts with code that works.
    """

    def __init__(self, workflow_id: str, run_id: str, reason: str) -> None:
        super().__init__(
            f"workflow {workflow_id!r} (run {run_id}) is parked: {reason}; "
            f"{_REMEDY_BY_KIND.get(reason.partition(':')[0], _FIX_THE_CODE)}, or terminate the execution"
        )
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.reason = reason


class RestrictedWorkflowAccessError(TemporalError):
    """Workflow code tried what replay could not repeat: I/O, or in development mode the clock, chance or a thread.

    The turn fails, also if the code catches this: it is a mistake in the code, and nothing of the turn counts. The run
    goes on with code that has been repaired.

    Args:
        qualified_name: what was tried, such as "time.sleep" or "open".
        detail: of what was tried, such as the file's name; may be empty.
        line: where in the workflow code.
        instead: what to do, as the end of a sentence.
    """

    def __init__(self, qualified_name: str, *, detail: str = "", line: str, instead: str) -> None:
        tried = f"{qualified_name} ({detail})" if detail else qualified_name
        super().__init__(
            f"workflow code tried {tried} at {line}, which replay could not repeat; {instead}, or lift the guard for a "
            "block that is harmless: with workflow.unsafe.sandbox_unrestricted()"
        )
        self.qualified_name = qualified_name
        self.line = line
        self.instead = instead


class PayloadError(ActorflowError):
    """A value can't be encoded, or stored bytes can't be decoded into the type the code declares."""


class PayloadTooLargeError(PayloadError):
    """An encoded value, or all of one call, is over the hard limit; nothing was written.

    An activity that raises it fails without another try, since it would do the same again.
    """

    def __init__(
        self,
        what: str,
        *,
        size: int,
        limit: int,
        advice: str = "store it elsewhere (a file, an object store) and pass a reference",
    ) -> None:
        super().__init__(f"{what} takes {size:,} bytes encoded, over the limit of {limit:,}; {advice}")
        self.size = size
        self.limit = limit


class CodecError(PayloadError):
    """The codec can't encode or decode payloads: a wrong or missing key, most often. Nothing is lost.

    An execution that meets it is parked and goes on by itself once the codec can; a call that meets it did nothing.

    Args:
        codec: the name of its class.
        what: "encode" or "decode".
        reason: what it raised.
    """

    def __init__(self, codec: str, what: str, reason: str) -> None:
        super().__init__(
            f"the codec {codec} can't {what} payloads: {reason}; give the client the codec and the keys they were "
            "written with"
        )
        self.codec = codec
        self.what = what


class UnknownEncodingError(CodecError):
    """A payload has an encoding that the data converter here doesn't know: most often, a codec was left out.

    It is met as a codec that can't is: an execution or an activity waits, and nothing is lost.
    """

    def __init__(self, encoding: str) -> None:
        PayloadError.__init__(
            self,
            f"a payload has the encoding {encoding!r}, which this converter doesn't know; "
            "give the client the data converter (and its codec) that wrote it",
        )
        self.codec = f"a converter that knows {encoding!r}"
        self.what = "decode"
        self.encoding = encoding


class StorageError(ActorflowError):
    """The store can't do what was asked; the message names the file and the remedy."""


class StorageFullError(StorageError):
    """The disk is full. What was decided is kept and written as soon as there is space; new work is refused."""


class StorageBusyError(StorageError):
    """Somebody else holds a lock on the database file."""


class StorageOwnedError(StorageError):
    """Another process, loop or thread owns the database file."""


class StorageFailedError(StorageError):
    """The store failed in a way that can't be retried (I/O error, lost ownership, journal behind its acknowledgements).

    The engine has stopped: every call raises, nothing more is acknowledged. Restart to read the disk again.
    """


class NotOurFileError(StorageError):
    """The path is not an actorflow database (or is a directory, or can't be written). It was left as it is."""


class MissingFileError(NotOurFileError):
    """There is no file at the path. Nothing was created."""


class OlderSchemaError(StorageError):
    """The database was written by an older version, and can't be read before it was opened for writing once."""


class NewerSchemaError(StorageError):
    """The database was written by a newer version of actorflow. It was left as it is."""


class CorruptJournalError(StorageError):
    """A journal row does not match its checksum, or rows are missing."""


class ListFilterError(ActorflowError):
    """A list filter can't be understood; the message shows where.

    Attributes:
        position: index (from 0) of the character where it stops making sense.
        found: what is wrong there.
        expected: what would have made sense.
        nearest: the known name that looks most like the one found, or empty.
    """

    def __init__(self, query: str, position: int, found: str, expected: str, nearest: str = "") -> None:
        hint = f"did you mean {nearest}? Expected" if nearest else "expected"
        super().__init__(f"{found} at position {position}; {hint} {expected}\n{_pointed_out(query, position)}")
        self.position = position
        self.found = found
        self.expected = expected
        self.nearest = nearest


_EXCERPT_BEFORE, _EXCERPT_AFTER = 50, 30


def _pointed_out(query: str, position: int) -> str:
    """The part of a query around a position, in one line that a terminal can show, and a caret below it."""
    start, end = max(0, position - _EXCERPT_BEFORE), position + _EXCERPT_AFTER
    before, after = "…" if start else "", "…" if end < len(query) else ""
    excerpt = "".join(character if character.isprintable() else " " for character in query[start:end])
    return f"  {before}{excerpt}{after}\n  {' ' * (len(before) + position - start)}^"


class ListTimeoutError(ActorflowError):
    """A list filter has to look at too many executions; the query was ended, nothing else was harmed."""

    def __init__(self, timeout: timedelta) -> None:
        super().__init__(
            "the query looked at too many executions, or waited for others that do, and was ended after "
            f"{timeout.total_seconds():g} s; narrow it down with WorkflowId, WorkflowType or ExecutionStatus, or with "
            "a range of StartTime"
        )
        self.timeout = timeout


class PageTokenError(ActorflowError):
    """A page token was not made by this store for this query."""

    def __init__(self) -> None:
        super().__init__(
            "the page token does not belong to this query; pass the next_page_token of a page of the same query and "
            "namespace, unchanged, or none to begin at the first page"
        )


class ScheduleSpecError(ActorflowError, ValueError):
    """A part of a schedule can't be understood, or can't come true.

    Attributes:
        field: which part, such as ``cron_expressions[0]`` or ``intervals[1].offset``.
        value: what was given.
        reason: why it is refused.
    """

    def __init__(self, field: str, value: str, reason: str) -> None:
        super().__init__(f"{field} {value!r} is refused: {reason}")
        self.field = field
        self.value = value
        self.reason = reason


class ScheduleAlreadyRunningError(TemporalError):
    """A schedule of this id exists."""

    def __init__(self, schedule_id: str = "") -> None:
        named = f" {schedule_id!r}" if schedule_id else ""
        super().__init__(f"schedule{named} is already running; update or delete it, or choose another id")
        self.schedule_id = schedule_id


class SearchAttributeTypeError(ActorflowError, TypeError):
    """A search attribute has another type in its namespace than the one it was given as.

    The first use of a name decides its type, for good.
    """

    def __init__(self, whom: str, name: str, *, namespace: str, declared: str, given: str) -> None:
        super().__init__(
            f"{whom}: search attribute {name!r} is of type {declared} in namespace {namespace!r}, but was given as "
            f"{given}; give it as {declared}, or choose another name"
        )
        self.name = name
        self.namespace = namespace
        self.declared = declared
        self.given = given


class SearchAttributeLimitError(ActorflowError):
    """A namespace has as many names of search attributes as it may."""

    def __init__(self, whom: str, namespace: str, *, limit: int) -> None:
        super().__init__(
            f"{whom}: namespace {namespace!r} can have no more than {limit} search attributes; use names that are "
            "there, and put what differs from run to run into their values"
        )
        self.namespace = namespace
        self.limit = limit


class HistoryFormatError(ActorflowError, ValueError):
    """A history that was given to be read is none, is damaged, or holds what actorflow doesn't know."""


class MailboxFullError(ActorflowError):
    """An execution holds as many unprocessed messages as it may."""

    def __init__(self, workflow_id: str, *, limit: int) -> None:
        super().__init__(f"workflow {workflow_id!r} holds {limit} unprocessed messages; wait until it has caught up")
        self.workflow_id = workflow_id
        self.limit = limit


class ProcessDiedError(ActorflowError):
    """The process in which an activity ran is gone; whether the activity took effect is unknown."""

    def __init__(self, pid: int, exit_code: int | None) -> None:
        how = f"by signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"with exit code {exit_code}"
        super().__init__(
            f"process {pid} ended {how} while it ran this activity; other activities are not affected, another process "
            "takes its place"
        )
        self.pid = pid
        self.exit_code = exit_code


class ReadOnlyError(ActorflowError):
    """A client that only looks at a journal was asked for what needs the journal's owner."""


class EngineStoppedError(ActorflowError):
    """The engine behind this client is closed or has failed; connect again."""


class PortUnavailableError(ActorflowError):
    """A server of ours can't listen where it was told to."""

    def __init__(self, addr: str, port: int, reason: str) -> None:
        super().__init__(f"can't listen on {addr}:{port}: {reason}; choose another port, or 0 for any that is free")
        self.addr = addr
        self.port = port
        self.reason = reason


def is_cancelled_exception(exception: BaseException) -> bool:
    """True if an exception means cancellation: asyncio's, ours, an activity's or a child's due to one, or a group."""
    match exception:
        case asyncio.CancelledError() | CancelledError():
            return True
        case ActivityError() | ChildWorkflowError():
            return isinstance(exception.cause, CancelledError)
        case BaseExceptionGroup(exceptions=members):
            return all(is_cancelled_exception(member) for member in members)
        case _:
            return False
