"""Schedules of programs as the core's, checked, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any, Final

import msgspec

from actorflow.api.common.v1 import Payload as PublicPayload
from actorflow.client.data import WorkflowData
from actorflow.client.schedule import (
    Schedule,
    ScheduleAction,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from actorflow.client.start import chosen_queue, noted, run_options
from actorflow.common import ScheduleOverlapPolicy
from actorflow.converter import (
    DataConverter,
    Payload,
    public_headers,
    public_payload,
    stored_headers,
    stored_payload,
)
from actorflow.core import limits
from actorflow.core.events import RunOptions
from actorflow.core.notes import typed_shown
from actorflow.core.policy.checks import check_name
from actorflow.core.policy.retry import policy_from
from actorflow.core.schedules.calendar import almanac_of
from actorflow.core.schedules.cron import parse_cron
from actorflow.core.schedules.record import Backfill, Definition, Policy, StartAction, State, checked_definition
from actorflow.core.schedules.spec import (
    FIELDS,
    Calendar,
    Interval,
    Range,
    Ranges,
    Spec,
    check_aware,
    check_interval,
    check_size,
)
from actorflow.core.state import NO_OPTIONS
from actorflow.exceptions import ScheduleSpecError

_TICK: Final = timedelta(microseconds=1)


async def definition_from(
    schedule: Schedule, converter: DataConverter, namespace: str, task_queue: str | None
) -> Definition:
    """What the core makes of a schedule.

    Args:
        schedule: as the program gave it.
        converter: for arguments and the memo.
        namespace: of the schedule.
        task_queue: of a workflow that has none of its own.

    Raises:
        ScheduleSpecError: a part of it makes no sense; the error names the field.
        ValueError, TypeError: an id, a name, a timeout, a search attribute or an argument doesn't.
        PayloadError, CodecError: an argument or a value of the memo can't be encoded.
    """
    _check_type("schedule", schedule, Schedule)
    _check_type("action", schedule.action, ScheduleActionStartWorkflow)
    _check_type("spec", schedule.spec, ScheduleSpec)
    _check_type("policy", schedule.policy, SchedulePolicy)
    _check_type("state", schedule.state, ScheduleState)
    action, policy, state = schedule.action, schedule.policy, schedule.state
    assert isinstance(action, ScheduleActionStartWorkflow)
    data = WorkflowData(converter, namespace, action.id)
    window = policy.catchup_window
    return checked_definition(
        Definition(
            await _action_from(action, data, task_queue),
            _spec_from(schedule.spec),
            Policy(
                ScheduleOverlapPolicy(policy.overlap),
                limits.SCHEDULE_CATCHUP_WINDOW if window is None else window,
                policy.pause_on_failure,
            ),
            State(state.note or "", state.paused, state.limited_actions, state.remaining_actions),
        )
    )


def check_limit(schedule: Schedule) -> None:
    """Refuse a limited schedule that could never do anything.

    Raises:
        ScheduleSpecError: see above.
    """
    state = schedule.state
    if state.limited_actions and not state.remaining_actions:
        raise ScheduleSpecError(
            "state.remaining_actions", str(state.remaining_actions), "a limited schedule needs one at least"
        )


def whole_schedule(
    schedule: Schedule | ScheduleSpec,
    action: ScheduleAction | None = None,
    policy: SchedulePolicy | None = None,
    state: ScheduleState | None = None,
) -> Schedule:
    """A schedule given as one value, or in parts.

    Raises:
        TypeError: a part is given twice, or there is no action.
    """
    if isinstance(schedule, Schedule):
        if any(part is not None for part in (action, policy, state)):
            raise TypeError("a Schedule has its own action, policy and state; give them there, or a ScheduleSpec")
        return schedule
    if action is None:
        raise TypeError("a schedule needs an action; give create_schedule a Schedule, or a ScheduleSpec and an action")
    return Schedule(action, schedule, policy or SchedulePolicy(), state or ScheduleState())


def backfills_from(backfills: Sequence[ScheduleBackfill]) -> tuple[Backfill, ...]:
    """What the core makes of backfills.

    Raises:
        ScheduleSpecError: an end is naive, or before its start.
    """
    return tuple([_backfill_from(f"backfill[{index}]", one) for index, one in enumerate(backfills)])


def _backfill_from(field: str, backfill: ScheduleBackfill) -> Backfill:
    _check_type(field, backfill, ScheduleBackfill)
    check_aware(f"{field}.start_at", backfill.start_at)
    check_aware(f"{field}.end_at", backfill.end_at)
    if backfill.end_at < backfill.start_at:
        raise ScheduleSpecError(f"{field}.end_at", backfill.end_at.isoformat(), "it is before start_at")
    overlap = None if backfill.overlap is None else ScheduleOverlapPolicy(backfill.overlap)
    return Backfill((backfill.start_at - _TICK).astimezone(UTC), backfill.end_at.astimezone(UTC), overlap)


async def _stored(arguments: Sequence[Any], data: WorkflowData) -> tuple[Payload, ...]:
    """Values as they are stored; those of a description are so already."""
    encoded = iter(await data.encode([one for one in arguments if not isinstance(one, PublicPayload)]))
    return tuple([stored_payload(one) if isinstance(one, PublicPayload) else next(encoded) for one in arguments])


async def _action_from(action: ScheduleActionStartWorkflow, data: WorkflowData, task_queue: str | None) -> StartAction:
    queue = chosen_queue(action.id, action.task_queue, task_queue)
    options = await _options_from(action, data)
    return StartAction(action.workflow, action.id, queue, await _stored(action.args, data), options)


async def _options_from(action: ScheduleActionStartWorkflow, data: WorkflowData) -> RunOptions | None:
    options, _ = run_options(
        action.workflow,
        execution_timeout=action.execution_timeout,
        run_timeout=action.run_timeout,
        task_timeout=action.task_timeout,
        retry_policy=action.retry_policy,
    )
    options = noted(
        action.id,
        options,
        data.values,
        search_attributes=action.typed_search_attributes,
        static_summary=action.static_summary,
        static_details=action.static_details,
    )
    if action.memo:
        options = msgspec.structs.replace(options or NO_OPTIONS, memo=await _memo_from(action.memo, data))
    if action.headers:
        options = msgspec.structs.replace(options or NO_OPTIONS, headers=stored_headers(action.headers))
    return options


async def _memo_from(memo: Mapping[str, Any], data: WorkflowData) -> dict[str, Payload]:
    for name in memo:
        check_name("name of a memo's entry", name)
    return dict(zip(memo, await _stored(tuple(memo.values()), data), strict=True))


def _spec_from(spec: ScheduleSpec) -> Spec:
    check_size("cron_expressions", spec.cron_expressions)
    if isinstance(spec.cron_expressions, str):
        raise ScheduleSpecError("cron_expressions", spec.cron_expressions, "it must be a list of expressions")
    _check_list("calendars", spec.calendars, "[ScheduleCalendarSpec()]")
    _check_list("intervals", spec.intervals, "[ScheduleIntervalSpec(timedelta(hours=1))]")
    _check_list("skip", spec.skip, "[ScheduleCalendarSpec()]")
    calendars = [_calendar_from(f"calendars[{index}]", one) for index, one in enumerate(spec.calendars)]
    intervals = [_interval_from(f"intervals[{index}]", one) for index, one in enumerate(spec.intervals)]
    time_zone = spec.time_zone_name or ""
    for index, text in enumerate(spec.cron_expressions):
        field = f"cron_expressions[{index}]"
        times = parse_cron(field, text)
        if times.time_zone and time_zone and times.time_zone != time_zone:
            raise ScheduleSpecError(field, text, f"a schedule has one time zone, and another one says {time_zone}")
        time_zone = times.time_zone or time_zone
        _check_possible(field, text, times.calendars)
        for interval in times.intervals:
            check_interval(field, interval)
        calendars.extend(times.calendars)
        intervals.extend(times.intervals)
    return Spec(
        calendars=tuple(calendars),
        intervals=tuple(intervals),
        skip=tuple([_calendar_from(f"skip[{index}]", one) for index, one in enumerate(spec.skip)]),
        start_at=spec.start_at,
        end_at=spec.end_at,
        jitter=timedelta(0) if spec.jitter is None else spec.jitter,
        time_zone=time_zone,
    )


def _check_possible(field: str, text: str, calendars: Sequence[Calendar]) -> None:
    """An expression is named as it was given, not as the calendars it became."""
    if calendars and not any(almanac_of(calendar).is_possible() for calendar in calendars):
        raise ScheduleSpecError(field, text, "no such day ever comes")


def _calendar_from(field: str, calendar: ScheduleCalendarSpec) -> Calendar:
    _check_type(field, calendar, ScheduleCalendarSpec)
    ranges: dict[str, Any] = {name: _ranges_from(f"{field}.{name}", getattr(calendar, name)) for name in FIELDS}
    return Calendar(**ranges, comment=calendar.comment or "")


def _ranges_from(field: str, ranges: Sequence[ScheduleRange]) -> Ranges:
    _check_list(field, ranges, "[ScheduleRange(1)]")
    check_size(field, ranges)
    for one in ranges:
        _check_type(field, one, ScheduleRange)
    return tuple([Range(one.start, one.end, one.step) for one in ranges])


def _interval_from(field: str, interval: ScheduleIntervalSpec) -> Interval:
    _check_type(field, interval, ScheduleIntervalSpec)
    return Interval(interval.every, timedelta(0) if interval.offset is None else interval.offset)


def _check_list(field: str, given: object, such: str) -> None:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ScheduleSpecError(field, repr(given), f"it must be a list, such as {such}")


def _check_type(field: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{field} must be a {kind.__name__}, not {value!r}")


# And back


def schedule_of(definition: Definition) -> Schedule:
    """A schedule as it is described; arguments and the values of the memo stay payloads, as they are stored."""
    action, policy, state = definition.action, definition.policy, definition.state
    options = action.options or NO_OPTIONS
    return Schedule(
        action=ScheduleActionStartWorkflow(
            action.workflow_type,
            args=[public_payload(payload) for payload in action.input],
            id=action.workflow_id,
            task_queue=action.task_queue,
            execution_timeout=options.execution_timeout,
            run_timeout=options.run_timeout,
            task_timeout=options.task_timeout,
            retry_policy=None if options.retry is None else policy_from(options.retry),
            memo={name: public_payload(payload) for name, payload in (options.memo or {}).items()} or None,
            typed_search_attributes=typed_shown(options.search_attributes or {}),
            static_summary=options.summary or None,
            static_details=options.details or None,
            headers=public_headers(options.headers) or None,
        ),
        spec=spec_of(definition.spec),
        policy=SchedulePolicy(policy.overlap, policy.catchup_window, policy.pause_on_failure),
        state=ScheduleState(state.note or None, state.is_paused, state.is_limited, state.remaining),
    )


def spec_of(spec: Spec) -> ScheduleSpec:
    """A spec as it is described."""
    return ScheduleSpec(
        calendars=[_calendar_of(calendar) for calendar in spec.calendars],
        intervals=[ScheduleIntervalSpec(interval.every, interval.offset or None) for interval in spec.intervals],
        skip=[_calendar_of(calendar) for calendar in spec.skip],
        start_at=spec.start_at,
        end_at=spec.end_at,
        jitter=spec.jitter or None,
        time_zone_name=spec.time_zone or None,
    )


def _calendar_of(calendar: Calendar) -> ScheduleCalendarSpec:
    ranges: dict[str, Any] = {
        name: tuple([ScheduleRange(one.start, one.end, one.step) for one in getattr(calendar, name)]) for name in FIELDS
    }
    return ScheduleCalendarSpec(**ranges, comment=calendar.comment or None)
