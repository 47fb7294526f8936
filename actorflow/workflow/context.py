"""What a running workflow can ask about itself and about time, chance and identity."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Flag
from random import Random
from typing import Any
from uuid import UUID

from actorflow.api.common.v1 import Payload
from actorflow.common import Priority, RetryPolicy, SearchAttributes, TypedSearchAttributes
from actorflow.converter import PayloadConverter, public_headers, public_payload, text_of
from actorflow.core import limits
from actorflow.core.definitions import DYNAMIC
from actorflow.core.guard import is_lifted
from actorflow.core.notes import typed_shown, untyped_shown
from actorflow.core.policy.retry import policy_from
from actorflow.core.program import Program, ProgramLoop, determinism
from actorflow.core.program.updates import UpdateInfo, current_update
from actorflow.exceptions import TemporalError
from actorflow.metering import MetricMeter


class NotInWorkflowError(TemporalError, RuntimeError):
    """Something that only works inside a workflow was used outside one."""


def running_program() -> Program:
    """The program whose turn it is.

    Raises:
        NotInWorkflowError: no workflow code is running here.
    """
    loop = asyncio._get_running_loop()
    if type(loop) is not ProgramLoop:
        raise NotInWorkflowError("Not in workflow event loop: this only works inside a running workflow")
    return loop.program  # pyright: ignore[reportReturnType]


def in_workflow() -> bool:
    """True inside workflow code (handlers and queries too)."""
    return type(asyncio._get_running_loop()) is ProgramLoop


@dataclass(frozen=True)
class ParentInfo:
    """The execution whose child this one is."""

    namespace: str
    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class RootInfo:
    """The execution at the top of the tree of children."""

    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class Info:
    """About the execution; instants are UTC.

    Attributes:
        attempt: 1, or more if this is a retry of the workflow.
        continued_run_id: the run this one follows, if it does.
        cron_schedule: by which it is run again and again.
        execution_timeout: of the whole chain of runs.
        first_execution_run_id: the first run of the chain.
        headers: what interceptors have passed on with the start.
        parent: whose child it is; None for others.
        priority: none, whatever was wished for: see `Priority`.
        raw_memo: the memo as it is now, encoded; see ``workflow.memo`` and ``workflow.memo_value``.
        retry_policy: what follows a failure.
        root: of the tree of children; None for a root.
        run_timeout: of this run.
        search_attributes: as they are now, as lists by name.
        start_time: when this run was started.
        task_timeout: as it was given; turns can't be interrupted.
        typed_search_attributes: as they are now.
        workflow_start_time: the same as ``start_time``, under a later name of the public API.
    """

    attempt: int
    continued_run_id: str | None
    cron_schedule: str | None
    execution_timeout: timedelta | None
    first_execution_run_id: str
    headers: Mapping[str, Payload]
    namespace: str
    parent: ParentInfo | None
    priority: Priority
    raw_memo: Mapping[str, Payload]
    retry_policy: RetryPolicy | None
    root: RootInfo | None
    run_id: str
    run_timeout: timedelta | None
    search_attributes: SearchAttributes
    start_time: datetime
    task_queue: str
    task_timeout: timedelta
    typed_search_attributes: TypedSearchAttributes
    workflow_id: str
    workflow_start_time: datetime
    workflow_type: str
    _program: Program

    def get_current_history_length(self) -> int:
        """Events of the history before the decisions of this turn."""
        return self._program.history_length

    def get_current_history_size(self) -> int:
        """Bytes of the journal before this turn."""
        return self._program.history_bytes

    def is_continue_as_new_suggested(self) -> bool:
        """True once the history is so long that the workflow should continue as new."""
        return (
            self._program.history_length >= limits.HISTORY_EVENTS_SUGGESTED_MAX
            or self._program.history_bytes >= limits.HISTORY_BYTES_SUGGESTED_MAX
        )


def info() -> Info:
    """About the execution that is running."""
    program = running_program()
    return info_of(program) if program.workflow.interception is None else program.workflow.interception.outbound.info()


def info_of(program: Program) -> Info:
    """What `info` says where no interceptor says something else."""
    identity, options = program.identity, program.options
    parent, root, notes = options.parent, options.root, program.notes
    return Info(
        attempt=options.attempt,
        continued_run_id=options.continued_run_id or None,
        cron_schedule=options.cron or None,
        execution_timeout=options.execution_timeout,
        first_execution_run_id=options.first_run_id or identity.run_id,
        headers=public_headers(options.headers),
        namespace=identity.namespace,
        parent=None if parent is None else ParentInfo(parent.namespace, parent.run_id, parent.workflow_id),
        priority=Priority.default,
        raw_memo={name: public_payload(payload) for name, payload in notes.memo.items()},
        retry_policy=None if options.retry is None else policy_from(options.retry),
        root=None if root is None else RootInfo(root.run_id, root.workflow_id),
        run_id=identity.run_id,
        run_timeout=options.run_timeout,
        search_attributes=untyped_shown(notes.attributes),
        start_time=identity.started_at,
        task_queue=identity.task_queue,
        task_timeout=options.task_timeout or limits.TASK_TIMEOUT_SHOWN,
        typed_search_attributes=typed_shown(notes.attributes),
        workflow_id=identity.workflow_id,
        workflow_start_time=identity.started_at,
        workflow_type=identity.workflow_type,
        _program=program,
    )


def extern_functions() -> Mapping[str, Callable[..., Any]]:
    """What interceptors have put into `WorkflowInterceptorClassInput.unsafe_extern_functions`, by its name."""
    interception = running_program().workflow.interception
    return {} if interception is None else interception.extern_functions


def instance() -> Any:
    """The workflow object."""
    return running_program().workflow.instance


def now() -> datetime:
    """The time of this turn (aware, UTC): constant within it, the same on replay."""
    return running_program().loop.now


def time() -> float:
    """`now` in seconds since the epoch."""
    return running_program().loop.time()


def time_ns() -> int:
    """`now` in nanoseconds since the epoch."""
    return running_program().loop.time_ns()


def random() -> Random:
    """A source of chance that gives the same numbers on replay and others in every run."""
    return running_program().random


def random_seed() -> int:
    """What `random` began with: the same on replay, another in every run."""
    return running_program().random_seed


def new_random(name: str | None = None) -> Random:
    """A source of chance of its own, so that its numbers don't depend on how often `random` was asked.

    Args:
        name: sources of different names give different numbers; without one it gives those of `random`.

    Raises:
        ReadOnlyContextError: inside a query or a validator.
    """
    program = running_program()
    program.mode.check_writable("use randomness")
    return Random(program.random_seed if name is None else f"{program.random_seed}:{name}")


def register_random_seed_callback(callback: Callable[[int], None]) -> None:
    """Ask to be told when the run gets another seed. A run keeps the one it began with, so nobody is ever told.

    Args:
        callback: would be given the new seed.

    Raises:
        ReadOnlyContextError: inside a query or a validator.
    """
    running_program().mode.check_writable("register a callback")


def uuid4() -> UUID:
    """A random UUID that is the same on replay."""
    return determinism.uuid4_from(running_program().random)


def uuid7() -> UUID:
    """A time-ordered UUID of this turn that is the same on replay."""
    program = running_program()
    return determinism.uuid7_from(program.random, int(program.loop.time() * 1000))


def metric_meter() -> MetricMeter:
    """Makes metrics of the workflow's own, served together with those of actorflow; silent on replay.

    Their values carry the namespace, the task queue and the type of the workflow. What a turn counts that can't be
    finished is counted again when it is tried again.
    """
    program = running_program()
    identity = program.identity
    attributes = {
        "namespace": identity.namespace,
        "task_queue": identity.task_queue,
        "workflow_type": identity.workflow_type,
    }
    return MetricMeter(program.record, attributes)


def cancellation_reason() -> str | None:
    """Why the execution was asked to stop; None until it was, "" if no reason was given."""
    return running_program().ending.cancel_reason


async def sleep(duration: float | timedelta, *, summary: str | None = None) -> None:
    """Wait for a durable timer.

    Args:
        duration: seconds or timedelta; 0 makes a timer too.
        summary: one line for people who look at the history.

    Raises:
        RuntimeError: the duration is negative.
    """
    program = running_program()
    future = program.loop.create_future()
    cancel = program.timers.start(seconds_of(duration), lambda: _wake(future), text_of(summary or ""))
    try:
        await future
    finally:
        cancel()


async def wait_condition(
    fn: Callable[[], bool], *, timeout: timedelta | float | None = None, timeout_summary: str | None = None
) -> None:
    """Wait until a condition holds. It is looked at whenever everything else in the workflow has come to rest.

    Args:
        fn: the condition; must not change anything.
        timeout: give up after this long (seconds or timedelta).
        timeout_summary: one line for people about the timeout's timer.

    Raises:
        TimeoutError: the timeout ran out first.
    """
    program = running_program()
    future = program.conditions.future_for(fn)
    if timeout is None:
        await future
        return
    seconds = seconds_of(timeout)
    if seconds <= 0:  # asyncio.wait_for's rule: no timer, one chance for others
        future.cancel()
        await asyncio.sleep(0)
        raise TimeoutError
    cancel = program.timers.start(seconds, lambda: _time_out(future), text_of(timeout_summary or ""))
    try:
        await future
    finally:
        cancel()


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set (or with None remove) the handler of a signal; signals that waited for it are handled in order."""
    running_program().handling.set_signal_handler(name, handler)


def set_query_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Set (or with None remove) the handler of a query."""
    running_program().handling.set_query_handler(name, handler)


def set_update_handler(
    name: str, handler: Callable[..., Any] | None, *, validator: Callable[..., Any] | None = None
) -> None:
    """Set (or with None remove) the handler of an update, and what may reject it."""
    running_program().handling.set_update_handler(name, handler, validator)


def set_dynamic_signal_handler(handler: Callable[..., Any] | None) -> None:
    """Set (or with None remove) what handles signals nobody else does, as (name, raw values)."""
    running_program().handling.set_signal_handler(DYNAMIC, handler)


def set_dynamic_query_handler(handler: Callable[..., Any] | None) -> None:
    """Set (or with None remove) what answers queries nobody else does, as (name, raw values)."""
    running_program().handling.set_query_handler(DYNAMIC, handler)


def set_dynamic_update_handler(
    handler: Callable[..., Any] | None, *, validator: Callable[..., Any] | None = None
) -> None:
    """Set (or with None remove) what handles updates nobody else does, as (name, raw values)."""
    running_program().handling.set_update_handler(DYNAMIC, handler, validator)


def get_signal_handler(name: str) -> Callable[..., Any] | None:
    """The handler of that signal, of the class (bound) or set at run time; None if none has exactly that name."""
    return running_program().workflow.handler("signal", name)


def get_query_handler(name: str) -> Callable[..., Any] | None:
    """The handler of that query, see `get_signal_handler`."""
    return running_program().workflow.handler("query", name)


def get_update_handler(name: str) -> Callable[..., Any] | None:
    """The handler of that update, see `get_signal_handler`."""
    return running_program().workflow.handler("update", name)


def get_dynamic_signal_handler() -> Callable[..., Any] | None:
    """What handles signals nobody else does, or None."""
    return running_program().workflow.handler("signal", DYNAMIC)


def get_dynamic_query_handler() -> Callable[..., Any] | None:
    """What answers queries nobody else does, or None."""
    return running_program().workflow.handler("query", DYNAMIC)


def get_dynamic_update_handler() -> Callable[..., Any] | None:
    """What handles updates nobody else does, or None."""
    return running_program().workflow.handler("update", DYNAMIC)


def get_current_details() -> str:
    """What `set_current_details` was told last, or ""."""
    return running_program().current_details


def set_current_details(description: str) -> None:
    """Say what the workflow is doing now, for people; the query ``__temporal_workflow_metadata`` shows it.

    Args:
        description: text, in Markdown if you like.

    Raises:
        ReadOnlyContextError: inside a query or a validator.
    """
    running_program().set_current_details(description)


def is_failure_exception(err: BaseException) -> bool:
    """True for an exception that fails this workflow if it leaves ``run``, False for one that fails only the turn."""
    return running_program().ending.is_failure(err)


def payload_converter() -> PayloadConverter:
    """Decodes raw values, such as those of dynamic handlers."""
    return running_program().converter.payload_converter


def all_handlers_finished() -> bool:
    """True if no handler of a signal or an update is running; wait for it before the workflow ends::

    await workflow.wait_condition(workflow.all_handlers_finished)
    """
    return running_program().are_handlers_finished


def current_update_info() -> UpdateInfo | None:
    """The update whose validator or handler is running here, also in tasks it makes; None in ``run`` and elsewhere."""
    running_program()
    return current_update.get()


def seconds_of(duration: float | timedelta) -> float:
    """Seconds of a duration.

    Raises:
        RuntimeError: it is negative.
    """
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    if seconds < 0:
        raise RuntimeError(f"a duration must not be negative, but is {seconds} s")
    return seconds  # whether it can be waited for is checked where its timer starts


def _wake(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(None)


def _time_out(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


class SandboxImportNotificationPolicy(Flag):
    """What a sandbox says about imports; accepted for ported programs, since nothing is imported again here."""

    SILENT = 1
    WARN_ON_DYNAMIC_IMPORT = 2
    WARN_ON_UNINTENTIONAL_PASSTHROUGH = 4
    RAISE_ON_UNINTENTIONAL_PASSTHROUGH = 8


class unsafe:
    """Ways around the rules of workflow code; use them knowingly."""

    @staticmethod
    def is_replaying() -> bool:
        """True while the program is rebuilt from its journal, and while it is taken apart."""
        return running_program().mode.is_replaying

    @staticmethod
    def is_replaying_history_events() -> bool:
        """As `is_replaying`, which is False in queries and validators here: they are always live."""
        return running_program().mode.is_replaying

    @staticmethod
    def is_read_only() -> bool:
        """True inside a query."""
        return running_program().mode.is_read_only

    @staticmethod
    def in_sandbox() -> bool:
        """Always False: a guard keeps watch, but nothing is imported again."""
        return False

    @staticmethod
    @contextmanager
    def imports_passed_through() -> Generator[None]:
        """Accepted for ported programs; imports are always ordinary here."""
        yield

    @staticmethod
    def is_imports_passed_through() -> bool:
        """Always True: imports are ordinary."""
        return True

    @staticmethod
    def is_sandbox_unrestricted() -> bool:
        """True if the guard is lifted here, or there is none: in `sandbox_unrestricted`, in definitions with
        ``sandboxed=False``, and outside workflow code."""
        return not in_workflow() or is_lifted.get() or not running_program().definition.guard.is_on

    @staticmethod
    def current_import_notification_policy_override() -> SandboxImportNotificationPolicy | None:
        """Always None: there is no sandbox that would say anything."""
        return None

    @staticmethod
    @contextmanager
    def sandbox_import_notification_policy(policy: SandboxImportNotificationPolicy) -> Generator[None]:
        """Accepted for ported programs; there is no sandbox that would say anything."""
        yield

    @staticmethod
    @contextmanager
    def sandbox_unrestricted() -> Generator[None]:
        """Lift the guard for a block, and for the tasks it makes: it may do I/O, and ask for the time and for chance.

        Whatever comes of it must not change what the workflow does: replay runs the block again.
        """
        was_lifted = is_lifted.get()
        is_lifted.set(True)
        try:
            yield
        finally:
            is_lifted.set(was_lifted)
