"""Which run follows one that closes: it continues as new, is retried, or its cron fires again.

The successor begins in the transaction that closes its predecessor, and takes over what waits in the inbox.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from actorflow.converter import Failure, Payload
from actorflow.core import events as ev, limits
from actorflow.core.policy.cron import next_fire
from actorflow.core.policy.retry import RetryAt, after_failure
from actorflow.core.state import NO_OPTIONS
from actorflow.exceptions import RetryState, TimeoutType


class Closing(NamedTuple):
    """A run that is about to close.

    Attributes:
        run_id: its own.
        started_at: when it was started.
        started: how it began.
        now: when it closes.
    """

    run_id: str
    started_at: datetime
    started: ev.Started
    now: datetime

    @property
    def options(self) -> ev.RunOptions:
        """What it brought along."""
        return self.started.options or NO_OPTIONS


def first_options(
    options: ev.RunOptions, *, started_at: datetime, start_delay: timedelta | None = None
) -> ev.RunOptions | None:
    """The options of the first run of a chain, with the instants that follow from its durations; None for none.

    Raises:
        ValueError: the cron schedule can't be understood.
    """
    not_before = started_at + start_delay if start_delay else None
    if options.cron:
        not_before = next_fire(options.cron, started_at)
    chain_expires_at = started_at + options.execution_timeout if options.execution_timeout else None
    first = dated(options, not_before or started_at, not_before, chain_expires_at)
    return None if first == NO_OPTIONS else first


def succession(closing: Closing, close: Any) -> ev.Started | RetryState | None:
    """What follows a close.

    Returns:
        How the next run begins; or, if a failure or a timeout is final, why there is no retry; None otherwise.
    """
    match close:
        case ev.ContinuedAsNew():
            return _continued(closing, close)
        case ev.Completed(result=result):
            return _next_by_cron(closing, last_result=result, last_failure=None)
        case ev.Failed(failure=failure):
            return _after_failure(closing, failure)
        case ev.TimedOut():
            return _after_timeout(closing)
        case _:
            return None


def closed_as(closing: Closing, close: Any, new_run_id: Callable[[], str]) -> Any:
    """A close with the run id of what follows it, or with why nothing does."""
    match succession(closing, close):
        case ev.Started():
            return msgspec.structs.replace(close, successor=new_run_id())
        case RetryState() as state:
            return msgspec.structs.replace(close, retry_state=int(state))
        case None:
            return close


def successor_id(close: Any) -> str:
    """The run id of what follows a close; empty if nothing does."""
    return getattr(close, "successor", "")


def _continued(closing: Closing, close: ev.ContinuedAsNew) -> ev.Started:
    old = closing.options
    ran = closing.now - (old.not_before or closing.started_at)
    hurried = old.hurried + 1 if ran < limits.HURRIED_RUN else 0
    not_before = closing.now + limits.HURRIED_RUN if hurried > limits.HURRIED_RUNS_MAX else None
    return _successor(
        closing,
        "workflow",
        not_before,
        input=close.input,
        workflow_type=close.workflow_type,
        task_queue=close.task_queue,
        attempt=1,
        last_failure=None,
        hurried=hurried,
        run_timeout=close.run_timeout or old.run_timeout,
        task_timeout=close.task_timeout or old.task_timeout,
        retry=close.retry or old.retry,
        headers=old.headers if close.headers is None else close.headers,
        memo=(old.memo if close.memo is None else close.memo) or None,
        search_attributes=(old.search_attributes if close.search_attributes is None else close.search_attributes)
        or None,
    )


def _after_failure(closing: Closing, failure: Failure) -> ev.Started | RetryState | None:
    rule = closing.options.retry
    state: RetryState | None = None
    if rule is not None:
        decision = after_failure(
            rule,
            failure,
            charged=closing.options.attempt,
            now=closing.now,
            deadline=closing.options.chain_expires_at,
        )
        if isinstance(decision, RetryAt):
            return _successor(
                closing,
                "retry",
                closing.now + decision.delay,
                attempt=closing.options.attempt + 1,
                last_failure=failure,
            )
        state = decision.state
    return _next_by_cron(closing, last_result=closing.options.last_result, last_failure=failure) or state


def _after_timeout(closing: Closing) -> ev.Started | RetryState | None:
    expires_at = closing.options.chain_expires_at
    if expires_at is not None and closing.now >= expires_at:
        return RetryState.TIMEOUT
    failure = Failure("Workflow timed out", kind="timeout", timeout_type=TimeoutType.START_TO_CLOSE)
    return _after_failure(closing, failure)


def _next_by_cron(closing: Closing, *, last_result: Payload | None, last_failure: Failure | None) -> ev.Started | None:
    options = closing.options
    if not options.cron:
        return None
    fires_at = next_fire(options.cron, max(closing.now, options.not_before or closing.started_at))
    if options.chain_expires_at is not None and fires_at >= options.chain_expires_at:
        return None
    return _successor(closing, "cron", fires_at, attempt=1, last_result=last_result, last_failure=last_failure)


def _successor(
    closing: Closing,
    initiator: str,
    not_before: datetime | None,
    *,
    input: tuple[Payload, ...] | None = None,
    workflow_type: str = "",
    task_queue: str = "",
    **changed: Any,
) -> ev.Started:
    old = closing.options
    options = msgspec.structs.replace(
        old,
        first_run_id=old.first_run_id or closing.run_id,
        continued_run_id=closing.run_id,
        initiator=initiator,
        **changed,
    )
    return msgspec.structs.replace(
        closing.started,
        workflow_type=workflow_type or closing.started.workflow_type,
        task_queue=task_queue or closing.started.task_queue,
        input=closing.started.input if input is None else input,
        options=dated(options, not_before or closing.now, not_before, old.chain_expires_at),
    )


def dated(
    options: ev.RunOptions, begins_at: datetime, not_before: datetime | None, chain_expires_at: datetime | None
) -> ev.RunOptions:
    """Options with the instants of one run, which begins then."""
    run_expires_at = begins_at + options.run_timeout if options.run_timeout else None
    deadlines = [deadline for deadline in (run_expires_at, chain_expires_at) if deadline is not None]
    return msgspec.structs.replace(
        options,
        not_before=not_before,
        expires_at=min(deadlines, default=None),
        chain_expires_at=chain_expires_at,
    )
