"""Whether and when a failed attempt is repeated."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from actorflow.common import RetryPolicy
from actorflow.converter import Failure
from actorflow.core.events import RetryRule
from actorflow.exceptions import RetryState


class RetryAt(msgspec.Struct, frozen=True):
    """Try again after this delay."""

    delay: timedelta


class GiveUp(msgspec.Struct, frozen=True):
    """Don't try again, and why."""

    state: RetryState


def rule_from(policy: RetryPolicy | None) -> RetryRule:
    """The rule of a public policy; None means the default one.

    Raises:
        ValueError: the policy contradicts itself.
    """
    if policy is None:
        return DEFAULT_RULE
    types = policy.non_retryable_error_types
    return _rule(
        policy.initial_interval,
        policy.backoff_coefficient,
        policy.maximum_interval,
        policy.maximum_attempts,
        tuple(types) if types else (),
    )


def policy_of(rule: RetryRule) -> RetryPolicy:
    """The public policy of a rule."""
    return RetryPolicy(
        initial_interval=timedelta(seconds=rule.initial_interval),
        backoff_coefficient=rule.backoff_coefficient,
        maximum_interval=timedelta(seconds=rule.maximum_interval),
        maximum_attempts=rule.maximum_attempts,
        non_retryable_error_types=list(rule.non_retryable_error_types) or None,
    )


@lru_cache(maxsize=1024)
def _rule(
    initial: timedelta, coefficient: float, maximum: timedelta | None, attempts: int, types: tuple[str, ...]
) -> RetryRule:
    # A policy is a mutable value that each call of an activity brings along, and programs have few distinct ones.
    RetryPolicy(initial, coefficient, maximum, attempts, types).validate()
    seconds = initial.total_seconds()
    return RetryRule(
        initial_interval=seconds,
        backoff_coefficient=coefficient,
        maximum_interval=maximum.total_seconds() if maximum is not None else 100 * seconds,
        maximum_attempts=attempts,
        non_retryable_error_types=types,
    )


DEFAULT_RULE = RetryRule()


def policy_from(rule: RetryRule) -> RetryPolicy:
    """The public policy of a rule."""
    return RetryPolicy(
        initial_interval=timedelta(seconds=rule.initial_interval),
        backoff_coefficient=rule.backoff_coefficient,
        maximum_interval=timedelta(seconds=rule.maximum_interval),
        maximum_attempts=rule.maximum_attempts,
        non_retryable_error_types=rule.non_retryable_error_types or None,
    )


def after_failure(
    rule: RetryRule, failure: Failure, *, charged: int, now: datetime, deadline: datetime | None
) -> RetryAt | GiveUp:
    """What follows the failure of an attempt.

    Args:
        rule: of the activity.
        failure: of this attempt.
        charged: attempts so far that count, this one included.
        now: when it failed.
        deadline: when schedule-to-close runs out, if it does.
    """
    if failure.non_retryable or (failure.type and failure.type in rule.non_retryable_error_types):
        return GiveUp(RetryState.NON_RETRYABLE_FAILURE)
    if rule.maximum_attempts and charged >= rule.maximum_attempts:
        return GiveUp(RetryState.MAXIMUM_ATTEMPTS_REACHED)
    delay = failure.next_retry_delay
    if delay is None:
        delay = timedelta(seconds=backoff(rule, charged))
    if deadline is not None and now + delay >= deadline:
        return GiveUp(RetryState.TIMEOUT)
    return RetryAt(delay)


def backoff(rule: RetryRule, charged: int) -> float:
    """Seconds to wait after that many attempts."""
    try:
        seconds = rule.initial_interval * rule.backoff_coefficient ** max(charged - 1, 0)
    except OverflowError:
        return rule.maximum_interval
    return min(seconds, rule.maximum_interval)
