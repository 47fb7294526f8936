"""Policies that clients, workflows and the engine share; names and defaults follow the Temporal Python SDK."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any, ClassVar, Final

from actorflow.api.common.v1 import Payload
from actorflow.metering import (
    MetricAttributes as MetricAttributes,
    MetricCommon as MetricCommon,
    MetricCounter as MetricCounter,
    MetricGauge as MetricGauge,
    MetricGaugeFloat as MetricGaugeFloat,
    MetricHistogram as MetricHistogram,
    MetricHistogramFloat as MetricHistogramFloat,
    MetricHistogramTimedelta as MetricHistogramTimedelta,
    MetricMeter as MetricMeter,
)
from actorflow.search_attributes import (
    SearchAttributeIndexedValueType as SearchAttributeIndexedValueType,
    SearchAttributeKey as SearchAttributeKey,
    SearchAttributePair as SearchAttributePair,
    SearchAttributes as SearchAttributes,
    SearchAttributeUpdate as SearchAttributeUpdate,
    SearchAttributeValue as SearchAttributeValue,
    SearchAttributeValues as SearchAttributeValues,
    TypedSearchAttributes as TypedSearchAttributes,
)


@dataclass(frozen=True)
class RawValue:
    """A value that was not decoded: what dynamic handlers and activities get, and what is passed on as it is.

    Decode it with ``workflow.payload_converter().from_payload(value.payload, str)``.
    """

    payload: Payload


_WAIT_WITHOUT_END_MIN: Final = timedelta(milliseconds=1)


@dataclass
class RetryPolicy:
    """When and how often a failed attempt is repeated.

    Args:
        initial_interval: wait before the second attempt.
        backoff_coefficient: the wait grows by this factor with each further attempt; at least 1.
        maximum_interval: upper bound of the wait; default 100 times the initial one.
        maximum_attempts: attempts in all; 0 means no limit.
        non_retryable_error_types: `ApplicationError.type` values that end the retries.

    Raises:
        ValueError: an interval is negative, the coefficient is below 1, the bounds contradict each other, or there
            would be attempts without end and without rest;
            raised when the policy is used, and by `validate`.
    """

    initial_interval: timedelta = timedelta(seconds=1)
    backoff_coefficient: float = 2.0
    maximum_interval: timedelta | None = None
    maximum_attempts: int = 0
    non_retryable_error_types: Sequence[str] | None = None

    def validate(self) -> None:
        """Raise ValueError if the policy contradicts itself, TypeError if a value is of the wrong kind."""
        self._check_types()
        if not 1 <= self.backoff_coefficient < math.inf:  # NaN is refused too
            raise ValueError(f"backoff_coefficient must be finite and at least 1, not {self.backoff_coefficient}")
        if self.maximum_attempts == 1:
            return  # nothing is retried, so the intervals don't matter
        if self.initial_interval.total_seconds() <= 0:
            raise ValueError(f"initial_interval must be positive, not {self.initial_interval}")
        if self.maximum_interval is not None and self.maximum_interval < self.initial_interval:
            raise ValueError(
                f"maximum_interval ({self.maximum_interval}) must not be shorter than "
                f"initial_interval ({self.initial_interval})"
            )
        if self.maximum_attempts < 0:
            raise ValueError(f"maximum_attempts must not be negative, but is {self.maximum_attempts}")
        if self.maximum_attempts == 0 and self._longest_wait < _WAIT_WITHOUT_END_MIN:
            raise ValueError(
                f"a policy without maximum_attempts that never waits longer than {self._longest_wait} would only burn "
                f"time; let it come to {_WAIT_WITHOUT_END_MIN} at least, or say how many attempts there may be"
            )

    @property
    def _longest_wait(self) -> timedelta:
        if self.backoff_coefficient == 1:
            return self.initial_interval
        return 100 * self.initial_interval if self.maximum_interval is None else self.maximum_interval

    def _check_types(self) -> None:
        kinds: Sequence[tuple[str, Any, Any]] = (
            ("initial_interval", self.initial_interval, timedelta),
            ("backoff_coefficient", self.backoff_coefficient, (int, float)),
            ("maximum_interval", self.maximum_interval, (timedelta, type(None))),
            ("maximum_attempts", self.maximum_attempts, int),
        )
        for name, value, kind in kinds:
            if not isinstance(value, kind):
                raise TypeError(f"{name} of a RetryPolicy must not be {value!r}")
        for error_type in self.non_retryable_error_types or ():
            if not isinstance(error_type, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"non_retryable_error_types holds names of error types, not {error_type!r}")


class WorkflowIDReusePolicy(IntEnum):
    """May a workflow id be used again once its last run has closed?

    TERMINATE_IF_RUNNING is the older way to say ALLOW_DUPLICATE with the conflict policy TERMINATE_EXISTING.
    """

    ALLOW_DUPLICATE = 1
    ALLOW_DUPLICATE_FAILED_ONLY = 2
    REJECT_DUPLICATE = 3
    TERMINATE_IF_RUNNING = 4


class WorkflowIDConflictPolicy(IntEnum):
    """What happens when the workflow id belongs to a run that is still open?"""

    UNSPECIFIED = 0
    FAIL = 1
    USE_EXISTING = 2
    TERMINATE_EXISTING = 3


class QueryRejectCondition(IntEnum):
    """When a query is refused because of the status of the execution."""

    NONE = 1
    NOT_OPEN = 2
    NOT_COMPLETED_CLEANLY = 3


class ScheduleOverlapPolicy(IntEnum):
    """What a schedule does when it is due and what it started before still runs. Numbered as in the public API."""

    SKIP = 1
    """Nothing."""
    BUFFER_ONE = 2
    """Start when that ends; one action waits at most."""
    BUFFER_ALL = 3
    """Start when that ends; all actions wait, and follow one after the other."""
    CANCEL_OTHER = 4
    """Ask it to stop, and start when it has ended."""
    TERMINATE_OTHER = 5
    """End it, and start."""
    ALLOW_ALL = 6
    """Start beside it."""


class VersioningBehavior(IntEnum):
    """Which version of a deployment a run goes on with; accepted for ported programs, there is one version here."""

    UNSPECIFIED = 0
    PINNED = 1
    AUTO_UPGRADE = 2


class VersioningIntent(IntEnum):
    """Which version of a worker is to run something; accepted for ported programs, there is one version here."""

    COMPATIBLE = 1
    DEFAULT = 2


@dataclass(frozen=True)
class Priority:
    """Who goes first where something waits for a worker; accepted for ported programs.

    It changes nothing: activities that wait for a slot run in the order in which they came. It is no promise of the
    public API either that a lower key runs before everything of a higher one.

    Args:
        priority_key: 1 is the most urgent.
        fairness_key: who shares a part of the capacity.
        fairness_weight: how large a part.

    Raises:
        ValueError: the key is below 1.
    """

    priority_key: int | None = None
    fairness_key: str | None = None
    fairness_weight: float | None = None

    default: ClassVar[Priority]
    """Without any wish."""

    def __post_init__(self) -> None:
        """Refuse a key that can't be ordered."""
        if self.priority_key is not None and self.priority_key < 1:
            raise ValueError(f"priority_key must be at least 1, not {self.priority_key}")


Priority.default = Priority()
