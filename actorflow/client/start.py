"""How a workflow is named and started by a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Required, TypedDict

import msgspec

from actorflow.common import (
    Priority,
    RetryPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from actorflow.converter import ValueConverter
from actorflow.core.events import RunOptions
from actorflow.core.notes import attributes_given
from actorflow.core.policy.checks import check_name, check_text, check_timeout
from actorflow.core.policy.cron import check_cron
from actorflow.core.policy.retry import rule_from
from actorflow.core.state import NO_OPTIONS
from actorflow.service import RPCError, RPCStatusCode


class StartOptions(TypedDict, total=False):
    """How an execution is started.

    ``task_queue`` says whose workers run it; it may be left out where the client has one of its own.
    ``id_reuse_policy`` speaks about closed runs of the id, ``id_conflict_policy`` about an open one. Repeat a call
    whose outcome you don't know with the same ``request_id``, and it starts once. With ``start_signal`` a new execution
    gets that signal before anything of it runs, and an open one gets it, too, instead of being in the way.

    ``execution_timeout`` bounds the whole chain of runs (retries, runs of a cron, runs that continue others),
    ``run_timeout`` each of them; ``task_timeout`` is shown to programs that ask, turns have none. ``retry_policy``
    says whether a failed run is followed by another, ``cron_schedule`` when one follows in any case, such as
    ``0 12 * * MON`` or ``@every 90s`` (in UTC, or with ``CRON_TZ=Europe/Berlin`` in front). With ``start_delay`` the
    first turn waits so long.

    ``memo`` holds notes for people and programs, ``search_attributes`` notes by which `Client.list_workflows` finds the
    execution, typed or as lists of values by name; both can be changed by the workflow. ``static_summary`` is one line
    for people, ``static_details`` are more.
    """

    id: Required[str]
    task_queue: str
    result_type: type | None
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy
    request_id: str
    start_signal: str | None
    start_signal_args: Sequence[Any]
    rpc_metadata: Mapping[str, str | bytes]
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cron_schedule: str
    start_delay: timedelta | None
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    static_summary: str | None
    static_details: str | None
    rpc_timeout: timedelta | None
    request_eager_start: bool
    priority: Priority
    versioning_override: Any
    stack_level: int


NO_METADATA: Final[Mapping[str, str | bytes]] = MappingProxyType({})
"""Of calls that go nowhere, so nobody reads it."""


class NoteOptions(TypedDict, total=False):
    """The part of `StartOptions` that says what is noted about an execution."""

    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    static_summary: str | None
    static_details: str | None


class LifeOptions(TypedDict, total=False):
    """The part of `StartOptions` that says how long an execution lives, and what follows its end."""

    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cron_schedule: str
    start_delay: timedelta | None


def noted(
    id: str,
    options: RunOptions | None,
    converter: ValueConverter,
    *,
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    static_summary: str | None = None,
    static_details: str | None = None,
) -> RunOptions | None:
    """Options with what is noted about an execution.

    Raises:
        ValueError, TypeError: a name, a value or a text that can't be one.
        PayloadError: a value of the memo can't be encoded.
    """
    if not (memo or search_attributes or static_summary or static_details):
        return options
    whom = f"workflow {id!r}"
    check_text("static_summary", static_summary or "")
    check_text("static_details", static_details or "")
    for name in memo or ():
        check_name("name of a memo's entry", name)
    names, values = tuple(memo or ()), tuple((memo or {}).values())
    return msgspec.structs.replace(
        options or NO_OPTIONS,
        memo=dict(zip(names, converter.encode(values), strict=True)) or None,
        search_attributes=attributes_given(whom, search_attributes),
        summary=static_summary or "",
        details=static_details or "",
    )


def run_options(
    workflow: str,
    *,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str = "",
    start_delay: timedelta | None = None,
) -> tuple[RunOptions | None, timedelta | None]:
    """What a start brings along beside its input and its notes (None for nothing), and its delay.

    Raises:
        ValueError: a timeout or a delay is negative, the retry policy contradicts itself, the cron schedule can't be
            understood, or both a delay and a cron schedule were given.
        TypeError: a value is of the wrong kind.
    """
    if execution_timeout is run_timeout is task_timeout is retry_policy is start_delay is None and not cron_schedule:
        return None, None  # most starts
    delay = check_timeout(workflow, "start_delay", start_delay, kind="workflow") or None
    if cron_schedule:
        check_cron(cron_schedule)
        if delay is not None:
            raise ValueError(f"workflow {workflow!r}: start_delay and cron_schedule contradict each other; choose one")
    options = RunOptions(
        execution_timeout=check_timeout(workflow, "execution_timeout", execution_timeout, kind="workflow") or None,
        run_timeout=check_timeout(workflow, "run_timeout", run_timeout, kind="workflow") or None,
        task_timeout=check_timeout(workflow, "task_timeout", task_timeout, kind="workflow") or None,
        retry=None if retry_policy is None else rule_from(retry_policy),
        cron=cron_schedule,
    )
    return (None if options == NO_OPTIONS else options), delay


def id_policies(
    id: str, reuse: WorkflowIDReusePolicy, conflict: WorkflowIDConflictPolicy
) -> tuple[WorkflowIDReusePolicy, WorkflowIDConflictPolicy]:
    """What a start means by its policies, the older TERMINATE_IF_RUNNING in newer words.

    Raises:
        RPCError: INVALID_ARGUMENT: it is TERMINATE_IF_RUNNING, and there is a conflict policy, too.
    """
    reuse, conflict = WorkflowIDReusePolicy(reuse), WorkflowIDConflictPolicy(conflict)
    if reuse != WorkflowIDReusePolicy.TERMINATE_IF_RUNNING:
        return reuse, conflict
    if conflict != WorkflowIDConflictPolicy.UNSPECIFIED:
        raise RPCError(
            f"workflow {id!r}: the reuse policy TERMINATE_IF_RUNNING says what becomes of an open run; leave out the "
            "conflict policy, or use ALLOW_DUPLICATE with it",
            RPCStatusCode.INVALID_ARGUMENT,
        )
    return WorkflowIDReusePolicy.ALLOW_DUPLICATE, WorkflowIDConflictPolicy.TERMINATE_EXISTING


def chosen_queue(id: str, task_queue: str | None, default_queue: str | None) -> str:
    """The task queue of a workflow that is to be started.

    Raises:
        TypeError: neither the call nor the client names one.
    """
    queue = default_queue if task_queue is None else task_queue
    if queue is None:
        raise TypeError(f"workflow {id!r} needs a task_queue: pass the one its worker serves")
    return queue
