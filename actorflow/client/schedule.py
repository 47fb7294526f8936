"""What a schedule is made of: when, what, and how. Names, fields and defaults follow the Temporal Python SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Required, TypedDict, Unpack, overload

from actorflow.common import Priority, RetryPolicy, ScheduleOverlapPolicy, TypedSearchAttributes
from actorflow.converter import Headers
from actorflow.types import MethodAsyncNoParam, MethodAsyncSingleParam, ParamType
from actorflow.workflow.arguments import UNSET
from actorflow.workflow.others import called_workflow


@dataclass(frozen=True)
class ScheduleRange:
    """Every ``step``-th number from ``start`` to ``end``, both included; only a start means that number alone."""

    start: int
    end: int = 0
    step: int = 0


_ZERO = (ScheduleRange(0, 0, 1),)


@dataclass
class ScheduleCalendarSpec:
    """Local times: all whose parts match. The default is midnight of each day.

    A time that does not exist (the clocks are put forward) comes at the first instant after the gap, one that occurs
    twice (they are put back) comes the first time only.

    Attributes:
        day_of_week: 0 is Sunday.
        year: empty for every year.
        comment: for people.
    """

    second: Sequence[ScheduleRange] = _ZERO
    minute: Sequence[ScheduleRange] = _ZERO
    hour: Sequence[ScheduleRange] = _ZERO
    day_of_month: Sequence[ScheduleRange] = (ScheduleRange(1, 31, 1),)
    month: Sequence[ScheduleRange] = (ScheduleRange(1, 12, 1),)
    year: Sequence[ScheduleRange] = ()
    day_of_week: Sequence[ScheduleRange] = (ScheduleRange(0, 6, 1),)
    comment: str | None = None


@dataclass
class ScheduleIntervalSpec:
    """Every so often, a second at least, counted from ``offset`` after 1970-01-01 00:00 UTC."""

    every: timedelta
    offset: timedelta | None = None


@dataclass
class ScheduleSpec:
    """When a schedule is due: whenever a calendar, an interval or a cron expression says so.

    Attributes:
        cron_expressions: five fields as in Debian's cron, six with seconds in front (or with years, of four digits,
            behind), a name such as ``@daily``, or ``@every 90s``; ``CRON_TZ=Europe/Berlin`` may stand in front. A
            description shows them as calendars and intervals.
        skip: it is not due when one of these says so.
        start_at, end_at: nor before the one or after the other; aware datetimes.
        jitter: each time is put off by a part of this, never beyond the next one.
        time_zone_name: of calendars and cron expressions; UTC by default.
    """

    calendars: Sequence[ScheduleCalendarSpec] = field(default_factory=list[ScheduleCalendarSpec])
    intervals: Sequence[ScheduleIntervalSpec] = field(default_factory=list[ScheduleIntervalSpec])
    cron_expressions: Sequence[str] = field(default_factory=list[str])
    skip: Sequence[ScheduleCalendarSpec] = field(default_factory=list[ScheduleCalendarSpec])
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: timedelta | None = None
    time_zone_name: str | None = None


class ScheduleAction:
    """What a schedule does: see `ScheduleActionStartWorkflow`."""


class ScheduledStartOptions(TypedDict, total=False):
    """How a schedule starts a workflow; see `ScheduleActionStartWorkflow`."""

    id: Required[str]
    task_queue: str | None
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    typed_search_attributes: TypedSearchAttributes
    static_summary: str | None
    static_details: str | None
    priority: Priority
    headers: Headers | None


@dataclass(init=False)
class ScheduleActionStartWorkflow(ScheduleAction):
    """Start a workflow each time. Its id is ``id``, a hyphen, and the time in UTC, such as ``…-2030-01-31T02:00:00Z``.

    Attributes:
        workflow: the workflow type.
        args: its arguments; payloads in a description.
        task_queue: whose workers run it; that of the client if None.
        memo: of each workflow; its values are payloads in a description.
        typed_search_attributes: of each workflow, which also gets ``TemporalScheduledById`` and
            ``TemporalScheduledStartTime``.
        static_summary: of each workflow, one line for people; ``static_details`` are more.
        priority: changes nothing, see `Priority`.
        headers: what interceptors pass on with each start; they may set it.
    """

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str | None
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    typed_search_attributes: TypedSearchAttributes
    static_summary: str | None
    static_details: str | None
    priority: Priority
    headers: Headers | None

    @overload
    def __init__(self, workflow: MethodAsyncNoParam[Any, Any], **options: Unpack[ScheduledStartOptions]) -> None: ...
    @overload
    def __init__(
        self,
        workflow: MethodAsyncSingleParam[Any, ParamType, Any],
        arg: ParamType,
        **options: Unpack[ScheduledStartOptions],
    ) -> None: ...
    @overload
    def __init__(
        self, workflow: Callable[..., Awaitable[Any]], *, args: Sequence[Any], **options: Unpack[ScheduledStartOptions]
    ) -> None: ...
    @overload
    def __init__(
        self, workflow: str, arg: Any = ..., *, args: Sequence[Any] = ..., **options: Unpack[ScheduledStartOptions]
    ) -> None: ...
    def __init__(
        self,
        workflow: Any,
        arg: Any = UNSET,
        *,
        args: Sequence[Any] = (),
        id: str,
        task_queue: str | None = None,
        execution_timeout: timedelta | None = None,
        run_timeout: timedelta | None = None,
        task_timeout: timedelta | None = None,
        retry_policy: RetryPolicy | None = None,
        memo: Mapping[str, Any] | None = None,
        typed_search_attributes: TypedSearchAttributes = TypedSearchAttributes.empty,
        static_summary: str | None = None,
        static_details: str | None = None,
        priority: Priority = Priority.default,
        headers: Headers | None = None,
    ) -> None:
        """See `Client.start_workflow` for all but ``id`` and ``headers``.

        Raises:
            TypeError: not a workflow, or arguments it can't take.
            ValueError: both ``arg`` and ``args``.
        """
        self.workflow, _, self.args = called_workflow(workflow, arg, args)
        self.id = id
        self.task_queue = task_queue
        self.execution_timeout = execution_timeout
        self.run_timeout = run_timeout
        self.task_timeout = task_timeout
        self.retry_policy = retry_policy
        self.memo = memo
        self.typed_search_attributes = typed_search_attributes
        self.static_summary = static_summary
        self.static_details = static_details
        self.priority = priority
        self.headers = headers


@dataclass
class SchedulePolicy:
    """How a schedule acts.

    Attributes:
        overlap: what it does if something it started still runs.
        catchup_window: an action that is later than this is missed; ten seconds at least, a year by default.
        pause_on_failure: a workflow that fails or times out, after its retries, pauses the schedule.
    """

    overlap: ScheduleOverlapPolicy = ScheduleOverlapPolicy.SKIP
    catchup_window: timedelta | None = None
    pause_on_failure: bool = False


@dataclass
class ScheduleState:
    """What people switch.

    Attributes:
        note: for people.
        paused: it takes no actions by itself.
        limited_actions: it takes ``remaining_actions`` by itself, and no more. Triggers and backfills don't count.
    """

    note: str | None = None
    paused: bool = False
    limited_actions: bool = False
    remaining_actions: int = 0


@dataclass
class Schedule:
    """What a schedule does, when and how."""

    action: ScheduleAction
    spec: ScheduleSpec
    policy: SchedulePolicy = field(default_factory=SchedulePolicy)
    state: ScheduleState = field(default_factory=ScheduleState)


@dataclass
class ScheduleBackfill:
    """A span whose times are taken as if they were now; both ends are included, and must be aware datetimes.

    Attributes:
        overlap: instead of the schedule's own policy.
    """

    start_at: datetime
    end_at: datetime
    overlap: ScheduleOverlapPolicy | None = None
